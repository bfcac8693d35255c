//! What tests of several crates share: skips that count as skips, archives that are not in this repository, small data
//! sets of PNGs.
#![allow(clippy::unwrap_used)] // for tests alone

mod dataset;
mod needs;

pub use dataset::{dataset, grey_png};
pub use needs::{Need, shared, skip};
