//! The machine that a stage computes on with libtorch: device, arithmetic, threads, and the processes beside it.

pub mod device;
mod error;
pub mod ranks;

pub use device::Compute;
pub use error::{Error, message};
pub use ranks::{Ranks, mpi_version};
