//! Arguments of `deepmcat-sql`.

use std::path::PathBuf;

use deepmcat_stage::Verbosity;

use crate::epochs::Range;
use crate::output::Output;

/// Answers an SQL query over the tables of a run.
///
/// Every table of the run can be queried by its name (docs/guide/tables.md); tables with a folder for each epoch have a
/// column `epoch`. Tables of what the result is compared with begin with `baseline_` or `encoder_`. Two more tables are
/// computed: `epochs` (epoch, network, before: the epoch that it compares with) and `flips` (epoch, image_id,
/// from_cluster, to_cluster: every image whose cluster differs from that of the previous epoch). Without a query, the
/// tables and their columns are listed. Only the tables and columns that the query names are read. The SQL dialect is
/// that of Polars; a query reads no other file.
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
    /// Only these epochs, both ends included
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
