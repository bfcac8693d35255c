//! What tests of several crates share: skips that count as skips, archives that are not in this repository, small data
//! sets of PNGs, what a file says.
#![allow(clippy::unwrap_used)] // for tests alone

mod content;
mod dataset;
mod needs;

pub use content::content;
pub use dataset::{dataset, grey_png};
pub use needs::{Need, has_encoder, shared, skip};
