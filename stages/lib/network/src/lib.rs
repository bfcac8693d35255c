//! The network: VGG-16 with batch norm, its last layer, SGD, batches, inference, checkpoints.
//!
//! Shared by `embed` and `train`. Everything here is deterministic: random numbers come from
//! [`deepmcat_stage::random`], never from libtorch, so that a draw depends on no thread count.

mod batches;
pub mod checkpoint;
mod error;
mod fill;
mod head;
pub mod inference;
pub mod sgd;
pub mod vgg;

pub use batches::{Batch, Batches, Item};
pub use error::Error;
pub use head::Head;
pub use inference::Embedder;
pub use sgd::Sgd;
pub use vgg::Vgg;
