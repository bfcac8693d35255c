//! Runs one node: its stage binary with a log of its own, tried again where that can help, then the receipt.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Instant;

use crate::dag::Node;
use crate::dispatch::stage_program;
use crate::fingerprint::Components;
use crate::hashes::Hashes;
use crate::receipt::Receipt;
use crate::{Error, RunFolder};

/// Exit code of a stage for usage, configuration and schema errors: trying again cannot help.
const USAGE: i32 = 2;

/// Runs a node to its receipt.
pub(super) fn run_node(
    run: &RunFolder,
    hashes: &Hashes,
    node: &Node,
    components: Components,
) -> Result<Receipt, Error> {
    let receipt_path = run.receipt(node.id);
    if receipt_path.exists() {
        fs_err::remove_file(&receipt_path)?;
    }
    let mut attempts = 0;
    let seconds = loop {
        attempts += 1;
        let start = Instant::now();
        let status = attempt(run, node)?;
        if status.success() {
            break start.elapsed().as_secs_f64();
        }
        let usage = status.code() == Some(USAGE);
        if usage || attempts > run.config.pipeline.retries {
            return Err(failure(run, node, status, usage));
        }
        tracing::warn!("{} failed ({}), trying again", node.id, describe(status));
    };
    let mut outputs = BTreeMap::new();
    for path in &node.outputs {
        // An output that a stage did not write is a defect of the stage; the empty hash makes the node run again.
        outputs.insert(path.clone(), hashes.of(&run.path.join(path))?.unwrap_or_default());
    }
    let receipt = Receipt { node: node.id.to_string(), components, outputs, seconds, attempts };
    receipt.write(run, node.id)?;
    Ok(receipt)
}

/// Starts the stage and waits for it.
fn attempt(run: &RunFolder, node: &Node) -> Result<ExitStatus, Error> {
    let program = stage_program(node.id.stage.binary())?;
    let line = node.command_line(&run.path);
    let log_path = run.log(node.id);
    fs_err::create_dir_all(log_path.parent().unwrap_or(&run.path))?;
    let mut log = fs_err::OpenOptions::new().create(true).append(true).open(&log_path)?;
    // A stage holds the lock of its log for as long as it lives: one left by a killed runner is waited for.
    log.file().lock()?;
    log.set_len(0)?;
    let words: Vec<_> = line.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    writeln!(log, "$ deepmcat-{} {}", node.id.stage.binary(), words.join(" "))?;
    let log = log.into_parts().0;
    let mut child = Command::new(&program)
        .args(&line)
        .env(deepmcat_common::PARENT_WATCH, "1")
        .envs(waiting())
        .stdin(Stdio::piped())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .map_err(|source| Error::Start { program, source })?;
    // `wait` would close stdin first, which tells the stage that its runner is gone.
    let stdin = child.stdin.take();
    let status = child.wait()?;
    drop(stdin);
    Ok(status)
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
