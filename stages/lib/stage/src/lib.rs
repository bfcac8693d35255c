//! What every stage binary shares: arguments, logs, progress, random numbers, exit codes.

mod args;
mod exit;
mod front;
mod json_log;
mod parent;
mod progress;
pub mod random;
mod shard;
mod spreadsheet;
mod stdout;
mod threads;
mod timings;

pub use args::{CommonArgs, LogFormat, Verbosity};
pub use exit::{Failure, main_with, print_error};
pub use front::{Front, Means, NoMeans, Threads, main};
pub use parent::{CARD, PARENT_WATCH};
pub use progress::Progress;
pub use shard::{Part, Shard};
pub use spreadsheet::{for_spreadsheets, from_spreadsheet};
pub use stdout::print;
pub use threads::{ThreadsError, set_threads};
pub use timings::Timings;
