//! What came of an ingest, in numbers.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::image::Row;
use crate::reject::{FrameRange, Reason, Rejects};
use crate::rules::Rules;
use crate::scan::{Compared, Tally};

/// Counts of one ingest; of a dry run, what it would make. `inputs = files + the sum of rejects`, always.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Files found below the inputs.
    pub inputs: u64,
    /// Files that gave images (in a dry run: that would be read).
    pub files: u64,
    /// Of these files, those that were taken over from an earlier ingest without being decoded.
    pub taken_over: u64,
    /// Images written (in a dry run: that would be).
    pub images: Option<u64>,
    /// Series that the images are from.
    pub series: u64,
    /// Images by class.
    pub labels: BTreeMap<String, u64>,
    /// Rejected files by reason code.
    pub rejects: BTreeMap<&'static str, u64>,
    /// Frames of the files that gave images which became none themselves, by reason code.
    pub frames: BTreeMap<&'static str, u64>,
    /// Images by what is odd about them.
    pub flags: BTreeMap<&'static str, u64>,
    /// Class rules that matched, with the number of files.
    pub rules: BTreeMap<String, u64>,
    /// Class rules that matched no file: faulty, or for another archive.
    pub idle_rules: Vec<String>,
    /// Files that no class rule matched, by SeriesDescription or folder.
    pub unmatched: BTreeMap<String, u64>,
    /// Files compared with the lists beside them (UK Biobank's manifest.cvs).
    pub compared: Compared,
}

impl Summary {
    pub(crate) fn new<'a>(
        labels: impl Iterator<Item = (Option<&'a str>, u64)>,
        rejects: &Rejects,
        rules: &Rules,
        tally: &Tally,
    ) -> Self {
        let mut summary = Self { compared: tally.compared, unmatched: tally.unmatched.clone(), ..Self::default() };
        for (label, images) in labels.filter(|(_, images)| *images > 0) {
            label.into_iter().for_each(|label| *summary.labels.entry(label.to_owned()).or_default() += images);
        }
        rejects.iter().for_each(|reject| summary.count(reject.reason, reject.frames));
        for (rule, &count) in rules.rules().iter().zip(&tally.matched).filter(|(_, count)| **count > 0) {
            summary.rules.insert(rule.name.clone(), count);
        }
        let idle = rules.rules().iter().zip(&tally.matched).filter(|(_, count)| **count == 0);
        summary.idle_rules = idle.map(|(rule, _)| rule.name.clone()).collect();
        summary
    }

    /// Counts a rejected file, or the frames that a file lost.
    pub(crate) fn count(&mut self, reason: Reason, frames: Option<FrameRange>) {
        match frames {
            None => *self.rejects.entry(reason.code()).or_default() += 1,
            Some(frames) => *self.frames.entry(reason.code()).or_default() += u64::from(frames.count),
        }
    }

    /// Counts frames of volumes that are later than the first.
    pub(crate) fn later(&mut self, frames: u64) {
        if frames > 0 {
            *self.frames.entry(Reason::NotT0.code()).or_default() += frames;
        }
    }

    /// Images by flag.
    pub(crate) fn flags(rows: &[Row]) -> BTreeMap<&'static str, u64> {
        let mut flags = BTreeMap::new();
        for flag in rows.iter().flat_map(|row| row.flags.names()) {
            *flags.entry(flag).or_default() += 1;
        }
        flags
    }

    /// The rejects as `12 not_t0, 1 unreadable`.
    #[must_use]
    pub fn reasons(&self) -> String {
        let reasons: Vec<String> = self.rejects.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        if reasons.is_empty() { "none rejected".to_owned() } else { reasons.join(", ") }
    }
}
