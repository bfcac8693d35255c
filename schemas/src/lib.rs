//! The contract between programs: the Arrow schema of every table, the job of every stage, folder conventions, atomic
//! table I/O.
//!
//! A stage reads a job and tables, and writes tables; nothing else passes between programs. Each table is a struct of
//! columns in [`tables`] or [`category_tables`], from which its Arrow schema, its reader, its writer and its page in
//! `docs/guide/tables.md` follow. Features and pixels alone are too large to be read whole: see
//! [`features`] and [`pixels`].

pub mod catalog;
pub mod category_tables;
pub mod dictionary;
mod error;
pub mod features;
pub mod files;
mod ids;
pub mod jobs;
pub mod layout;
mod mapped;
mod parquet_io;
pub mod pixels;
mod stamp;
mod stat;
mod table;
pub mod tables;

pub use category_tables::*;
pub use error::SchemaError;
pub use ids::{ClusterId, Epoch, ImageId};
pub use layout::{ARROW_PART_0, PART_0};
pub use parquet_io::{
    count_rows, part_files, read_columns, read_folder, read_row, read_stamp, read_table, write_batch, write_parts,
    write_table,
};
pub use stamp::Stamp;
pub use stat::FileStat;
pub use table::{Cell, Column, Table, json};
pub use tables::*;
