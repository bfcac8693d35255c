//! The first pass: what each file is, its class, and which of its frames become images. No pixel is read.

use std::collections::{BTreeMap, HashMap, HashSet};

use deepmcat_common::{Frames, Progress};
use deepmcat_schemas::FileStat;
use rayon::prelude::*;

use crate::dicom_file::{self, Chosen, Frame, Left};
use crate::guard;
use crate::listing::{self, Compared, Listing};
use crate::nifti_file;
use crate::reject::{Reason, Reject};
use crate::rules::{self, Rules, Verdict};
use crate::settings::Settings;
use crate::sniff::{Kind, sniff};
use crate::walk::Input;

/// A file that is to give images.
#[derive(Debug)]
pub(crate) struct Job {
    /// Number of the input file.
    pub input: u32,
    /// How it is read.
    pub work: Work,
    /// Its class.
    pub label: Option<String>,
}

impl Job {
    /// A hash of how the file is read, the same in every run; never 0.
    pub fn work(&self) -> u64 {
        let mut hasher = blake3::Hasher::new();
        match &self.work {
            Work::Dicom(chosen) => {
                for Chosen { frame, slice, .. } in chosen {
                    hasher.update(&frame.to_le_bytes()).update(&slice.to_le_bytes());
                }
            }
            Work::Nifti { voxels: Some(FileStat { bytes, modified, changed, inode }) } => {
                for part in [bytes, modified, changed, inode] {
                    hasher.update(&part.to_le_bytes());
                }
            }
            Work::Nifti { voxels: None } | Work::Png | Work::Jpeg => {}
        }
        let hash = hasher.finalize();
        let eight: [u8; 8] = std::array::from_fn(|byte| hash.as_bytes()[byte]);
        u64::from_le_bytes(eight).max(1)
    }
}

/// How a file is read.
#[derive(Debug)]
pub(crate) enum Work {
    /// These frames of a DICOM file.
    Dicom(Vec<Chosen>),
    /// A NIfTI volume; with a pair, what its file of voxels is like.
    Nifti { voxels: Option<FileStat> },
    /// A PNG.
    Png,
    /// A JPEG.
    Jpeg,
}

/// What the first pass found.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// Files to read, by input.
    pub jobs: Vec<Job>,
    /// Copies of files to read, by the input that they are a copy of: read where that one cannot be.
    pub copies: BTreeMap<u32, Vec<Job>>,
    /// Files that give no image.
    pub rejects: Vec<(u32, Reject)>,
    /// Files that each class rule matched.
    pub matched: Vec<u64>,
    /// Files that none matched, by SeriesDescription or folder.
    pub unmatched: BTreeMap<String, u64>,
    /// Files compared with the lists beside them.
    pub compared: Compared,
}

/// A file by its first pass.
enum Scanned {
    Dicom(dicom_file::Header),
    Other(Work, Verdict),
    Listing(Listing),
}

/// Scans all files, in parallel.
pub(crate) fn scan(inputs: &[Input], rules: &Rules, settings: &Settings) -> Scan {
    let progress = Progress::new(inputs.len() as u64, "files scanned");
    let scanned: Vec<Result<Scanned, Reject>> = inputs
        .par_iter()
        .enumerate()
        .map(|(number, input)| {
            let scanned = guard::isolated(settings.seconds, || scan_one(input, number as u32, rules, settings.limit));
            progress.inc(1);
            scanned
        })
        .collect();
    progress.finish();
    plan(inputs, scanned, rules, settings.frames)
}

fn scan_one(input: &Input, number: u32, rules: &Rules, limit: u64) -> Result<Scanned, Reject> {
    let name = input.name();
    if listing::is_listing(&name)
        && let Some(listing) = listing::read(input)
    {
        return Ok(Scanned::Listing(listing));
    }
    let work = match sniff(input)? {
        Kind::Dicom => {
            return dicom_file::read_header(input, number, rules, limit).map(Scanned::Dicom);
        }
        Kind::Nifti => Work::Nifti { voxels: nifti_file::voxels_stat(&name, &input.place) },
        Kind::Png => Work::Png,
        Kind::Jpeg => Work::Jpeg,
        Kind::NiftiVoxels => return Err(Reject::new(Reason::Companion, "the voxels of the .hdr file beside it")),
    };
    match rules.verdict(&name, |_| None) {
        Verdict::Exclude(rule) => Err(excluded(rules, rule)),
        verdict => Ok(Scanned::Other(work, verdict)),
    }
}

/// The reject of a file that a class rule keeps out.
pub(crate) fn excluded(rules: &Rules, rule: usize) -> Reject {
    let name = rules.rules().get(rule).map_or("", |rule| rule.name.as_str());
    Reject { reason: Reason::Excluded, message: format!("kept out by a class rule: {name}"), rule: Some(rule) }
}

/// Chooses the frames of DICOM series and puts all files in order.
fn plan(inputs: &[Input], scanned: Vec<Result<Scanned, Reject>>, rules: &Rules, which: Frames) -> Scan {
    let mut scan = Scan { matched: vec![0; rules.rules().len()], ..Scan::default() };
    let mut frames: Vec<Frame> = Vec::new();
    // Class of each DICOM file, by input.
    let mut labels: Vec<(u32, Option<String>)> = Vec::new();
    let (mut acquisitions, mut listings, mut described) = (Vec::new(), Vec::new(), HashMap::new());
    for (number, scanned) in scanned.into_iter().enumerate() {
        let input = number as u32;
        match scanned {
            Err(reject) => {
                scan.count(reject.rule);
                scan.rejects.push((input, reject));
            }
            Ok(Scanned::Listing(listing)) => {
                listings.push(listing);
                scan.rejects.push((input, Reject::new(Reason::Companion, "the list of the files beside it")));
            }
            Ok(Scanned::Dicom(header)) => {
                if header.verdict == Verdict::Unmatched {
                    scan.note_unmatched(header.unmatched.as_deref(), &inputs[number]);
                }
                described.insert(listing::place_of(&inputs[number].name()), header.description);
                acquisitions.extend(header.acquisition);
                frames.extend(header.frames);
                labels.push((input, scan.label(header.verdict)));
            }
            Ok(Scanned::Other(work, verdict)) => {
                if verdict == Verdict::Unmatched {
                    scan.note_unmatched(None, &inputs[number]);
                }
                let label = scan.label(verdict);
                scan.jobs.push(Job { input, work, label });
            }
        }
    }
    scan.compared = listing::compare(&listings, &described, inputs);
    scan.leave_out_repeats(&mut frames, &mut labels, &dicom_file::earlier(&acquisitions));
    let (chosen, left) = dicom_file::select(frames, which);
    let (mut chosen, mut left) = (chosen.into_iter().peekable(), left.into_iter().peekable());
    for (input, label) in labels {
        let mut own = Vec::new();
        while let Some(frame) = chosen.next_if(|frame| frame.input == input) {
            own.push(frame);
        }
        let mut own_left = Vec::new();
        while let Some(frame) = left.next_if(|frame| frame.input == input) {
            own_left.push(frame);
        }
        if own.is_empty() {
            scan.leave_out(input, label, &own_left);
        } else {
            scan.jobs.push(Job { input, work: Work::Dicom(own), label });
        }
    }
    scan.jobs.sort_unstable_by_key(|job| job.input);
    // A copy of a file that is not read stays unread.
    let read = |input: &u32| scan.jobs.binary_search_by_key(input, |job| job.input).is_ok();
    let (copies, idle): (BTreeMap<_, _>, BTreeMap<_, _>) =
        std::mem::take(&mut scan.copies).into_iter().partition(|(original, _)| read(original));
    scan.copies = copies;
    scan.rejects.extend(idle.into_values().flatten().map(|job| (job.input, duplicate())));
    scan
}

/// The reject of a copy.
pub(crate) fn duplicate() -> Reject {
    Reject::new(Reason::Duplicate, "a copy of an object that is in the archive already")
}

impl Scan {
    /// Rejects the files of series that were acquired again later.
    fn leave_out_repeats(
        &mut self,
        frames: &mut Vec<Frame>,
        labels: &mut Vec<(u32, Option<String>)>,
        earlier: &HashSet<u64>,
    ) {
        if earlier.is_empty() {
            return;
        }
        let inputs: HashSet<u32> =
            frames.iter().filter(|frame| earlier.contains(&frame.series)).map(|frame| frame.input).collect();
        frames.retain(|frame| !inputs.contains(&frame.input));
        labels.retain(|(input, _)| !inputs.contains(input));
        let repeated = || Reject::new(Reason::DuplicateAcquisition, "acquired again later under the same description");
        self.rejects.extend(inputs.into_iter().map(|input| (input, repeated())));
    }

    /// A file of which no frame is chosen: a copy waits, anything else is rejected.
    fn leave_out(&mut self, input: u32, label: Option<String>, left: &[Left]) {
        let original = left.first().and_then(|first| first.copy_of);
        match original.filter(|_| left.iter().all(|frame| frame.copy_of == original)) {
            Some(original) => {
                let frame = |left: &Left| Chosen { input, frame: left.frame, slice: left.slice };
                let work = Work::Dicom(left.iter().map(frame).collect());
                self.copies.entry(original).or_default().push(Job { input, work, label });
            }
            None => self.rejects.push((input, Reject::new(Reason::NotT0, "a later time frame of its slice"))),
        }
    }

    /// Counts a file that no class rule matched, under what a rule could look at.
    fn note_unmatched(&mut self, description: Option<&str>, input: &Input) {
        let name = input.name();
        let folder =
            || rules::folder(&name).map_or_else(|| "(no folder)".to_owned(), |folder| format!("folder {folder}"));
        let what = description.map_or_else(folder, |text| format!("SeriesDescription {text}"));
        *self.unmatched.entry(what).or_default() += 1;
    }

    fn count(&mut self, rule: Option<usize>) {
        if let Some(count) = rule.and_then(|rule| self.matched.get_mut(rule)) {
            *count += 1;
        }
    }

    fn label(&mut self, verdict: Verdict) -> Option<String> {
        match verdict {
            Verdict::Class(class, rule) => {
                self.count(Some(rule));
                Some(class)
            }
            Verdict::Exclude(_) | Verdict::Unmatched => None,
        }
    }
}
