//! Decides which nodes are done, which have to run, and why.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use deepmcat_config::Config;

use crate::dag::{Node, NodeId, Stage, dependencies, may_be_absent, no_node};
use crate::fingerprint::{components, differences};
use crate::hashes::Hashes;
use crate::machine::Here;
use crate::receipt::Receipt;
use crate::select::Selection;
use crate::{Error, RunFolder, provenance};

/// Where a node stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Its receipt holds, its outputs are there (or were removed by retention and nobody needs them).
    Done,
    /// It has to run.
    Todo(Reason),
    /// A node before it has to run; it runs too, unless its inputs come out the same.
    Waits,
}

/// Why a node has to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// It was never finished by the runner.
    NoReceipt {
        /// An output that is there all the same.
        there: Option<PathBuf>,
    },
    /// Components of its fingerprint changed: name, old value, new value.
    Changed(Vec<(String, String, String)>),
    /// An output is not what the receipt says.
    Output {
        /// Below the run folder.
        path: PathBuf,
        /// What is there, as [`crate::provenance::describe`] says.
        found: String,
    },
    /// Retention removed its output, and a node that has to run reads it.
    Needed {
        /// That node.
        by: NodeId,
    },
    /// The user said `--force` or `--from`.
    Forced,
    /// The user said `--verify`: what it reads is read again, whatever the file system says.
    Reread,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => write!(f, "done"),
            Self::Todo(reason) => reason.fmt(f),
            Self::Waits => write!(f, "waits for a node before it; runs if its inputs change"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoReceipt { there: None } => write!(f, "never finished"),
            Self::NoReceipt { there: Some(path) } => {
                write!(f, "never finished by the runner; {} is there, but not known from which inputs", path.display())
            }
            Self::Changed(changes) => {
                let texts: Vec<String> = changes
                    .iter()
                    .map(|(name, old, new)| format!("{name}: {} -> {}", short(old), short(new)))
                    .collect();
                write!(f, "changed: {}", texts.join("; "))
            }
            Self::Output { path, found } => write!(f, "output {} {found}", path.display()),
            Self::Needed { by } => write!(f, "its output was removed by retention and {by} needs it"),
            Self::Forced => write!(f, "forced"),
            Self::Reread => write!(f, "--verify reads the archive again"),
        }
    }
}

/// Hashes are shown by their first digits.
fn short(value: &str) -> &str {
    if value.len() == 64 && value.bytes().all(|b| b.is_ascii_hexdigit()) { &value[..12] } else { value }
}

/// The nodes of a run with what is known of each.
#[derive(Debug)]
pub struct Plan {
    /// In an order that can be run.
    pub nodes: Vec<Node>,
    /// For each node, the places of those it reads from.
    pub dependencies: Vec<Vec<usize>>,
    /// Where each stands.
    pub states: Vec<State>,
    /// The receipts there are.
    pub receipts: Vec<Option<Receipt>>,
    /// Which may run at all.
    pub allowed: Vec<bool>,
}

impl Plan {
    /// How this machine differs from those that computed the finished nodes of the stages still to be run.
    #[must_use]
    pub fn changes(&self, here: &Here, config: &Config) -> Vec<String> {
        let places = 0..self.nodes.len();
        let open: BTreeSet<Stage> =
            places.filter(|&place| self.is_open(place)).map(|place| self.nodes[place].id.stage).collect();
        let mut changes = BTreeSet::new();
        for (place, node) in self.nodes.iter().enumerate().filter(|(_, node)| node.loads_libtorch()) {
            let done = self.states[place] == State::Done && open.contains(&node.id.stage);
            let machine = self.receipts[place].as_ref().and_then(|receipt| receipt.machine.as_ref());
            if let Some(machine) = machine.filter(|_| done) {
                changes.extend(machine.differences(&here.of(node, config)));
            }
        }
        changes.into_iter().collect()
    }

    /// Looks at a run folder; changes nothing.
    ///
    /// # Errors
    /// When an input of the user's is missing or a file cannot be read.
    pub fn of(run: &RunFolder, hashes: &Hashes, selection: &Selection) -> Result<Self, Error> {
        let nodes = crate::dag::nodes(&run.config);
        let receipts = nodes.iter().map(|node| Receipt::read(run, node.id)).collect::<Result<Vec<_>, _>>()?;
        let dependencies = dependencies(&nodes);
        let forced = selection.forced(&nodes, &dependencies)?;
        let allowed = selection.allowed(&nodes, &dependencies)?;
        let mut plan = Self { states: vec![State::Waits; nodes.len()], nodes, dependencies, receipts, allowed };
        for (place, forced) in forced.into_iter().enumerate() {
            plan.states[place] = if forced {
                State::Todo(Reason::Forced)
            } else if plan.receipts[place].is_none() {
                State::Todo(plan.never_finished(run, place))
            } else if plan.dependencies[place].iter().any(|&before| !plan.stands(before)) {
                State::Waits
            } else {
                match plan.check(run, hashes, place)? {
                    State::Done if hashes.reads_all() && plan.reads_archive(place) => State::Todo(Reason::Reread),
                    state => state,
                }
            };
        }
        plan.revive_pruned(run);
        plan.nothing_left_out()?;
        Ok(plan)
    }

    /// True for a node that this run has to do or to look at again.
    #[must_use]
    pub fn is_open(&self, place: usize) -> bool {
        self.allowed[place] && self.states[place] != State::Done
    }

    /// True for a node whose tables are taken for what they will be: it is done, or only read again.
    fn stands(&self, place: usize) -> bool {
        matches!(self.states[place], State::Done | State::Todo(Reason::Reread))
    }

    /// True for a node that may run and that reads files of the user's.
    fn reads_archive(&self, place: usize) -> bool {
        self.allowed[place] && !self.nodes[place].outside.is_empty()
    }

    /// A node that ran has a new receipt. Where its tables are others than those that nodes after it were judged by,
    /// these are judged again.
    pub fn ran(&mut self, place: usize, receipt: Receipt) {
        let same = self.receipts[place].as_ref().is_some_and(|before| before.outputs == receipt.outputs);
        if !same && self.states[place] == State::Todo(Reason::Reread) {
            let mut after = vec![false; self.nodes.len()];
            after[place] = true;
            for later in place + 1..self.nodes.len() {
                after[later] = self.dependencies[later].iter().any(|&before| after[before]);
                if after[later] && self.states[later] == State::Done {
                    self.states[later] = State::Waits;
                }
            }
        }
        self.receipts[place] = Some(receipt);
        self.states[place] = State::Done;
    }

    fn never_finished(&self, run: &RunFolder, place: usize) -> Reason {
        let there = self.nodes[place].outputs.iter().find(|path| run.path.join(path).exists()).cloned();
        Reason::NoReceipt { there }
    }

    /// Refuses `--only` where it leaves out what a node needs.
    fn nothing_left_out(&self) -> Result<(), Error> {
        for place in (0..self.nodes.len()).filter(|&place| self.is_open(place)) {
            let needs = |&&before: &&usize| self.states[before] != State::Done && !self.allowed[before];
            if let Some(&before) = self.dependencies[place].iter().find(needs) {
                return Err(Error::LeftOut {
                    node: self.nodes[place].id.to_string(),
                    needs: self.nodes[before].id.to_string(),
                    state: self.states[before].to_string(),
                });
            }
        }
        Ok(())
    }

    /// Whether a node whose inputs are all there is done: its receipt against its inputs, settings and outputs.
    ///
    /// # Errors
    /// When an input of the user's is missing or a file cannot be read.
    pub fn check(&self, run: &RunFolder, hashes: &Hashes, place: usize) -> Result<State, Error> {
        let node = &self.nodes[place];
        let Some(receipt) = &self.receipts[place] else {
            return Ok(State::Todo(self.never_finished(run, place)));
        };
        let now = self.components(run, hashes, place)?;
        let changes = differences(&receipt.components, &now);
        if !changes.is_empty() {
            return Ok(State::Todo(Reason::Changed(changes)));
        }
        for path in &node.outputs {
            let found = hashes.of(&run.path.join(path))?;
            let missing = found.is_none();
            if missing && may_be_absent(path) {
                continue;
            }
            if found.as_ref() != receipt.outputs.get(path) {
                let (path, found) = provenance::describe(run, hashes, node, path, &receipt.files)?;
                return Ok(State::Todo(Reason::Output { path, found }));
            }
        }
        Ok(State::Done)
    }

    /// The components of a node's fingerprint, its inputs' hashes taken from the receipts of those who wrote them.
    ///
    /// # Errors
    /// When an input of the user's is missing or cannot be read.
    pub fn components(
        &self,
        run: &RunFolder,
        hashes: &Hashes,
        place: usize,
    ) -> Result<BTreeMap<String, String>, Error> {
        let written = |path: &Path| {
            let writers = self.dependencies[place].iter().filter_map(|&before| self.receipts[before].as_ref());
            writers.filter_map(|receipt| receipt.outputs.get(path)).next().cloned()
        };
        components(run, &self.nodes[place], hashes, written)
    }

    /// A pruned output that a node to be run reads has to be made again, and what that needs in turn.
    fn revive_pruned(&mut self, run: &RunFolder) {
        for place in (0..self.nodes.len()).rev() {
            if !self.is_open(place) {
                continue;
            }
            for &before in &self.dependencies[place] {
                let absent = self.nodes[before]
                    .outputs
                    .iter()
                    .any(|path| self.nodes[place].inputs.contains(path) && !run.path.join(path).exists());
                if self.states[before] == State::Done && absent {
                    self.states[before] = State::Todo(Reason::Needed { by: self.nodes[place].id });
                }
            }
        }
    }

    /// The place of a node.
    ///
    /// # Errors
    /// When the run has no such node.
    pub fn place(&self, id: NodeId) -> Result<usize, Error> {
        self.nodes.iter().position(|node| node.id == id).ok_or_else(|| no_node(id, &self.nodes))
    }

    /// How many nodes are done, have to run, and wait.
    #[must_use]
    pub fn counts(&self) -> [usize; 3] {
        let done = self.states.iter().filter(|state| **state == State::Done).count();
        let open = || (0..self.nodes.len()).filter(|&place| self.is_open(place));
        let waits = open().filter(|&place| self.states[place] == State::Waits).count();
        [done, open().count() - waits, waits]
    }
}
