//! Answers: rows printed as a table, CSV or JSON, or written as Parquet.

use std::fmt::Write as _;
use std::io::{BufWriter, ErrorKind, IsTerminal, Write};
use std::path::PathBuf;

use arrow_array::{Array, ArrayRef, RecordBatch};
use deepmcat_schemas::files::write_beside;
use deepmcat_schemas::{json, write_batch};
use serde_json::Value;

use crate::Error;

/// Rows of a table that may be long, where nothing else is asked for.
pub const SOME: usize = 40;

/// How an answer is given.
#[derive(Debug, Clone, clap::Args)]
pub struct Output {
    /// How to write the rows [default: by the ending of --out; on standard output a table]
    #[arg(long, value_enum, global = true)]
    pub format: Option<Format>,
    /// Write to this file instead of standard output, completely or not at all
    #[arg(long, value_name = "FILE", global = true)]
    pub out: Option<PathBuf>,
    /// Maximum number of rows of a table; 0: all [default: 40, or all if there is a row for each epoch]
    #[arg(long, value_name = "N", global = true)]
    pub rows: Option<usize>,
}

/// Formats of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Columns side by side, for people; numbers are rounded.
    Table,
    /// Comma-separated values with a head line; null is empty.
    Csv,
    /// A list of objects, a line each.
    Json,
    /// Apache Parquet.
    Parquet,
}

impl Output {
    fn format(&self) -> Format {
        let ending = self.out.as_ref().and_then(|out| out.extension()?.to_str());
        let by_ending = ending.and_then(|ending| clap::ValueEnum::from_str(ending, true).ok());
        self.format.or(by_ending).unwrap_or(Format::Table)
    }

    /// Writes the rows: in a table `most` at most, unless told otherwise; 0: all.
    ///
    /// # Errors
    /// When they cannot be written, or Parquet would go to a terminal.
    pub fn write(&self, rows: &RecordBatch, most: usize) -> Result<(), Error> {
        let format = self.format();
        let most = self.rows.unwrap_or(most);
        if let Some(out) = &self.out {
            write_beside(out, |file| write_as(format, rows, most, file))?;
            tracing::info!("wrote {} rows to {}", rows.num_rows(), out.display());
            return Ok(());
        }
        if format == Format::Parquet && std::io::stdout().is_terminal() {
            return Err(Error::Terminal);
        }
        match write_as(format, rows, most, &mut std::io::stdout()) {
            // A reader that has gone (`| head`) is no error.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            done => done.map_err(Error::Print),
        }
    }
}

fn write_as(format: Format, rows: &RecordBatch, most: usize, into: &mut (impl Write + Send)) -> std::io::Result<()> {
    let mut into = BufWriter::new(into);
    match format {
        Format::Table => table(rows, most, &mut into)?,
        Format::Csv => csv(rows, &mut into)?,
        Format::Json => json_lines(rows, &mut into)?,
        Format::Parquet => write_batch(&mut into, rows)?,
    }
    into.flush()
}

/// Columns as an answer.
pub(crate) fn rows_of<const N: usize>(columns: [(&str, ArrayRef); N]) -> Result<RecordBatch, Error> {
    let nullable = columns.map(|(name, column)| (name, column, true));
    RecordBatch::try_from_iter_with_nullable(nullable).map_err(|error| Error::Rows(error.to_string()))
}

fn names(rows: &RecordBatch) -> Vec<String> {
    rows.schema().fields().iter().map(|field| field.name().clone()).collect()
}

fn cell(column: &dyn Array, row: usize) -> String {
    match json(column, row) {
        Value::Null => String::new(),
        Value::String(text) => text,
        other => other.to_string(),
    }
}

fn csv(rows: &RecordBatch, into: &mut impl Write) -> std::io::Result<()> {
    let quoted = |text: String| {
        if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
    };
    writeln!(into, "{}", names(rows).into_iter().map(quoted).collect::<Vec<_>>().join(","))?;
    for row in 0..rows.num_rows() {
        let cells = rows.columns().iter().map(|column| quoted(cell(column, row)));
        writeln!(into, "{}", cells.collect::<Vec<_>>().join(","))?;
    }
    Ok(())
}

fn json_lines(rows: &RecordBatch, into: &mut impl Write) -> std::io::Result<()> {
    let names: Vec<String> = names(rows).into_iter().map(|name| Value::String(name).to_string()).collect();
    let mut separator = "[\n";
    for row in 0..rows.num_rows() {
        let cells = names.iter().zip(rows.columns()).map(|(name, column)| format!("{name}:{}", json(column, row)));
        write!(into, "{separator}{{{}}}", cells.collect::<Vec<_>>().join(","))?;
        separator = ",\n";
    }
    writeln!(into, "{}", if rows.num_rows() == 0 { "[]" } else { "\n]" })
}

/// Rounds a fraction to what a person reads.
fn rounded(column: &dyn Array, row: usize) -> String {
    match json(column, row) {
        Value::Null => "-".to_owned(),
        Value::Number(number) if number.is_f64() => match number.as_f64().unwrap_or_default() {
            value if value != 0.0 && value.abs() < 1e-3 => format!("{value:.2e}"),
            value => format!("{value:.4}"),
        },
        // One line a row; and a name from a header is no command to a terminal.
        Value::String(text) => text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect(),
        other => other.to_string(),
    }
}

fn table(rows: &RecordBatch, most: usize, into: &mut impl Write) -> std::io::Result<()> {
    let shown = if most == 0 { rows.num_rows() } else { rows.num_rows().min(most) };
    let columns: Vec<(Vec<String>, bool)> = names(rows)
        .into_iter()
        .zip(rows.columns())
        .map(|(name, column)| {
            let cells = (0..shown).map(|row| rounded(column, row));
            (std::iter::once(name).chain(cells).collect(), column.data_type().is_numeric())
        })
        .collect();
    let width = |cells: &[String]| cells.iter().map(|cell| cell.chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = columns.iter().map(|(cells, _)| width(cells)).collect();
    for line in 0..=shown {
        let mut text = String::new();
        for ((cells, number), width) in columns.iter().zip(&widths) {
            let cell = &cells[line];
            // Writing to a String cannot fail.
            let _ = if *number { write!(text, "{cell:>width$}  ") } else { write!(text, "{cell:<width$}  ") };
        }
        writeln!(into, "{}", text.trim_end())?;
    }
    if shown < rows.num_rows() {
        tracing::info!("{shown} of {} rows: --rows 0 for all, --out FILE.csv for a file", rows.num_rows());
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use arrow_array::{Float32Array, StringArray, UInt32Array};

    fn rows() -> RecordBatch {
        let columns: [(&str, ArrayRef); 3] = [
            ("id", Arc::new(UInt32Array::from(vec![7, 12]))),
            ("share", Arc::new(Float32Array::from(vec![Some(0.1), None]))),
            ("name", Arc::new(StringArray::from(vec!["a, \"b\"", "c\u{1b}"]))),
        ];
        RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap()
    }

    fn written(format: Format) -> String {
        let mut bytes = Vec::new();
        write_as(format, &rows(), 0, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn the_same_rows_in_every_format() {
        assert_eq!(written(Format::Table), "id   share  name\n 7  0.1000  a, \"b\"\n12       -  c\n");
        assert_eq!(written(Format::Csv), "id,share,name\n7,0.1,\"a, \"\"b\"\"\"\n12,,c\u{1b}\n");
        let read: Value = serde_json::from_str(&written(Format::Json)).unwrap();
        assert_eq!(
            read,
            serde_json::json!([
                {"id": 7, "share": 0.1, "name": "a, \"b\""},
                {"id": 12, "share": null, "name": "c\u{1b}"},
            ])
        );
    }

    #[test]
    fn the_ending_of_a_file_says_its_format() {
        let format = |out: &str, format| Output { format, out: Some(out.into()), rows: None }.format();
        assert_eq!(format("x.CSV", None), Format::Csv);
        assert_eq!(format("x.csv", Some(Format::Json)), Format::Json);
        assert_eq!(format("x", None), Format::Table);
    }
}
