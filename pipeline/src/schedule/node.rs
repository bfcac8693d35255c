//! Runs one node: its stage binary with a log of its own, tried again where that can help, then the receipt.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::process::{Begin, Early, Process};
use crate::dag::{Node, Stage};
use crate::events::{Event, Events};
use crate::fingerprint::Components;
use crate::hashes::Hashes;
use crate::machine::Here;
use crate::provenance::files;
use crate::receipt::{FORMAT, Receipt};
use crate::retention::remove;
use crate::stop::Stop;
use crate::{Error, RunFolder};

/// Exit code of a stage for usage, configuration and schema errors: trying again cannot help.
const USAGE: i32 = 2;

/// What every node of a run shares.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shared<'a> {
    pub(super) run: &'a RunFolder,
    pub(super) hashes: &'a Hashes,
    pub(super) events: &'a Events,
    pub(super) stop: &'a Stop,
    pub(super) early: &'a Early<'a>,
    pub(super) here: &'a Here,
}

impl Shared<'_> {
    /// Runs a node to its receipt; `processes` of its shards at the same time. With `fresh` nothing that it made before
    /// is used again.
    pub(super) fn run_node(
        &self,
        node: &Node,
        components: Components,
        processes: usize,
        fresh: bool,
    ) -> Result<Receipt, Error> {
        let run = self.run;
        let receipt_path = run.receipt(node.id);
        if receipt_path.exists() {
            fs_err::remove_file(&receipt_path)?;
        }
        let mut attempts = 0;
        let seconds = loop {
            attempts += 1;
            let start = Instant::now();
            let Some(failed) = self.attempt(node, attempts, processes, fresh)? else {
                break start.elapsed().as_secs_f64();
            };
            if let Some(signal) = self.stop.signal() {
                return Err(Error::Stopped { path: run.path.clone(), signal });
            }
            let usage = failed.code() == Some(USAGE);
            if usage || attempts > run.config.pipeline.retries {
                return Err(failure(run, node, failed, usage));
            }
            tracing::warn!("{} failed ({}), trying again", node.id, describe(failed));
        };
        let mut outputs = BTreeMap::new();
        for path in &node.outputs {
            let Some(hash) = self.hashes.of_written(&run.path.join(path))? else {
                let (node_name, log) = (node.id.to_string(), run.log(node.id));
                return Err(Error::NoOutput { node: node_name, path: path.clone(), log });
            };
            outputs.insert(path.clone(), hash);
        }
        let files = files(run, self.hashes, &node.outputs)?;
        let machine = Some(self.here.of(node, &run.config));
        let receipt = Receipt {
            format: FORMAT,
            node: node.id.to_string(),
            components,
            outputs,
            files,
            seconds,
            attempts,
            machine,
        };
        receipt.write(run, node.id)?;
        Ok(receipt)
    }

    /// Starts the stage, or all its shards, and waits: how the first to fail ended, if one did.
    fn attempt(&self, node: &Node, attempt: u32, processes: usize, fresh: bool) -> Result<Option<ExitStatus>, Error> {
        // Before a waiting stage gets its signal to begin.
        self.clear(node)?;
        let waiting = self.early.take(node.id);
        let log = match &waiting {
            Some(process) => process.log.try_clone()?,
            None => self.open_log(node)?,
        };
        let waiting = Mutex::new(waiting);
        let shards = node.shards(&self.run.config);
        let next = AtomicUsize::new(0);
        let work = || -> Result<Option<ExitStatus>, Error> {
            loop {
                let shard = next.fetch_add(1, Ordering::Relaxed);
                if shard >= shards {
                    return Ok(None);
                }
                let waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
                let status = self.stage(node, attempt, (shard, shards), &log, waiting, fresh)?;
                if !status.success() {
                    next.store(shards, Ordering::Relaxed);
                    return Ok(Some(status));
                }
            }
        };
        let results: Vec<Result<Option<ExitStatus>, Error>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (1..processes).map(|_| scope.spawn(work)).collect();
            let mut results = vec![work()];
            // A panic in there is a defect of ours, and stays one.
            results.extend(threads.into_iter().map(|t| t.join().unwrap_or_else(|p| std::panic::resume_unwind(p))));
            results
        });
        Ok(results.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten().next())
    }

    /// Removes the table folders that a node writes: parts of another number of shards, or of another stage that wrote
    /// the table before a setting was changed, would be read with the new ones. The data set is ingest's own to replace.
    fn clear(&self, node: &Node) -> Result<(), Error> {
        let folders = node.outputs.iter().filter(|path| self.run.path.join(path).is_dir());
        folders.filter(|_| node.id.stage != Stage::Ingest).try_for_each(|path| remove(self.run, path))
    }

    /// The log of a node, emptied. A stage holds its lock for as long as it lives: one left by a killed runner is
    /// waited for.
    fn open_log(&self, node: &Node) -> Result<File, Error> {
        let path = self.run.log(node.id);
        fs_err::create_dir_all(path.parent().unwrap_or(&self.run.path))?;
        let log = fs_err::OpenOptions::new().create(true).append(true).open(&path)?;
        log.file().lock()?;
        log.set_len(0)?;
        Ok(log.into_parts().0)
    }

    /// Runs one process of a node, the one that waits for it if there is one.
    fn stage(
        &self,
        node: &Node,
        attempt: u32,
        shard: (usize, usize),
        log: &File,
        waiting: Option<Process>,
        fresh: bool,
    ) -> Result<ExitStatus, Error> {
        let process = match waiting {
            Some(process) => process,
            None => Process::spawn(self.run, self.stop, node, shard, log, Begin::Now { fresh })?,
        };
        let start = process.start;
        let (ended, seconds) = process.wait(self.stop)?;
        self.events.add(&Event::new(node.id, shard.0, attempt, start, seconds, &ended))?;
        Ok(ended.status)
    }

    /// Starts a node's process before its inputs are there. Only what has never run is worth it: it will surely run.
    pub(super) fn start_early(&self, node: &Node) -> Result<(), Error> {
        let log = self.open_log(node)?;
        self.early.add(node.id, Process::spawn(self.run, self.stop, node, (0, 1), &log, Begin::WhenTold)?);
        Ok(())
    }
}

fn failure(run: &RunFolder, node: &Node, status: ExitStatus, usage: bool) -> Error {
    let log = run.log(node.id);
    Error::NodeFailed { node: node.id.to_string(), how: describe(status), tail: tail(&log), log, usage }
}

fn describe(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return format!("killed by signal {signal}");
    }
    status.code().map_or_else(|| "no exit code".to_owned(), |code| format!("exit code {code}"))
}

/// The stage's own error message if its log holds one, else its last lines.
fn tail(log: &Path) -> String {
    const LINES: usize = 6;
    let text = fs_err::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.iter().rposition(|line| line.starts_with("error:")).unwrap_or(lines.len().saturating_sub(LINES));
    lines[from..].iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}
