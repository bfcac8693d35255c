//! What each input is: its format, its class, and of a file of a series its header. No pixel is read.

mod listing;
mod sniff;

use std::collections::{BTreeMap, HashMap};

use deepmcat_stage::Progress;
use rayon::prelude::*;

use crate::format::{Content, Scanned};
use crate::formats::FORMATS;
use crate::guard;
use crate::headers::Headers;
use crate::inputs::{Input, Inputs};
use crate::reject::{Reason, Reject, Rejects};
use crate::rules::{self, Rules, Verdict};
use crate::settings::Settings;
use crate::texts::Terms;
use listing::Listing;

pub use listing::Compared;

/// Files looked at between two times that something is kept of them.
const AT_ONCE: usize = 4096;

/// A file that is read by itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Whole {
    /// Number of the input.
    pub input: u32,
    /// Its format, by its place in the list.
    pub format: u8,
    /// Number of its class.
    pub class: Option<u32>,
    /// A hash of how it is read.
    pub work: u64,
}

/// What there is to choose from.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// Files that are read by themselves.
    pub wholes: Vec<Whole>,
    /// Files of series.
    pub headers: Headers,
    /// Format of the files of series.
    pub format: u8,
    /// Names of classes.
    pub classes: Terms<String>,
    /// Inputs that give no image.
    pub rejects: Rejects,
    /// Counts.
    pub tally: Tally,
}

/// What the class rules and the lists of files come to.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Files that each class rule matched.
    pub matched: Vec<u64>,
    /// Files that none matched, by SeriesDescription or folder.
    pub unmatched: BTreeMap<String, u64>,
    /// Files compared with the lists beside them.
    pub compared: Compared,
}

/// A file by its first pass.
enum One {
    File(u8, Scanned),
    Listing(Listing),
}

/// Scans all files, in parallel; `rejects` are known already.
pub(crate) fn scan(inputs: &Inputs, rejects: Rejects, rules: &Rules, settings: &Settings) -> Scan {
    let count = inputs.readable() as u32;
    let progress = Progress::new(count.into(), "files scanned");
    let tally = Tally { matched: vec![0; rules.rules().len()], ..Tally::default() };
    let mut scan = Scan { rejects, tally, ..Scan::default() };
    let has_lists = (0..count).any(|input| listing::is_listing(&inputs.name(input)));
    let (mut listings, mut described) = (Vec::new(), HashMap::new());
    for first in (0..count).step_by(AT_ONCE) {
        let numbers = first..count.min(first + AT_ONCE as u32);
        let one = |number| {
            let input = inputs.get(number);
            let one = guard::isolated(settings.seconds, || scan_one(&input, rules, settings.limit));
            progress.inc(1);
            one
        };
        let scanned: Vec<Result<One, Reject>> = numbers.clone().into_par_iter().map(one).collect();
        for (input, one) in numbers.zip(scanned) {
            match one {
                Err(reject) => {
                    scan.tally.count(reject.rule);
                    scan.rejects.push(input, &reject);
                }
                Ok(One::Listing(listing)) => {
                    listings.push(listing);
                    scan.rejects.push(input, &Reject::new(Reason::Companion, "the list of the files beside it"));
                }
                Ok(One::File(format, scanned)) => {
                    if let Content::Frames(header) = &scanned.content
                        && has_lists
                    {
                        described.insert(listing::place_of(&inputs.name(input)), header.description);
                    }
                    scan.add(input, format, scanned, &inputs.name(input));
                }
            }
        }
    }
    progress.finish();
    scan.tally.compared = listing::compare(&listings, &described, inputs);
    scan
}

fn scan_one(input: &Input, rules: &Rules, limit: u64) -> Result<One, Reject> {
    if listing::is_listing(&input.name())
        && let Some(listing) = listing::read(input)
    {
        return Ok(One::Listing(listing));
    }
    let format = sniff::sniff(input)?;
    let number = FORMATS.iter().position(|known| known.name() == format.name()).unwrap_or_default();
    format.scan(input, rules, limit).map(|scanned| One::File(number as u8, scanned))
}

impl Scan {
    fn add(&mut self, input: u32, format: u8, scanned: Scanned, name: &str) {
        let class = match scanned.verdict {
            Verdict::Class(class, rule) => {
                self.tally.count(Some(rule));
                Some(self.classes.number(class))
            }
            Verdict::Unmatched => {
                self.tally.note_unmatched(scanned.description.as_deref(), name);
                None
            }
            Verdict::Exclude(_) => None,
        };
        match scanned.content {
            Content::Frames(header) => {
                self.format = format;
                self.headers.push(input, &header, class);
            }
            Content::Whole(work) => self.wholes.push(Whole { input, format, class, work }),
        }
    }
}

impl Tally {
    /// Counts a file that no class rule matched, under what a rule could look at.
    fn note_unmatched(&mut self, description: Option<&str>, name: &str) {
        let folder =
            || rules::folder(name).map_or_else(|| "(no folder)".to_owned(), |folder| format!("folder {folder}"));
        let what = description.map_or_else(folder, |text| format!("SeriesDescription {text}"));
        *self.unmatched.entry(what).or_default() += 1;
    }

    fn count(&mut self, rule: Option<usize>) {
        if let Some(count) = rule.and_then(|rule| self.matched.get_mut(rule)) {
            *count += 1;
        }
    }
}
