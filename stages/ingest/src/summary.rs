//! What came of an ingest, in numbers.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::reject::Reject;
use crate::rules::Rules;

/// Counts of one ingest. `inputs = files + the sum of rejects`, always.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Files found below the inputs.
    pub inputs: u64,
    /// Files that gave images (in a dry run: that would be read).
    pub files: u64,
    /// Images written; none in a dry run.
    pub images: Option<u64>,
    /// Images (in a dry run: files) by class.
    pub labels: BTreeMap<String, u64>,
    /// Rejected files by reason code.
    pub rejects: BTreeMap<&'static str, u64>,
    /// Class rules that matched, with the number of files.
    pub rules: BTreeMap<String, u64>,
}

impl Summary {
    pub(crate) fn new<'a>(
        labels: impl Iterator<Item = Option<&'a str>>,
        rejects: &[(String, Reject)],
        rules: &Rules,
        matched: &[u64],
    ) -> Self {
        let mut summary = Self::default();
        for label in labels.flatten() {
            *summary.labels.entry(label.to_owned()).or_default() += 1;
        }
        for (_, reject) in rejects {
            *summary.rejects.entry(reject.reason.code()).or_default() += 1;
        }
        for (rule, &count) in rules.rules().iter().zip(matched).filter(|(_, count)| **count > 0) {
            summary.rules.insert(rule.name.clone(), count);
        }
        summary
    }

    /// The rejects as `12 not_t0, 1 unreadable`.
    #[must_use]
    pub fn reasons(&self) -> String {
        let reasons: Vec<String> = self.rejects.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        if reasons.is_empty() { "none rejected".to_owned() } else { reasons.join(", ") }
    }
}
