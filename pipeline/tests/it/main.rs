//! The runner with stages that are a script: plans, selection, retention, the lock, stops, what is printed.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod archive;
mod bench;
mod output;
mod plans;
mod settings;
mod work;
