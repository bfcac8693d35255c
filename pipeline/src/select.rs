//! Which nodes a run may do and must do: `--from`, `--only`, `--until`, `--force`.

use std::str::FromStr;

use crate::Error;
use crate::dag::{Node, NodeId, Pass, Stage, no_node};

/// `STAGE@EPOCH`, one node, or `STAGE`, every node of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pattern {
    stage: Stage,
    pass: Option<Pass>,
}

impl FromStr for Pattern {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let NodeId { stage, pass } = text.parse()?;
        Ok(Self { stage, pass: text.contains('@').then_some(pass) })
    }
}

impl Pattern {
    fn matches(&self, id: NodeId) -> bool {
        self.stage == id.stage && self.pass.is_none_or(|pass| pass == id.pass)
    }
}

/// What the user asked for.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Selection {
    /// Run this node and all that depend on it again, even if done; STAGE alone: all its epochs (may be repeated)
    #[arg(long, value_name = "STAGE[@EPOCH]")]
    pub from: Vec<Pattern>,
    /// Run this node again, even if done; nodes that depend on it run again if its tables change (may be repeated)
    #[arg(long, value_name = "STAGE[@EPOCH]")]
    pub force: Vec<Pattern>,
    /// Run only this node, if it is not done (may be repeated)
    #[arg(long, value_name = "STAGE[@EPOCH]")]
    pub only: Vec<Pattern>,
    /// Run only this node and what it needs (may be repeated)
    #[arg(long, value_name = "STAGE[@EPOCH]")]
    pub until: Vec<Pattern>,
}

impl Selection {
    /// For each node, whether it runs though it is done.
    ///
    /// # Errors
    /// When the run has no such node.
    pub fn forced(&self, nodes: &[Node], dependencies: &[Vec<usize>]) -> Result<Vec<bool>, Error> {
        let mut forced = matching(&self.from, nodes)?;
        for place in 0..nodes.len() {
            forced[place] |= dependencies[place].iter().any(|&before| forced[before]);
        }
        let alone = matching(&self.force, nodes)?;
        Ok(forced.into_iter().zip(alone).map(|(from, alone)| from || alone).collect())
    }

    /// For each node, whether this run may do it.
    ///
    /// # Errors
    /// When the run has no such node.
    pub fn allowed(&self, nodes: &[Node], dependencies: &[Vec<usize>]) -> Result<Vec<bool>, Error> {
        let mut until = matching(&self.until, nodes)?;
        for place in (0..nodes.len()).rev().filter(|_| !self.until.is_empty()) {
            if until[place] {
                dependencies[place].iter().for_each(|&before| until[before] = true);
            }
        }
        let only = matching(&self.only, nodes)?;
        let may = |place: usize| (self.only.is_empty() || only[place]) && (self.until.is_empty() || until[place]);
        Ok((0..nodes.len()).map(may).collect())
    }
}

fn matching(patterns: &[Pattern], nodes: &[Node]) -> Result<Vec<bool>, Error> {
    let mut found = vec![false; nodes.len()];
    for pattern in patterns {
        let mut places = (0..nodes.len()).filter(|&place| pattern.matches(nodes[place].id)).peekable();
        if places.peek().is_none() {
            let pass = pattern.pass.unwrap_or(Pass::Once);
            return Err(no_node(NodeId { stage: pattern.stage, pass }, nodes));
        }
        places.for_each(|place| found[place] = true);
    }
    Ok(found)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::dag::{dependencies, nodes};

    fn graph() -> Vec<Node> {
        let sets = ["run.epochs=1".to_owned(), "input.paths=[\"a\"]".to_owned()];
        nodes(&deepmcat_config::resolve(None, None, &sets).unwrap().0)
    }

    fn patterns(names: &[&str]) -> Vec<Pattern> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    fn names(chosen: &[bool], nodes: &[Node]) -> String {
        let chosen = nodes.iter().zip(chosen).filter(|(_, chosen)| **chosen);
        chosen.map(|(node, _)| node.id.to_string()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn from_takes_what_depends_on_it_and_force_does_not() {
        let (nodes, reads) = (graph(), dependencies(&graph()));
        let forced = |selection: &Selection| names(&selection.forced(&nodes, &reads).unwrap(), &nodes);
        let from = Selection { from: patterns(&["sample@0"]), ..Selection::default() };
        assert_eq!(forced(&from), "sample@0 train@0 embed@1 cluster@1 evaluate@1 map report");
        let force = Selection { force: patterns(&["sample@0", "evaluate"]), ..Selection::default() };
        assert_eq!(forced(&force), "evaluate@raw evaluate@0 sample@0 evaluate@1");
        assert_eq!(forced(&Selection::default()), "");
    }

    #[test]
    fn until_takes_what_it_needs_and_only_does_not() {
        let (nodes, reads) = (graph(), dependencies(&graph()));
        let allowed = |selection: &Selection| names(&selection.allowed(&nodes, &reads).unwrap(), &nodes);
        let until = Selection { until: patterns(&["cluster@raw", "pack"]), ..Selection::default() };
        assert_eq!(allowed(&until), "ingest pack embed@raw cluster@raw");
        let both = Selection { only: patterns(&["pack", "cluster"]), ..until };
        assert_eq!(allowed(&both), "pack cluster@raw");
        assert_eq!(allowed(&Selection::default()).split(' ').count(), nodes.len());
    }

    #[test]
    fn a_pattern_that_matches_nothing_is_refused() {
        let (nodes, reads) = (graph(), dependencies(&graph()));
        let selection = Selection { only: patterns(&["train@3"]), ..Selection::default() };
        assert!(matches!(selection.allowed(&nodes, &reads), Err(Error::NoNode { .. })));
        assert!("paint".parse::<Pattern>().is_err() && "train@".parse::<Pattern>().is_err());
    }
}
