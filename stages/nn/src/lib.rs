//! The network and what feeds it: VGG-16 with batch norm, SGD, image batches, augmentation, checkpoints.
//!
//! Shared by `embed` and `train`. Everything here is deterministic: random numbers come from
//! [`deepmcat_common::random`], never from libtorch, so that a draw depends on no thread count.

pub mod architecture;
pub mod augment;
pub mod batches;
pub mod checkpoint;
pub mod device;
mod error;
pub mod fill;
pub mod head;
pub mod images;
pub mod inference;
pub mod ranks;
pub mod sample;
pub mod sgd;
mod together;
pub mod vgg;

pub use augment::View;
pub use batches::{Batch, Batches, Item};
pub use device::Compute;
pub use error::Error;
pub use head::Head;
pub use images::Images;
pub use inference::Embedder;
pub use ranks::{Ranks, mpi_version};
pub use sgd::Sgd;
pub use vgg::Vgg;
