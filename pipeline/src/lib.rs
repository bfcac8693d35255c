//! The runner: plans, runs and explains the DAG of a run folder.
//!
//! A node is (stage, pass): one command line of a stage binary with named inputs and outputs. It is done when its
//! receipt says so: the receipt holds the components of its fingerprint and the hashes of its outputs.

pub mod apply;
pub mod archive;
pub mod args;
pub mod commands;
pub mod dag;
pub mod dispatch;
pub mod doctor;
pub mod error;
pub mod estimate;
pub mod events;
pub mod export;
pub mod fingerprint;
pub mod hashes;
pub mod health;
pub mod init;
pub mod lock;
pub mod machine;
pub mod plan;
pub mod provenance;
pub mod receipt;
pub mod retention;
pub mod run_folder;
pub mod schedule;
pub mod select;
pub mod settings;
pub mod stop;
pub mod summary;
pub mod tensorboard;
pub mod version;

pub use error::Error;
pub use run_folder::RunFolder;
