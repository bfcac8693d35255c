//! One process of a node: a stage binary with its log; started early where that hides how long libtorch takes to load.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use wait4::{ResUse, Wait4};

use crate::dag::{Node, NodeId, Stage};
use crate::dispatch::stage_program;
use crate::stop::Stop;
use crate::{Error, RunFolder};

/// A stage that runs, or that waits to be told that its inputs are there.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    /// Its log, whose lock it holds for as long as it lives.
    pub(super) log: File,
    /// Seconds since 1970 when it began with its work.
    pub(super) start: f64,
    clock: Instant,
}

/// When a stage begins with its work.
#[derive(Debug, Clone, Copy)]
pub(super) enum Begin {
    /// At once. `fresh`: it takes over nothing that it made before (`ingest --fresh`).
    Now { fresh: bool },
    /// When [`Process::begin`] tells it to.
    WhenTold,
}

impl Process {
    /// Starts a stage.
    pub(super) fn spawn(
        run: &RunFolder,
        stop: &Stop,
        node: &Node,
        shard: (usize, usize),
        log: &File,
        begin: Begin,
    ) -> Result<Self, Error> {
        let stage = node.job.program();
        let program = stage_program(stage)?;
        let mut line = node.command_line(&run.path, &run.config, shard);
        if node.id.stage == Stage::Ingest && matches!(begin, Begin::Now { fresh: true }) {
            line.push("--fresh".into());
        }
        let mut command = Command::new(&program);
        let log = log.try_clone()?;
        writeln!(&log, "$ {}", node.shown(&run.path, &run.config, shard))?;
        command
            .args(&line)
            .env(deepmcat_stage::PARENT_WATCH, if matches!(begin, Begin::WhenTold) { "wait" } else { "1" })
            .envs(asleep());
        if node.uses_card(&run.config) {
            command.env(deepmcat_stage::CARD, node.card(&run.config, shard.0).to_string());
        }
        command.stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log.try_clone()?);
        // Ctrl-C on a terminal reaches the runner alone, which then tells the stages.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn().map_err(|source| Error::Start { program, source })?;
        // Waiting would close stdin first, which tells the stage that its runner is gone.
        stop.hold(child.id(), child.stdin.take());
        Ok(Self { child, log, start: now(), clock: Instant::now() })
    }

    /// Tells a waiting stage to begin; false where it is gone.
    fn begin(&mut self, stop: &Stop) -> bool {
        self.start = now();
        self.clock = Instant::now();
        self.child.try_wait().is_ok_and(|ended| ended.is_none()) && stop.tell(self.child.id())
    }

    /// Waits for its end: what it used, and the seconds that it worked.
    pub(super) fn wait(mut self, stop: &Stop) -> Result<(ResUse, f64), Error> {
        let ended = self.child.wait4();
        stop.ended(self.child.id());
        Ok((ended?, self.clock.elapsed().as_secs_f64()))
    }

    /// Ends a stage that waits.
    fn dismiss(mut self, stop: &Stop) {
        stop.ended(self.child.id());
        // It ends by itself, since its stdin closed; whether it did before does not matter.
        drop(self.child.wait());
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// Threads of a stage wait asleep unless the user says otherwise: libgomp's spin, and what runs beside them (another
/// node, another program) then slows every step many times.
fn asleep() -> Option<(&'static str, &'static str)> {
    const POLICY: &str = "OMP_WAIT_POLICY";
    std::env::var_os(POLICY).is_none().then_some((POLICY, "PASSIVE"))
}

/// Stages that wait for their turn.
#[derive(Debug)]
pub(super) struct Early<'a> {
    stop: &'a Stop,
    waiting: Mutex<BTreeMap<NodeId, Process>>,
}

impl<'a> Early<'a> {
    pub(super) fn new(stop: &'a Stop) -> Self {
        Self { stop, waiting: Mutex::default() }
    }

    /// True for a node whose process waits.
    pub(super) fn has(&self, node: NodeId) -> bool {
        self.lock().contains_key(&node)
    }

    pub(super) fn add(&self, node: NodeId, process: Process) {
        self.lock().insert(node, process);
    }

    /// The process of a node, told to begin; none where it has none, or was killed.
    pub(super) fn take(&self, node: NodeId) -> Option<Process> {
        let mut process = self.lock().remove(&node)?;
        if process.begin(self.stop) {
            return Some(process);
        }
        process.dismiss(self.stop);
        None
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<NodeId, Process>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Early<'_> {
    fn drop(&mut self) {
        let waiting = std::mem::take(&mut *self.lock());
        waiting.into_values().for_each(|process| process.dismiss(self.stop));
    }
}
