//! Drives the stage as a library, on archives made here and on the shared ones where they are.
#![allow(clippy::unwrap_used)]

mod archives;
mod dataset;
mod fuzzed;
mod odd_pictures;
mod odd_pixels;
mod odd_series;
mod odd_structure;
mod privacy;
mod support;
mod truth;
