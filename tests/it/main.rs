//! Drives the real programs, each test in a directory of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

mod apply;
mod browser;
mod categories;
mod chain;
mod cli;
mod export;
mod guide;
mod history;
mod hostile;
mod names;
mod orthanc;
mod pacs;
mod privacy;
mod python;
mod queries;
mod real_scans;
mod rerun;
mod resume;
mod snapshots;
mod stop;
mod tensorboard;
mod world;
mod zips;
