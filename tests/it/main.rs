//! Drives the real programs, each test in a directory of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

mod chain;
mod cli;
mod history;
mod real_scans;
mod resume;
mod world;
mod zips;
