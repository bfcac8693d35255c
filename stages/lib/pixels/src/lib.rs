//! Images on their way to the network, without libtorch: decoded and resized once, cut and changed at random for each
//! batch.
//!
//! Everything here is deterministic: random numbers come from [`deepmcat_stage::random`], so that a draw depends on no
//! thread count.

pub mod augment;
mod error;
mod images;
pub mod resample;

pub use augment::View;
pub use error::Error;
pub use images::{Images, load_side};
