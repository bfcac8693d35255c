//! `deepmcat sql`: a query over a run's tables, by Polars; it sees these tables and no other file.

mod args;
mod duckdb;
mod frame;
mod query;
mod scan;
mod tables;

pub use args::Args;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow_array::{RecordBatch, StringArray};
use deepmcat_config::ConfigError;
use deepmcat_schemas::layout::RUN_TOML;
use polars::prelude::{DataFrame, LazyFrame, PolarsError, PolarsResult};
use polars::sql::SQLContext;

use crate::Error;
use crate::output::{SOME, rows_of};
use query::Query;
use scan::{Failed, Scan};
use tables::Source;

/// Does what the command line asks for.
///
/// # Errors
/// When the folder is no run, the query cannot be answered, or the answer cannot be written.
pub fn run(args: Args) -> Result<(), Error> {
    if !args.run.join(RUN_TOML).is_file() {
        return Err(ConfigError::NoRun { path: args.run }.into());
    }
    let tables = tables::of_run(&args.run, args.epochs)?;
    if args.duckdb {
        return deepmcat_stage::print(&duckdb::views(&args.run, &tables)?).map_err(Error::Print);
    }
    let rows = match &args.query {
        Some(query) => answer(query, tables)?,
        None => list(&tables)?,
    };
    args.output.write(&rows, SOME)
}

/// The tables there are, and their columns.
fn list(tables: &[Source]) -> Result<RecordBatch, Error> {
    let columns = |table: &Source| {
        let columns = table.columns();
        columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", ")
    };
    rows_of([
        ("table", Arc::new(StringArray::from_iter_values(tables.iter().map(|table| &table.name)))),
        ("columns", Arc::new(StringArray::from_iter_values(tables.iter().map(columns)))),
    ])
}

/// The answer to a query.
fn answer(query: &str, tables: Vec<Source>) -> Result<RecordBatch, Error> {
    let query = Query::new(query)?;
    let failed = Failed::default();
    let tables: Vec<Arc<Source>> = tables.into_iter().map(Arc::new).collect();
    let compute = || -> PolarsResult<DataFrame> {
        let mut context = SQLContext::new();
        for table in &tables {
            let scan = Scan { table: Arc::clone(table), failed: failed.clone() };
            context.register(&table.name, LazyFrame::anonymous_scan(Arc::new(scan), Default::default())?);
        }
        context.execute(&query.text)?.collect()
    };
    // Where Polars was built without what a query needs, it panics.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let computed = catch_unwind(AssertUnwindSafe(compute));
    std::panic::set_hook(hook);
    if let Some(error) = failed.take() {
        return Err(error);
    }
    match computed {
        Ok(Ok(frame)) => frame::to_rows(&frame),
        Ok(Err(error)) => Err(refused(&query, &tables, &error)),
        Err(panic) => {
            let said = panic.downcast_ref::<String>().cloned();
            let reason = said.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()));
            let reason = reason.unwrap_or_else(|| "Polars gave up".to_owned());
            Err(Error::Query { reason, hint: "say it otherwise, or ask DuckDB: deepmcat sql RUN --duckdb".to_owned() })
        }
    }
}

/// What Polars said, in its first line, and the tables or columns that there are.
fn refused(query: &Query, tables: &[Arc<Source>], error: &PolarsError) -> Error {
    let text = error.to_string();
    let reason = text.lines().next().unwrap_or_default().to_owned();
    let names = |names: Vec<&str>| names.join(", ");
    let named = tables.iter().filter(|table| query.words.contains(&table.name));
    let columns = named.map(|table| {
        let columns = table.columns();
        format!("{} has {}", table.name, names(columns.iter().map(|column| column.name).collect()))
    });
    let columns = columns.collect::<Vec<_>>().join("; ");
    let about_column = is_about_column(error) || reason.contains("column");
    let hint = if reason.contains("relation") {
        format!("the tables here are {}", names(tables.iter().map(|table| table.name.as_str()).collect()))
    } else if about_column && !columns.is_empty() {
        columns
    } else {
        "docs/guide/queries.md has examples; tables and columns: deepmcat sql RUN".to_owned()
    };
    Error::Query { reason, hint }
}

fn is_about_column(error: &PolarsError) -> bool {
    match error {
        PolarsError::ColumnNotFound(_) | PolarsError::SchemaFieldNotFound(_) => true,
        PolarsError::Context { error, .. } | PolarsError::ExprContext { error, .. } => is_about_column(error),
        _ => false,
    }
}
