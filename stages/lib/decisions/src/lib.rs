//! What people decided about a run's result: the log of decisions, the names in force, names carried over to a rerun.
//!
//! `RUN/review/decisions.jsonl` is the truth. It is only appended to, a line of JSON a decision, and a decision is on the
//! disk before anyone is told of it. The table `names/` is a view of it, made anew after every change.

mod agreement;
mod author;
mod carry;
mod decision;
mod error;
mod log;
mod result;
mod view;

pub use agreement::{Agreement, agreement};
pub use author::author;
pub use carry::{Carried, Verdict, carry};
pub use decision::{Decision, Naming, Operation, Target};
pub use error::Error;
pub use log::Log;
pub use result::RunResult;
pub use view::{MIXED, NO_IMAGE, OLDER_RESULT, UNSURE, mark, names, write_names};
