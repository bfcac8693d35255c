//! The same tables as views of DuckDB.

use std::fmt::Write;
use std::path::Path;

use super::tables::{Kind, Source};
use crate::Error;
use crate::epochs;

/// `CREATE VIEW` statements, one a table. Paths are absolute, so that they serve from anywhere.
///
/// # Errors
/// When a path cannot be followed, or the settings of the run are wrong.
pub(super) fn views(run: &Path, tables: &[Source]) -> Result<String, Error> {
    let mut text = format!("-- The tables of {} for DuckDB.", run.display());
    for table in tables {
        let read = match &table.kind {
            Kind::Whole(_, path) => read(path, if path.is_dir() { "part-*.parquet" } else { "" }, "")?,
            Kind::Epochs(_, path, _) => {
                read(path, "epoch=*/part-*.parquet", ", hive_partitioning = true, hive_types = {'epoch': UINTEGER}")?
            }
            Kind::Passes(run, _) => {
                let number = |of: Option<u32>| of.map_or("NULL".to_owned(), |number| number.to_string());
                let row = |pass: epochs::Pass| {
                    format!("({}, {}, {})", pass.epoch, pass.network, number(pass.before.map(|before| before.0)))
                };
                let rows: Vec<String> = epochs::of_run(run)?.into_iter().map(row).collect();
                format!("SELECT * FROM (VALUES {}) AS passes(epoch, network, before)", rows.join(", "))
            }
            Kind::Flips(..) => {
                "SELECT now.epoch, now.image_id, past.cluster AS from_cluster, now.cluster AS to_cluster \
                FROM assignments AS now JOIN epochs ON now.epoch = epochs.epoch \
                JOIN assignments AS past ON past.epoch = epochs.before AND past.image_id = now.image_id \
                WHERE past.cluster <> now.cluster"
                    .to_owned()
            }
        };
        // Writing to a String cannot fail.
        let _ = write!(text, "\nCREATE OR REPLACE VIEW \"{}\" AS {read};", table.name);
    }
    Ok(text)
}

fn read(path: &Path, parts: &str, options: &str) -> Result<String, Error> {
    let path = fs_err::canonicalize(path)?.join(parts);
    let quoted = path.display().to_string().trim_end_matches('/').replace('\'', "''");
    Ok(format!("SELECT * FROM read_parquet('{quoted}'{options})"))
}
