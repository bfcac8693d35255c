//! The features of a data set: tables memory-mapped and joined, and which images lie beside which.

mod blocks;
mod error;
mod graph;
mod table;

pub use blocks::{Among, Compared, each_block, tensor};
pub use error::Error;
pub use graph::{Graph, IMAGES, NEIGHBOURS};
pub use table::{FeatureFiles, Features, Part};
