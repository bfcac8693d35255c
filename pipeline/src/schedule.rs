//! Runs what is not done, several nodes at a time, each as soon as its inputs are there.

mod node;
mod report;

use std::collections::BTreeSet;

use crossbeam_channel::unbounded;

use crate::dag::NodeId;
use crate::hashes::Hashes;
use crate::lock::Lock;
use crate::plan::{Plan, State};
use crate::receipt::Receipt;
use crate::retention::prune;
use crate::{Error, RunFolder};
use report::Report;

/// How to run.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Nodes at the same time; `None`: `pipeline.jobs`.
    pub jobs: Option<usize>,
    /// Nodes to run though they are done.
    pub force: Vec<NodeId>,
    /// Go on with what does not depend on a failed node.
    pub keep_going: bool,
}

/// Does what is not done yet. Returns how many nodes ran.
///
/// # Errors
/// When another runner works here, or a node fails: the first failure, after what runs beside it has ended.
pub fn run(run: &RunFolder, options: &Options) -> Result<usize, Error> {
    let _lock = Lock::take(&run.path)?;
    run.sweep()?;
    let hashes = Hashes::open(&run.path);
    let mut plan = Plan::of(run, &hashes, &options.force)?;
    let outcome = Scheduler::new(run, &hashes, &mut plan, options).work();
    hashes.save()?;
    run.sweep()?;
    outcome
}

struct Scheduler<'a> {
    run: &'a RunFolder,
    hashes: &'a Hashes,
    plan: &'a mut Plan,
    keep_going: bool,
    jobs: usize,
    running: BTreeSet<usize>,
    failed: BTreeSet<usize>,
    first_failure: Option<Error>,
    ran: usize,
}

impl<'a> Scheduler<'a> {
    fn new(run: &'a RunFolder, hashes: &'a Hashes, plan: &'a mut Plan, options: &Options) -> Self {
        let jobs = options.jobs.unwrap_or(run.config.pipeline.jobs as usize).max(1);
        Self {
            run,
            hashes,
            plan,
            keep_going: options.keep_going,
            jobs,
            running: BTreeSet::new(),
            failed: BTreeSet::new(),
            first_failure: None,
            ran: 0,
        }
    }

    fn work(mut self) -> Result<usize, Error> {
        let mut report = Report::new(self.run, self.plan);
        let (sender, finished) = unbounded::<(usize, Result<Receipt, Error>)>();
        let (run, hashes) = (self.run, self.hashes);
        std::thread::scope(|scope| -> Result<(), Error> {
            loop {
                while let Some(place) = self.next()? {
                    self.running.insert(place);
                    report.started(&self.plan.nodes[place]);
                    let node = self.plan.nodes[place].clone();
                    let components = self.plan.components(run, hashes, place)?;
                    let sender = sender.clone();
                    scope.spawn(move || {
                        let receipt = node::run_node(run, hashes, &node, components);
                        // The receiver outlives every sender.
                        let _ = sender.send((place, receipt));
                    });
                }
                if self.running.is_empty() {
                    // Nodes found unchanged on the way may have freed what nodes that ran had to bring back.
                    return prune(self.run, self.plan);
                }
                let Ok((place, outcome)) = finished.recv() else {
                    return Ok(());
                };
                self.running.remove(&place);
                match outcome {
                    Ok(receipt) => {
                        self.ran += 1;
                        self.plan.receipts[place] = Some(receipt);
                        self.plan.states[place] = State::Done;
                        report.finished(self.run, self.plan, place);
                        prune(self.run, self.plan)?;
                    }
                    Err(error) => {
                        self.failed.insert(place);
                        if self.first_failure.is_none() {
                            self.first_failure = Some(error);
                        } else {
                            report.say(|| deepmcat_common::print_error(&error));
                        }
                    }
                }
            }
        })?;
        report.end();
        match self.first_failure {
            Some(error) => Err(error),
            None => Ok(self.ran),
        }
    }

    /// The next node to start, if there is room for one. Nodes that turn out to be done are marked so on the way.
    fn next(&mut self) -> Result<Option<usize>, Error> {
        if self.running.len() >= self.jobs || (self.first_failure.is_some() && !self.keep_going) {
            return Ok(None);
        }
        for place in 0..self.plan.nodes.len() {
            let open = self.plan.states[place] != State::Done
                && !self.running.contains(&place)
                && !self.failed.contains(&place);
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
            return Ok(Some(place));
        }
        Ok(None)
    }
}
