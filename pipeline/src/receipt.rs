//! Receipts: written last. No receipt, not done.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::dag::NodeId;
use crate::machine::Machine;
use crate::run_folder::write_text;
use crate::{Error, RunFolder};

/// The version of receipts. Those before held command lines and settings of a run, not of a job.
pub const FORMAT: u32 = 2;

/// What was done for a node, and from what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// The version of receipts: [`FORMAT`].
    #[serde(default)]
    pub format: u32,
    /// The node's name.
    pub node: String,
    /// The components of its fingerprint: the settings of its job, `input PATH`.
    pub components: BTreeMap<String, String>,
    /// Content hash of each output, by path below the run folder.
    pub outputs: BTreeMap<PathBuf, String>,
    /// Content hash of each file of the outputs, by path below the run folder: says which file was changed.
    #[serde(default)]
    pub files: BTreeMap<PathBuf, String>,
    /// Wall-clock seconds of the last attempt.
    pub seconds: f64,
    /// Attempts it took.
    pub attempts: u32,
    /// Where it was computed. Told where it changes, but no reason to run again.
    #[serde(default)]
    pub machine: Option<Machine>,
}

impl Receipt {
    /// Reads the receipt of a node; `None` where there is none.
    ///
    /// # Errors
    /// When the file is there and cannot be read as a receipt.
    pub fn read(run: &RunFolder, node: NodeId) -> Result<Option<Self>, Error> {
        let path = run.receipt(node);
        if !path.exists() {
            return Ok(None);
        }
        let text = fs_err::read(&path)?;
        match serde_json::from_slice::<Self>(&text) {
            Ok(receipt) if receipt.format == FORMAT => Ok(Some(receipt)),
            Ok(_) => Err(Error::OtherReceipts { run: run.path.clone() }),
            Err(source) => Err(Error::BadReceipt { path, source }),
        }
    }

    /// Writes the receipt of a node.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, run: &RunFolder, node: NodeId) -> Result<(), Error> {
        // Maps of strings and numbers always serialise.
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        write_text(&run.path, &run.receipt(node), &text)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_reads_back_and_one_that_is_none_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(folder.path().join("run.toml"), "[input]\npaths = [\"archive\"]\n").unwrap();
        let run = RunFolder::open(folder.path()).unwrap();
        let node: NodeId = "embed@7".parse().unwrap();
        assert_eq!(Receipt::read(&run, node).unwrap(), None);
        let receipt = Receipt {
            format: FORMAT,
            node: node.to_string(),
            components: [("cluster.k".to_owned(), "7".to_owned())].into(),
            outputs: [("features/epoch=7".into(), "hash".to_owned())].into(),
            files: BTreeMap::new(),
            seconds: 1.5,
            attempts: 2,
            machine: Some(Machine { libtorch: None, processor: "one".to_owned(), threads: 4 }),
        };
        receipt.write(&run, node).unwrap();
        assert_eq!(Receipt::read(&run, node).unwrap(), Some(receipt));
        fs_err::write(run.receipt(node), "half a rec").unwrap();
        let error = Receipt::read(&run, node).unwrap_err().to_string();
        assert!(error.contains("embed@7.json: not a receipt\nhint: delete it"), "{error}");
        // As a version before this one wrote them.
        let old = r#"{"node": "embed@7", "components": {"command": "--epoch 7"}, "outputs": {}, "seconds": 1, "attempts": 1}"#;
        fs_err::write(run.receipt(node), old).unwrap();
        let error = Receipt::read(&run, node).unwrap_err().to_string();
        assert!(error.contains("another version") && error.contains("hint: start again"), "{error}");
    }
}
