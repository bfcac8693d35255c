//! Every process that a runner started, as a table: `events/part-N.parquet`, a part for each `deepmcat run`.
//!
//! While a run goes on its events are lines of `logs/events.jsonl`, so that a killed runner loses none; they become a
//! part when it ends, or when the next one starts.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use deepmcat_schemas::{Events as Table, Stamp, Table as _, write_table};
use serde::{Deserialize, Serialize};
use wait4::ResUse;

use crate::Error;
use crate::dag::{NodeId, Pass};

/// One process: a row of the table, whose columns say what the fields are.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Event {
    pub node: String,
    pub stage: String,
    pub epoch: Option<u32>,
    pub shard: u32,
    pub attempt: u32,
    pub start: f64,
    pub seconds: f64,
    pub peak_memory: f64,
    pub exit_code: Option<u32>,
    pub signal: Option<u32>,
}

impl Event {
    /// A process that has ended.
    #[must_use]
    pub fn new(node: NodeId, shard: usize, attempt: u32, start: f64, seconds: f64, ended: &ResUse) -> Self {
        #[cfg(unix)]
        let signal = std::os::unix::process::ExitStatusExt::signal(&ended.status);
        #[cfg(not(unix))]
        let signal = None;
        let number = |value: Option<i32>| value.and_then(|value| u32::try_from(value).ok());
        Self {
            node: node.to_string(),
            stage: node.stage.name().to_owned(),
            epoch: if let Pass::Epoch(epoch) = node.pass { Some(epoch.0) } else { None },
            shard: u32::try_from(shard).unwrap_or(u32::MAX),
            attempt,
            start,
            seconds,
            peak_memory: ended.rusage.maxrss as f64,
            exit_code: number(ended.status.code()),
            signal: number(signal),
        }
    }
}

/// The events of a run that goes on.
#[derive(Debug)]
pub struct Events {
    run: PathBuf,
    lines: Mutex<fs_err::File>,
}

impl Events {
    /// Makes a part of what a killed runner left, and begins anew. Only with the lock held.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn open(run: &Path) -> Result<Self, Error> {
        make_part(run)?;
        let path = lines_of(run);
        fs_err::create_dir_all(path.parent().unwrap_or(run))?;
        let lines = fs_err::OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self { run: run.to_owned(), lines: Mutex::new(lines) })
    }

    /// Adds an event.
    ///
    /// # Errors
    /// When the line cannot be written.
    pub fn add(&self, event: &Event) -> Result<(), Error> {
        // Strings and numbers always serialise. One write a line: a kill leaves whole lines, but for the last.
        let line = serde_json::to_string(event).unwrap_or_default() + "\n";
        Ok(self.lines.lock().unwrap_or_else(PoisonError::into_inner).write_all(line.as_bytes())?)
    }

    /// Makes the part of this run.
    ///
    /// # Errors
    /// When it cannot be written; the lines then stay.
    pub fn close(&self) -> Result<(), Error> {
        make_part(&self.run)
    }
}

fn lines_of(run: &Path) -> PathBuf {
    run.join("logs/events.jsonl")
}

/// Turns the lines into the next part. The lines are renamed after the part first, so that a kill in between neither
/// loses nor doubles them.
fn make_part(run: &Path) -> Result<(), Error> {
    let number = (0..).find(|&number| !part(run, number).exists()).unwrap_or_default();
    let of_part = |number: u32| run.join("logs").join(format!("events-{number}.jsonl"));
    // The part before was written but its lines not yet removed.
    if number > 0 && of_part(number - 1).exists() {
        fs_err::remove_file(of_part(number - 1))?;
    }
    let begun = of_part(number);
    if !begun.exists() {
        if !lines_of(run).exists() {
            return Ok(());
        }
        fs_err::rename(lines_of(run), &begun)?;
    }
    let mut table = Table::default();
    for line in BufReader::new(fs_err::File::open(&begun)?).lines() {
        // Half a line is what a kill in the midst of writing it leaves.
        if let Ok(event) = serde_json::from_str::<Event>(&line?) {
            push(&mut table, event);
        }
    }
    if !table.is_empty() {
        let stamp =
            Stamp { stage: "run".to_owned(), stage_version: env!("CARGO_PKG_VERSION").to_owned(), ..Stamp::default() };
        write_table(&part(run, number), &table, &stamp)?;
    }
    Ok(fs_err::remove_file(begun)?)
}

fn part(run: &Path, number: u32) -> PathBuf {
    run.join("events").join(format!("part-{number}.parquet"))
}

fn push(table: &mut Table, event: Event) {
    table.node.push(event.node);
    table.stage.push(event.stage);
    table.epoch.push(event.epoch);
    table.shard.push(event.shard);
    table.attempt.push(event.attempt);
    table.start.push(event.start);
    table.seconds.push(event.seconds);
    table.end.push(event.start + event.seconds);
    table.peak_memory.push(event.peak_memory);
    table.exit_code.push(event.exit_code);
    table.signal.push(event.signal);
}
