//! What becomes an image: copies and repeats are left out, and of each series the frames of t=0 are chosen.

mod group;
mod repeats;
mod select;

use std::collections::HashSet;

use deepmcat_schemas::jobs::ingest::Frames;

use crate::format::work;
use crate::formats::dicom;
use crate::headers::Headers;
use crate::inputs::Inputs;
use crate::reject::{FrameRange, Reason, Reject, Rejects};
use crate::scan::{Scan, Tally, Whole};
use crate::series::Chosen;
use crate::settings::Settings;
use crate::texts::Terms;
use group::Unsure;

/// A file that is to give images.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Conversion {
    /// Number of the input.
    pub input: u32,
    /// Its format, by its place in the list.
    pub format: u8,
    /// Number of its class.
    pub class: Option<u32>,
    /// Hash of the series that it was put into, where the file does not say.
    pub series: Option<u64>,
    /// A hash of how it is read.
    pub work: u64,
    /// Its chosen frames and those left out, from where to where in all of them.
    chosen: [u32; 2],
    left: [u32; 2],
}

/// What is to be read.
#[derive(Debug, Default)]
pub(crate) struct Choice {
    /// Files to read, by input.
    pub conversions: Vec<Conversion>,
    /// Names of classes.
    pub classes: Terms<String>,
    /// Inputs that give no image.
    pub rejects: Rejects,
    /// Counts.
    pub tally: Tally,
    /// Series of which a file is read.
    pub series: u64,
    chosen: Vec<Chosen>,
    left: Vec<FrameRange>,
}

impl Choice {
    /// The chosen frames of a conversion.
    pub fn chosen(&self, conversion: &Conversion) -> &[Chosen] {
        &self.chosen[conversion.chosen[0] as usize..conversion.chosen[1] as usize]
    }

    /// Of the frames of a conversion those that become no images.
    pub fn left(&self, conversion: &Conversion) -> impl Iterator<Item = Reject> {
        let runs = &self.left[conversion.left[0] as usize..conversion.left[1] as usize];
        runs.iter().map(|run| Reject::not_t0(Some(*run)))
    }
}

/// Chooses the frames of series and puts all files in order.
pub(crate) fn choose(scan: Scan, inputs: &Inputs, settings: &Settings) -> Choice {
    let Scan { wholes, mut headers, format, classes, rejects, tally } = scan;
    let mut choice = Choice { classes, rejects, tally, ..Choice::default() };
    let copies = dicom::copies(&headers, inputs, settings.seconds, settings.limit);
    for (input, reject) in &copies {
        choice.rejects.push(*input, reject);
    }
    for file in &mut headers.files {
        file.out = copies.contains_key(&file.input);
    }
    warn(group::group(&mut headers));
    choice.leave_out_repeats(&mut headers);
    choice.choose(&headers, format, settings.frames);
    choice.conversions.extend(wholes.into_iter().map(|Whole { input, format, class, work }| Conversion {
        input,
        format,
        class,
        series: None,
        work,
        chosen: [0; 2],
        left: [0; 2],
    }));
    choice.conversions.sort_unstable_by_key(|conversion| conversion.input);
    choice
}

/// Says which files were grouped without their SeriesInstanceUID.
fn warn(Unsure { blank, shared, series }: Unsure) {
    if blank + shared > 0 {
        tracing::warn!(
            "{blank} DICOM files have no SeriesInstanceUID and {shared} one that other series have too: patient, \
             study, folder, number, description and modality make {series} series of them; where these are \
             absent too, later time frames may become images"
        );
    }
}

impl Choice {
    /// Rejects the files of series that were acquired again later.
    fn leave_out_repeats(&mut self, headers: &mut Headers) {
        let acquired: Vec<_> = headers.acquired().collect();
        let earlier = repeats::earlier(&acquired);
        let repeated = Reject::new(Reason::DuplicateAcquisition, "acquired again later under the same description");
        for at in 0..headers.files.len() {
            let file = headers.files[at];
            if !file.out && earlier.contains(&headers.series(&file).0) {
                headers.files[at].out = true;
                self.rejects.push(file.input, &repeated);
            }
        }
    }

    /// Chooses the frames of t=0; every other frame has a reject.
    fn choose(&mut self, headers: &Headers, format: u8, which: Frames) {
        let (chosen, left) = select::select(headers, which);
        let (mut next, mut left) = (0, left.into_iter().peekable());
        let mut read = HashSet::new();
        for file in headers.left() {
            let from = next;
            next += chosen[from..].iter().take_while(|frame| frame.input == file.input).count();
            let own_left = std::iter::from_fn(|| left.next_if(|frame| frame.input == file.input));
            let runs = FrameRange::runs(own_left.map(|left| left.frame));
            if from == next {
                self.rejects.push(file.input, &Reject::not_t0(None));
                continue;
            }
            let first = self.left.len() as u32;
            self.left.extend(runs);
            let (id, unsure) = headers.series(file);
            let series = unsure.then_some(id);
            let work = work(series, |hasher| {
                for Chosen { frame, slice, .. } in &chosen[from..next] {
                    hasher.update(&frame.to_le_bytes()).update(&slice.to_le_bytes());
                }
            });
            let (chosen, left) = ([from as u32, next as u32], [first, self.left.len() as u32]);
            self.conversions.push(Conversion {
                input: file.input,
                format,
                class: file.class,
                series,
                work,
                chosen,
                left,
            });
            read.insert(id);
        }
        self.series = read.len() as u64;
        self.chosen = chosen;
    }
}
