//! Arguments of `deepmcat-sql`.

use std::path::PathBuf;

use deepmcat_stage::Verbosity;

use crate::epochs::Range;
use crate::output::Output;

/// Answers an SQL query over the tables of a run.
///
/// Every table of the run has its name (docs/guide/tables.md); where it has a folder for each epoch, `epoch` is a column of it.
/// `baseline_` and `encoder_` stand before the tables of what the result is compared with. Two tables more are made on the
/// way: `epochs` (epoch, network, before: the epoch that it compares with) and `flips` (epoch, image_id, from_cluster,
/// to_cluster: every image that is in another cluster than at the epoch before). Without a query: the tables and their
/// columns. Only the tables and columns that the query names are read. SQL is that of Polars; a query reads no other file.
#[derive(Debug, clap::Parser)]
#[command(
    name = "deepmcat-sql",
    version,
    after_help = "Examples:\n  deepmcat sql runs/study\n  deepmcat sql runs/study \"SELECT image_id, count(*) AS flips FROM \
        flips GROUP BY image_id ORDER BY flips DESC LIMIT 10\"\n  deepmcat sql runs/study --epochs 10 --out now.csv \"SELECT * \
        FROM assignments\"\n  deepmcat sql runs/study --duckdb > views.sql\nMore: docs/guide/queries.md"
)]
pub struct Args {
    /// The run folder
    pub run: PathBuf,
    /// The query: SELECT ... [default: lists the tables]
    #[arg(conflicts_with = "duckdb")]
    pub query: Option<String>,
    /// Only these epochs of the tables that have some, both ends included
    #[arg(long, value_name = "A..B", default_value = "..")]
    pub epochs: Range,
    /// Print CREATE VIEW statements for DuckDB, one for each table
    #[arg(long)]
    pub duckdb: bool,
    /// How the answer is given.
    #[command(flatten)]
    pub output: Output,
    /// How much is said.
    #[command(flatten)]
    pub verbosity: Verbosity,
}
