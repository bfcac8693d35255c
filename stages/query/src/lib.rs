//! Questions to a run's tables: `deepmcat history`, which works on the clusters of all epochs, and `deepmcat sql`.

pub mod epochs;
mod error;
pub mod history;
pub mod output;
pub mod sql;

pub use error::Error;
