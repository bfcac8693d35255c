//! DICOM: headers first, up to the pixels; then only the files of t=0 are read whole and decoded.

mod colour;
mod copies;
mod decode;
mod encapsulated;
mod form;
mod fragments;
mod frames;
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
mod rle;
mod settle;
mod start;
mod stream;
mod structure;
mod times;
mod values;
mod voi;

use crate::format::{Format, Read, Scanned};
use crate::inputs::Input;
use crate::place::Place;
use crate::reject::Reject;
use crate::rules::Rules;
use crate::series::Chosen;
use crate::settings::Settings;
use crate::slice::{Sink, Stop};

pub(crate) use copies::copies;

/// DICOM.
pub(super) struct Dicom;

impl Format for Dicom {
    fn name(&self) -> &'static str {
        "DICOM"
    }

    fn sort(&self) -> &'static str {
        "dicom"
    }

    fn endings(&self) -> &'static [&'static str] {
        &[".dcm", ".ima"]
    }

    fn sniff(&self, head: &[u8]) -> bool {
        start::is_dicom(head)
    }

    fn is_cut(&self, head: &[u8], named: bool) -> bool {
        let preamble = head.len() <= 132 && head.iter().take(128).all(|&byte| byte == 0);
        named && !head.is_empty() && preamble
    }

    fn scan(&self, input: &Input, rules: &Rules, limit: u64) -> Result<Scanned, Reject> {
        header::scan(input, rules, limit)
    }

    fn read(&self, place: &Place, chosen: &[Chosen], how: &Settings, sink: &mut Sink<'_>) -> Result<Read, Stop> {
        let identity = read::read(place, chosen, how.own_window, how.limit, sink)?;
        Ok(Read { identity, unread: None })
    }
}
