//! Decides which nodes are done, which have to run, and why.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::dag::{Node, NodeId, dependencies};
use crate::fingerprint::{components, differences};
use crate::hashes::Hashes;
use crate::receipt::Receipt;
use crate::retention::may_be_absent;
use crate::{Error, RunFolder};

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
    /// It was never finished.
    NoReceipt,
    /// Components of its fingerprint changed: name, old value, new value.
    Changed(Vec<(String, String, String)>),
    /// An output is not what the receipt says.
    Output {
        /// Below the run folder.
        path: PathBuf,
        /// True where it is gone, false where its content differs.
        missing: bool,
    },
    /// Retention removed its output, and a node that has to run reads it.
    Needed {
        /// That node.
        by: NodeId,
    },
    /// The user said `--force`.
    Forced,
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
            Self::NoReceipt => write!(f, "never finished"),
            Self::Changed(changes) => {
                let texts: Vec<String> = changes
                    .iter()
                    .map(|(name, old, new)| format!("{name}: {} -> {}", short(old), short(new)))
                    .collect();
                write!(f, "changed: {}", texts.join("; "))
            }
            Self::Output { path, missing: true } => write!(f, "output {} is missing", path.display()),
            Self::Output { path, missing: false } => {
                write!(f, "output {} is not what was written", path.display())
            }
            Self::Needed { by } => write!(f, "its output was removed by retention and {by} needs it"),
            Self::Forced => write!(f, "forced"),
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
}

impl Plan {
    /// Looks at a run folder; changes nothing.
    ///
    /// # Errors
    /// When an input of the user's is missing or a file cannot be read.
    pub fn of(run: &RunFolder, hashes: &Hashes, forced: &[NodeId]) -> Result<Self, Error> {
        let nodes = crate::dag::nodes(&run.config);
        if let Some(unknown) = forced.iter().find(|id| nodes.iter().all(|node| node.id != **id)) {
            return Err(Error::NoNode { node: unknown.to_string() });
        }
        let receipts = nodes.iter().map(|node| Receipt::read(run, node.id)).collect::<Result<Vec<_>, _>>()?;
        let dependencies = dependencies(&nodes);
        let mut plan = Self { states: vec![State::Waits; nodes.len()], nodes, dependencies, receipts };
        for place in 0..plan.nodes.len() {
            plan.states[place] = if forced.contains(&plan.nodes[place].id) {
                State::Todo(Reason::Forced)
            } else if plan.receipts[place].is_none() {
                State::Todo(Reason::NoReceipt)
            } else if plan.dependencies[place].iter().any(|&before| plan.states[before] != State::Done) {
                State::Waits
            } else {
                plan.check(run, hashes, place)?
            };
        }
        plan.revive_pruned(run);
        Ok(plan)
    }

    /// Whether a node whose inputs are all there is done: its receipt against its inputs, settings and outputs.
    ///
    /// # Errors
    /// When an input of the user's is missing or a file cannot be read.
    pub fn check(&self, run: &RunFolder, hashes: &Hashes, place: usize) -> Result<State, Error> {
        let node = &self.nodes[place];
        let Some(receipt) = &self.receipts[place] else {
            return Ok(State::Todo(Reason::NoReceipt));
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
                return Ok(State::Todo(Reason::Output { path: path.clone(), missing }));
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
            if self.states[place] == State::Done {
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
        self.nodes.iter().position(|node| node.id == id).ok_or_else(|| Error::NoNode { node: id.to_string() })
    }

    /// How many nodes are done, have to run, and wait.
    #[must_use]
    pub fn counts(&self) -> [usize; 3] {
        let count = |wanted: fn(&State) -> bool| self.states.iter().filter(|state| wanted(state)).count();
        [
            count(|state| *state == State::Done),
            count(|state| matches!(state, State::Todo(_))),
            count(|state| *state == State::Waits),
        ]
    }
}
