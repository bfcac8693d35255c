//! DICOM: headers first, up to the pixels; then only the files of t=0 are read whole and decoded.

mod colour;
mod copies;
mod encapsulated;
mod frames;
mod hash;
mod header;
mod jpeg;
mod jpeg2000;
mod kind;
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
mod series;
mod stream;
mod structure;
mod times;
mod values;
mod voi;

pub(crate) use copies::copies;
pub(crate) use frames::Frame;
pub(crate) use header::{Header, read_header};
pub(crate) use read::{Identity, read};
pub(crate) use repeats::earlier;
pub(crate) use select::{Chosen, Left, select};
pub(crate) use series::{Unsure, group};
pub(crate) use stream::is_dicom;
