//! Runs what is not done, several nodes at a time, each as soon as its inputs are there.

mod node;
mod process;
mod report;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, unbounded};
use deepmcat_config::Config;

use crate::dag::{NodeId, Pass, Stage};
use crate::events::Events;
use crate::hashes::Hashes;
use crate::lock::Lock;
use crate::machine::Here;
use crate::plan::{Plan, Reason, State};
use crate::receipt::Receipt;
use crate::retention::{prune, strays};
use crate::select::Selection;
use crate::stop::Stop;
use crate::summary::Row;
use crate::tensorboard::TensorBoard;
use crate::{Error, RunFolder, health};
use node::Shared;
use process::Early;
use report::Report;

/// How to run.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Nodes at the same time; `None`: `pipeline.jobs`.
    pub jobs: Option<usize>,
    /// Which nodes may run and which must.
    pub selection: Selection,
    /// Read every table and the archive again instead of trusting size, times and inode.
    pub verify: bool,
    /// Go on with what does not depend on a failed node.
    pub keep_going: bool,
}

/// How often the hashes of what was read are kept while a run goes on.
const SAVE_EVERY: Duration = Duration::from_secs(60);

/// How often it is looked at whether something is to be said of nodes that take long.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Does what is not done yet, with the lock of the run. Returns how many nodes ran, and where all stand.
///
/// # Errors
/// When a setting or an input is wrong (run.toml is then as it was), or a node fails: the first failure, after what runs
/// beside it has ended.
pub fn run(run: &RunFolder, _lock: &Lock, options: &Options) -> Result<(usize, Plan), Error> {
    let stop = Stop::on_signals()?;
    run.sweep()?;
    let hashes = Hashes::open(&run.path, options.verify).until(&stop);
    let events = Events::open(&run.path)?;
    let plan = Plan::of(run, &hashes, &options.selection);
    // Also of what was read until a signal came.
    let kept = hashes.save();
    let mut plan = plan?;
    kept?;
    not_collapsed(run, &plan)?;
    run.save()?;
    run.write_jobs(&plan.nodes)?;
    if let strays @ 1.. = strays(run, &plan)?.len() {
        tracing::warn!(
            "{strays} folders of epochs belong to earlier settings, not to this run, but queries of whole tables read them: deepmcat gc {} lists them, --delete removes them",
            run.path.display()
        );
    }
    let here = Here::default();
    let changes = plan.changes(&here, &run.config);
    if !changes.is_empty() {
        tracing::warn!(
            "finished parts of this run were computed differently ({}); sums may round differently from here on. To compute everything here: deepmcat run {} --from init",
            changes.join("; "),
            run.path.display()
        );
    }
    let outcome = Scheduler::new(run, &hashes, &events, &stop, &mut plan, options).work(&here);
    // The run's own outcome counts more than what fails after it; on a full disk, sweeping makes room for the rest.
    let kept = run.sweep().and_then(|()| hashes.save()).and_then(|()| events.close());
    let ran = outcome?;
    kept?;
    Ok((ran, plan))
}

/// Refuses to go on from an epoch of which nothing can come: the last that is evaluated.
fn not_collapsed(run: &RunFolder, plan: &Plan) -> Result<(), Error> {
    let done = |place: &usize| plan.states[*place] == State::Done;
    let evaluated = (0..plan.nodes.len()).rev().filter(done).find_map(|place| match plan.nodes[place].id {
        NodeId { stage: Stage::Evaluate, pass: Pass::Epoch(epoch) } => Some(epoch),
        _ => None,
    });
    let Some(epoch) = evaluated else { return Ok(()) };
    let pass = Pass::Epoch(epoch);
    collapsed(run, pass, Row::read(run, plan, pass)?.as_ref()).map_or(Ok(()), Err)
}

/// The error of an epoch of which nothing can come.
fn collapsed(run: &RunFolder, pass: Pass, row: Option<&Row>) -> Option<Error> {
    let Pass::Epoch(epoch) = pass else { return None };
    Some(Error::Collapsed { path: run.path.clone(), epoch, why: health::collapsed(row?)? })
}

struct Scheduler<'a> {
    run: &'a RunFolder,
    hashes: &'a Hashes,
    events: &'a Events,
    stop: &'a Stop,
    plan: &'a mut Plan,
    keep_going: bool,
    verify: bool,
    jobs: usize,
    /// The nodes that run, each with the processes that it takes.
    running: BTreeMap<usize, usize>,
    failed: BTreeSet<usize>,
    first_failure: Option<Error>,
    ran: usize,
    board: TensorBoard,
}

/// Nodes at the same time: as many as are asked for; with 0 as many as the cores have threads for.
fn jobs(asked: usize, config: &Config) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    match (asked, config.train_threads()) {
        // All cores for each; evaluate runs beside.
        (0, 0) => 2,
        (0, threads) => (cores / threads).max(2),
        (jobs, _) => jobs,
    }
}

impl<'a> Scheduler<'a> {
    fn new(
        run: &'a RunFolder,
        hashes: &'a Hashes,
        events: &'a Events,
        stop: &'a Stop,
        plan: &'a mut Plan,
        options: &Options,
    ) -> Self {
        let jobs = jobs(options.jobs.unwrap_or(run.config.pipeline.jobs as usize), &run.config);
        Self {
            run,
            hashes,
            events,
            stop,
            plan,
            keep_going: options.keep_going,
            verify: options.verify,
            jobs,
            running: BTreeMap::new(),
            failed: BTreeSet::new(),
            first_failure: None,
            ran: 0,
            board: TensorBoard::new(&run.path),
        }
    }

    fn work(mut self, here: &Here) -> Result<usize, Error> {
        let mut report = Report::new(self.run, self.plan);
        let (sender, finished) = unbounded::<(usize, Result<Receipt, Error>)>();
        let (run, hashes) = (self.run, self.hashes);
        let early = Early::new(self.stop);
        let shared = Shared { run, hashes, events: self.events, stop: self.stop, early: &early, here };
        let mut saved = Instant::now();
        let computes =
            (0..self.plan.nodes.len()).any(|place| self.plan.is_open(place) && self.plan.nodes[place].loads_libtorch());
        std::thread::scope(|scope| -> Result<(), Error> {
            if computes {
                // Beside the first nodes: the first receipt that names it need not wait.
                scope.spawn(|| here.libtorch());
            }
            loop {
                while let Some(place) = self.next()? {
                    let processes = self.processes(place);
                    self.running.insert(place, processes);
                    report.started(&self.plan.nodes[place]);
                    let node = self.plan.nodes[place].clone();
                    let components = self.plan.components(run, hashes, place)?;
                    let fresh = self.verify || self.plan.states[place] == State::Todo(Reason::Forced);
                    let sender = sender.clone();
                    scope.spawn(move || {
                        let receipt = shared.run_node(&node, components, processes, fresh);
                        // The receiver outlives every sender.
                        let _ = sender.send((place, receipt));
                    });
                }
                for place in self.worth_an_early_start(&early) {
                    shared.start_early(&self.plan.nodes[place])?;
                }
                if self.running.is_empty() {
                    // Nodes found unchanged on the way may have freed what nodes that ran had to bring back.
                    return prune(self.run, self.plan);
                }
                report.still(self.run, self.plan);
                let (place, outcome) = match finished.recv_timeout(LOOK_EVERY) {
                    Ok(ended) => ended,
                    Err(RecvTimeoutError::Timeout) => continue,
                    Err(RecvTimeoutError::Disconnected) => return Ok(()),
                };
                self.running.remove(&place);
                match outcome {
                    Ok(receipt) => {
                        self.ran += 1;
                        self.plan.ran(place, receipt);
                        let NodeId { stage, pass } = self.plan.nodes[place].id;
                        let evaluated = stage == Stage::Evaluate;
                        let row = if evaluated { Row::read(self.run, self.plan, pass)? } else { None };
                        report.finished(self.run, self.plan, place, row.as_ref());
                        self.board.add(self.run, self.plan.nodes[place].id, row.as_ref())?;
                        if self.first_failure.is_none() {
                            self.first_failure = collapsed(self.run, pass, row.as_ref());
                        }
                        prune(self.run, self.plan)?;
                        if saved.elapsed() > SAVE_EVERY {
                            hashes.save()?;
                            saved = Instant::now();
                        }
                    }
                    Err(Error::Stopped { .. }) => {
                        self.failed.insert(place);
                    }
                    Err(error) => {
                        self.failed.insert(place);
                        if self.first_failure.is_none() {
                            self.first_failure = Some(error);
                        } else {
                            report.say(|| deepmcat_stage::print_error(&error));
                        }
                    }
                }
            }
        })?;
        report.end();
        let left = (0..self.plan.nodes.len()).any(|place| self.plan.is_open(place));
        match (self.first_failure, self.stop.signal()) {
            (_, Some(signal)) if left => Err(Error::Stopped { path: self.run.path.clone(), signal }),
            (Some(error), _) => Err(error),
            (None, _) => Ok(self.ran),
        }
    }

    /// The next node to start, if there is room for one. Nodes that turn out to be done are marked so on the way.
    fn next(&mut self) -> Result<Option<usize>, Error> {
        let busy: usize = self.running.values().sum();
        let ended = self.stop.signal().is_some() || (self.first_failure.is_some() && !self.keep_going);
        if busy >= self.jobs || ended {
            return Ok(None);
        }
        for place in 0..self.plan.nodes.len() {
            let open = self.plan.is_open(place) && !self.running.contains_key(&place) && !self.failed.contains(&place);
            let ready = || self.plan.dependencies[place].iter().all(|&before| self.plan.states[before] == State::Done);
            if !open || !ready() {
                continue;
            }
            // What waited may find its inputs unchanged.
            if self.plan.states[place] == State::Waits {
                self.plan.states[place] = self.plan.check(self.run, self.hashes, place)?;
                if self.plan.states[place] == State::Done {
                    continue;
                }
            }
            if busy + self.processes(place) <= self.jobs && self.has_card(place) {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }

    /// The nodes after those that run whose processes can be started and wait: they will surely run, since they never
    /// did, and libtorch takes longer to load than some of them compute.
    fn worth_an_early_start(&self, early: &Early<'_>) -> Vec<usize> {
        const AHEAD: usize = 2;
        if self.running.is_empty() || self.stop.signal().is_some() || self.first_failure.is_some() {
            return Vec::new();
        }
        let next = |&place: &usize| {
            self.plan.is_open(place)
                && self.plan.nodes[place].loads_libtorch()
                && !self.running.contains_key(&place)
                && !self.failed.contains(&place)
        };
        let surely = |&place: &usize| {
            let node = &self.plan.nodes[place];
            let alone = node.shards(&self.run.config) == 1;
            self.plan.receipts[place].is_none() && alone && !early.has(node.id)
        };
        (0..self.plan.nodes.len()).filter(next).take(AHEAD).filter(surely).collect()
    }

    /// Processes that a node takes at the same time.
    fn processes(&self, place: usize) -> usize {
        self.plan.nodes[place].shards(&self.run.config).min(self.jobs).min(self.cards(place))
    }

    /// The most processes of a node that graphics cards limit.
    fn cards(&self, place: usize) -> usize {
        let config = &self.run.config;
        if self.plan.nodes[place].uses_card(config) { config.pipeline.gpus as usize } else { usize::MAX }
    }

    /// Whether there is a graphics card left for a node that takes one.
    fn has_card(&self, place: usize) -> bool {
        let taken = |(&place, processes): (&usize, &usize)| if self.cards(place) < usize::MAX { *processes } else { 0 };
        self.processes(place) + self.running.iter().map(taken).sum::<usize>() <= self.cards(place)
    }
}
