//! DICOM: headers first, up to the pixels; then only the files of t=0 are read whole and decoded.

mod colour;
mod encapsulated;
mod header;
mod jpeg;
mod jpeg2000;
mod layout;
mod lut;
mod mosaic;
mod open;
mod padding;
mod palette;
mod pixels;
mod read;
mod repeats;
mod rle;
mod select;
mod stream;
mod structure;
mod values;
mod voi;

pub(crate) use header::{Frame, Header, Position, read_header};
pub(crate) use read::{Identity, read};
pub(crate) use repeats::earlier;
pub(crate) use select::{Chosen, Left, select};
pub(crate) use stream::is_dicom;
