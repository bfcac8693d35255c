//! The first pass: what each file is, its class, and which of its frames become images. No pixel is read.

use std::collections::{BTreeMap, HashMap, HashSet};

use deepmcat_schemas::FileStat;
use deepmcat_schemas::jobs::ingest::Frames;
use deepmcat_stage::Progress;
use rayon::prelude::*;

use crate::dicom_file::{self, Chosen, Frame, Header, Left, Unsure};
use crate::guard;
use crate::listing::{self, Compared, Listing};
use crate::nifti_file;
use crate::reject::{FrameRange, Reason, Reject};
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
    /// Hash of the series that it was put into, where the file does not say.
    pub series: Option<u64>,
    /// Its frames that become no images.
    pub left: Vec<Reject>,
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
        hasher.update(&self.series.unwrap_or_default().to_le_bytes());
        let hash = hasher.finalize();
        let eight: [u8; 8] = std::array::from_fn(|byte| hash.as_bytes()[byte]);
        u64::from_le_bytes(eight).max(1)
    }
}

/// How many images a job gives by its header, and how many frames of it become none besides those that it names. A mosaic
/// counts as one image: it is split when it is decoded.
pub(crate) fn count(job: &Job, input: &Input, frames: Frames) -> (u64, u64) {
    match &job.work {
        Work::Dicom(chosen) => (chosen.len() as u64, 0),
        // One that cannot be counted cannot be read.
        Work::Nifti { .. } => nifti_file::count(&input.place, frames).unwrap_or_default(),
        Work::Png | Work::Jpeg => (1, 0),
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
    /// Files that give no image.
    pub rejects: Vec<(u32, Reject)>,
    /// Files that each class rule matched.
    pub matched: Vec<u64>,
    /// Files that none matched, by SeriesDescription or folder.
    pub unmatched: BTreeMap<String, u64>,
    /// DICOM series of which a file is read.
    pub series: u64,
    /// Files compared with the lists beside them.
    pub compared: Compared,
    /// DICOM files whose SeriesInstanceUID does not tell their series.
    pub unsure: Unsure,
}

/// A file by its first pass.
enum Scanned {
    Dicom(Header),
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
    plan(inputs, scanned, rules, settings)
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
    let message = format!("kept out by a class rule: {name}");
    Reject { rule: Some(rule), ..Reject::new(Reason::Excluded, message) }
}

/// Chooses the frames of DICOM series and puts all files in order.
fn plan(inputs: &[Input], scanned: Vec<Result<Scanned, Reject>>, rules: &Rules, settings: &Settings) -> Scan {
    let mut scan = Scan { matched: vec![0; rules.rules().len()], ..Scan::default() };
    let mut headers: Vec<Header> = Vec::new();
    let (mut listings, mut described) = (Vec::new(), HashMap::new());
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
                if let Verdict::Class(_, rule) = &header.verdict {
                    scan.count(Some(*rule));
                }
                described.insert(listing::place_of(&inputs[number].name()), header.description);
                headers.push(header);
            }
            Ok(Scanned::Other(work, verdict)) => {
                if verdict == Verdict::Unmatched {
                    scan.note_unmatched(None, &inputs[number]);
                }
                if let Verdict::Class(_, rule) = &verdict {
                    scan.count(Some(*rule));
                }
                let label = class(verdict);
                scan.jobs.push(Job { input, work, label, series: None, left: Vec::new() });
            }
        }
    }
    scan.compared = listing::compare(&listings, &described, inputs);
    scan.leave_out_copies(&mut headers, inputs, settings);
    scan.unsure = dicom_file::group(&mut headers);
    scan.warn();
    scan.leave_out_repeats(&mut headers);
    scan.choose(headers, settings.frames);
    scan.jobs.sort_unstable_by_key(|job| job.input);
    scan
}

impl Scan {
    /// Rejects copies and, of the files that have copies, the damaged ones.
    fn leave_out_copies(&mut self, headers: &mut Vec<Header>, inputs: &[Input], settings: &Settings) {
        let copies = dicom_file::copies(headers, inputs, settings.seconds, settings.limit);
        headers.retain(|header| !copies.contains_key(&header.input));
        self.rejects.extend(copies);
    }

    /// Says which files were grouped without their SeriesInstanceUID.
    fn warn(&self) {
        let Unsure { blank, shared, series } = self.unsure;
        if blank + shared > 0 {
            tracing::warn!(
                "{blank} DICOM files have no SeriesInstanceUID and {shared} one that other series have too: patient, \
                 study, folder, number, description and modality make {series} series of them; where these are \
                 absent too, later time frames may become images"
            );
        }
    }

    /// Rejects the files of series that were acquired again later.
    fn leave_out_repeats(&mut self, headers: &mut Vec<Header>) {
        let acquisitions: Vec<_> = headers.iter().filter_map(|header| header.acquisition).collect();
        let earlier = dicom_file::earlier(&acquisitions);
        let is_earlier = |header: &Header| header.frames.first().is_some_and(|first| earlier.contains(&first.series));
        let repeated = || Reject::new(Reason::DuplicateAcquisition, "acquired again later under the same description");
        headers.retain(|header| {
            if is_earlier(header) {
                self.rejects.push((header.input, repeated()));
            }
            !is_earlier(header)
        });
    }

    /// Chooses the frames of t=0; every other frame has a reject.
    fn choose(&mut self, headers: Vec<Header>, which: Frames) {
        let mut frames: Vec<Frame> = Vec::new();
        let mut files = Vec::with_capacity(headers.len());
        for header in headers {
            let series = header.frames.first().map(|frame| frame.series);
            frames.extend(header.frames);
            files.push((header.input, series, header.group, class(header.verdict)));
        }
        let (chosen, left) = dicom_file::select(frames, which);
        let (mut chosen, mut left) = (chosen.into_iter().peekable(), left.into_iter().peekable());
        let mut read = HashSet::new();
        for (input, own_series, series, label) in files {
            let own: Vec<Chosen> = std::iter::from_fn(|| chosen.next_if(|frame| frame.input == input)).collect();
            let own_left: Vec<Left> = std::iter::from_fn(|| left.next_if(|frame| frame.input == input)).collect();
            if own.is_empty() {
                self.rejects.push((input, Reject::not_t0(None)));
            } else {
                let runs = FrameRange::runs(own_left.iter().map(|left| left.frame));
                let left = runs.into_iter().map(|run| Reject::not_t0(Some(run))).collect();
                self.jobs.push(Job { input, work: Work::Dicom(own), label, series, left });
                read.extend(own_series);
            }
        }
        self.series = read.len() as u64;
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
}

/// The class that a verdict gives.
fn class(verdict: Verdict) -> Option<String> {
    if let Verdict::Class(class, _) = verdict { Some(class) } else { None }
}
