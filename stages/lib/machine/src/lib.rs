//! The machine that a stage computes on with libtorch: device, arithmetic, threads.

pub mod device;
mod error;

pub use device::Compute;
pub use error::{Error, message};
