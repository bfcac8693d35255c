//! The machine that a node was computed on, as far as sums may round differently on another.

use std::process::{Command, Stdio};
use std::sync::OnceLock;

use deepmcat_config::Config;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::dag::{Node, Stage};
use crate::dispatch::stage_program;

/// What a receipt says of the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Version of libtorch, where the stage computes with it.
    pub libtorch: Option<String>,
    /// Model of the processor.
    pub processor: String,
    /// Threads of the stage.
    pub threads: usize,
}

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(version) = &self.libtorch {
            write!(f, "libtorch {version}, ")?;
        }
        write!(f, "{}, {} threads", self.processor, self.threads)
    }
}

impl Machine {
    /// What is different there: `processor: OLD -> NEW`.
    #[must_use]
    pub fn differences(&self, new: &Self) -> Vec<String> {
        let unknown = || "unknown".to_owned();
        let text = |version: &Option<String>| version.clone().unwrap_or_else(unknown);
        [
            ("libtorch", text(&self.libtorch), text(&new.libtorch)),
            ("processor", self.processor.clone(), new.processor.clone()),
            ("threads", self.threads.to_string(), new.threads.to_string()),
        ]
        .into_iter()
        .filter(|(_, old, new)| old != new)
        .map(|(name, old, new)| format!("{name}: {old} -> {new}"))
        .collect()
    }
}

/// This machine. What takes time to find out is asked for once, by whom needs it first.
#[derive(Debug, Default)]
pub struct Here {
    libtorch: OnceLock<Option<String>>,
    processor: OnceLock<String>,
}

impl Here {
    /// What the receipt of a node says that is computed here and now.
    #[must_use]
    pub fn of(&self, node: &Node, config: &Config) -> Machine {
        let threads = match node.id.stage {
            Stage::Train => config.train_threads(),
            _ => node.threads(config).unwrap_or(1),
        };
        let all = || std::thread::available_parallelism().map_or(1, usize::from);
        Machine {
            libtorch: if node.loads_libtorch() { self.libtorch() } else { None },
            processor: self.processor.get_or_init(processor).clone(),
            threads: if threads > 0 { threads } else { all() },
        }
    }

    /// The version of libtorch; none where it does not load. Loading it takes a third of a second.
    pub fn libtorch(&self) -> Option<String> {
        self.libtorch.get_or_init(libtorch).clone()
    }
}

pub(crate) fn libtorch() -> Option<String> {
    let program = stage_program("device").ok()?;
    let output = Command::new(program).stdin(Stdio::null()).output().ok()?;
    let seen: Value = serde_json::from_slice(&output.stdout).ok()?;
    seen["libtorch"].as_str().map(str::to_owned)
}

/// The model of the processor.
pub(crate) fn processor() -> String {
    let text = fs_err::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    name.map_or_else(|| "unknown model".to_owned(), |(_, name)| name.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_name_what_changed() {
        let old = Machine { libtorch: Some("2.9.0".to_owned()), processor: "A".to_owned(), threads: 1 };
        assert!(old.differences(&old).is_empty());
        let new = Machine { libtorch: None, threads: 4, ..old.clone() };
        assert_eq!(old.differences(&new), ["libtorch: 2.9.0 -> unknown", "threads: 1 -> 4"]);
        assert_eq!(old.to_string(), "libtorch 2.9.0, A, 1 threads");
    }
}
