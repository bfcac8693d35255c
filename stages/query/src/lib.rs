//! Questions to a run's tables: `deepmcat history`, which works on the clusters of all epochs.

pub mod epochs;
mod error;
pub mod history;
pub mod output;

pub use error::Error;
