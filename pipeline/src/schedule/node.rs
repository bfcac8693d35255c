//! Runs one node: its stage binary with a log of its own, tried again where that can help, then the receipt.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use wait4::Wait4;

use crate::dag::{Node, Stage};
use crate::dispatch::stage_program;
use crate::events::{Event, Events};
use crate::fingerprint::Components;
use crate::hashes::Hashes;
use crate::provenance::files;
use crate::receipt::Receipt;
use crate::retention::remove;
use crate::stop::Stop;
use crate::{Error, RunFolder};

/// Exit code of a stage for usage, configuration and schema errors: trying again cannot help.
const USAGE: i32 = 2;

/// What every node of a run shares.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) run: &'a RunFolder,
    pub(super) hashes: &'a Hashes,
    pub(super) events: &'a Events,
    pub(super) stop: &'a Stop,
}

impl Around<'_> {
    /// Runs a node to its receipt; `processes` of its shards at the same time.
    pub(super) fn run_node(&self, node: &Node, components: Components, processes: usize) -> Result<Receipt, Error> {
        let run = self.run;
        let receipt_path = run.receipt(node.id);
        if receipt_path.exists() {
            fs_err::remove_file(&receipt_path)?;
        }
        let mut attempts = 0;
        let seconds = loop {
            attempts += 1;
            let start = Instant::now();
            let Some(failed) = self.attempt(node, attempts, processes)? else {
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
            // An output that a stage did not write is a defect of the stage; the empty hash makes the node run again.
            outputs.insert(path.clone(), self.hashes.of_written(&run.path.join(path))?.unwrap_or_default());
        }
        let files = files(run, self.hashes, &node.outputs)?;
        let receipt = Receipt { node: node.id.to_string(), components, outputs, files, seconds, attempts };
        receipt.write(run, node.id)?;
        Ok(receipt)
    }

    /// Starts the stage, or all its shards, and waits: how the first to fail ended, if one did.
    fn attempt(&self, node: &Node, attempt: u32, processes: usize) -> Result<Option<ExitStatus>, Error> {
        let log = self.open_log(node)?;
        if node.id.stage == Stage::Embed {
            // Parts of another number of shards would be read with the new ones.
            for path in node.outputs.iter().filter(|path| self.run.path.join(path).exists()) {
                remove(self.run, path)?;
            }
        }
        let shards = node.shards(&self.run.config);
        let next = AtomicUsize::new(0);
        let work = || -> Result<Option<ExitStatus>, Error> {
            loop {
                let shard = next.fetch_add(1, Ordering::Relaxed);
                if shard >= shards {
                    return Ok(None);
                }
                let status = self.stage(node, attempt, (shard, shards), &log)?;
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

    /// Runs one process of a node.
    fn stage(&self, node: &Node, attempt: u32, shard: (usize, usize), log: &File) -> Result<ExitStatus, Error> {
        let stage = node.id.stage.binary();
        let program = stage_program(stage)?;
        let line = node.command_line(&self.run.path, shard);
        let words: Vec<_> = line.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        let mut log = log.try_clone()?;
        writeln!(log, "$ deepmcat-{stage} {}", words.join(" "))?;
        let mut command = Command::new(&program);
        command.args(&line).env(deepmcat_common::PARENT_WATCH, "1").envs(waiting());
        command.stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log);
        // Ctrl-C on a terminal reaches the runner alone, which then tells the stages.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let start = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let clock = Instant::now();
        let mut child = command.spawn().map_err(|source| Error::Start { program, source })?;
        // Waiting would close stdin first, which tells the stage that its runner is gone.
        let stdin = child.stdin.take();
        self.stop.hold(child.id(), stdin);
        let ended = child.wait4();
        self.stop.ended(child.id());
        let ended = ended?;
        self.events.add(&Event::new(node.id, shard.0, attempt, start, clock.elapsed().as_secs_f64(), &ended))?;
        Ok(ended.status)
    }
}

/// Threads of a stage wait asleep unless the user says otherwise: libgomp's spin, and what runs beside them (another
/// node, another program) then slows every step many times.
fn waiting() -> Option<(&'static str, &'static str)> {
    const POLICY: &str = "OMP_WAIT_POLICY";
    std::env::var_os(POLICY).is_none().then_some((POLICY, "PASSIVE"))
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
