//! One decision: a line of the log.

use std::fmt;

use deepmcat_schemas::ClusterId;
use serde::{Deserialize, Serialize};

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Its number, from 1.
    pub number: u64,
    /// When: seconds since 1970, UTC.
    pub time: f64,
    /// Who.
    pub author: String,
    /// What was done.
    pub operation: Operation,
    /// To what.
    #[serde(flatten)]
    pub target: Target,
    /// The name that it has from here on; none: it has none.
    pub category: Option<String>,
    /// The name that it had before.
    pub before: Option<String>,
    /// Of an undo: the decision that it undoes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<u64>,
    /// Of a name that was carried over: how much the two clusters overlap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap: Option<f64>,
}

/// What a decision does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// Gives a name.
    Name,
    /// Gives the name that a cluster of another result has.
    Carry,
    /// Takes an earlier decision back: the inverse of it.
    Undo,
}

/// What a name is given to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Target {
    /// A cluster of one result: in another its number means something else.
    Cluster {
        /// Its number.
        cluster: ClusterId,
        /// The result: [`crate::RunResult::id`].
        result: String,
    },
    /// An image, by its key in the manifest, which stays over reruns.
    Image {
        /// The key.
        image: String,
    },
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster { cluster, .. } => cluster.fmt(f),
            Self::Image { image } => f.write_str(image),
        }
    }
}

/// A name to be given.
#[derive(Debug, Clone, PartialEq)]
pub struct Naming {
    /// To what.
    pub target: Target,
    /// The name.
    pub category: String,
    /// Of a name that is carried over: how much the two clusters overlap.
    pub overlap: Option<f64>,
}
