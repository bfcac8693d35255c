//! The second pass: each chosen file is decoded and its slices are written as PNGs.

use deepmcat_common::Progress;
use rayon::prelude::*;

use crate::dataset::{Row, Writer};
use crate::dicom_file::{self, Identity};
use crate::guard;
use crate::keys::Keys;
use crate::known::Known;
use crate::raster::Raster;
use crate::reject::Reject;
use crate::scan::{Job, Work};
use crate::settings::Settings;
use crate::slice::{Sink, Slice, Stop};
use crate::walk::Input;
use crate::{Error, flags, nifti_file, picture, png_out, window};

/// What became of a file.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Its images; none where the whole file is a reject.
    pub rows: Vec<Row>,
    /// Why it has none, or which of its frames have become none.
    pub rejects: Vec<(u32, Reject)>,
}

/// Converts all jobs, in parallel; what is known of files that are as they were is taken over.
///
/// # Errors
/// When a PNG cannot be written; a bad input is an [`Outcome`].
pub(crate) fn convert(
    inputs: &[Input],
    jobs: &[Job],
    settings: &Settings,
    writer: &Writer,
    known: &Known,
    progress: &Progress,
) -> Result<Vec<Outcome>, Error> {
    jobs.par_iter()
        .map(|job| {
            let input = &inputs[job.input as usize];
            let outcome = match take_over(input, job, writer, known)? {
                Some(outcome) => outcome,
                None => convert_one(input, job, settings, writer)?,
            };
            progress.inc(1);
            Ok(outcome)
        })
        .collect()
}

/// The outcome of an earlier ingest, where the file is as it was and its images are there.
fn take_over(input: &Input, job: &Job, writer: &Writer, known: &Known) -> Result<Option<Outcome>, Error> {
    let Some(file) = known.file(input, job) else { return Ok(None) };
    if !file.rows.iter().all(|row| row.is_in(&file.folder)) {
        return Ok(None);
    }
    let rows: Vec<Row> = file.rows.iter().map(|row| Row { input: job.input, ..row.clone() }).collect();
    rows.iter().try_for_each(|row| writer.keep(row, &file.folder))?;
    let rejects = file.rejects.iter().map(|reject| (job.input, reject.clone())).collect();
    Ok(Some(Outcome { rows, rejects }))
}

fn convert_one(input: &Input, job: &Job, settings: &Settings, writer: &Writer) -> Result<Outcome, Error> {
    let mut rows: Vec<Row> = Vec::new();
    let mut fatal = None;
    // Frames of a NIfTI file that are not read.
    let mut unread = None;
    let mut sink = |slice: Slice| {
        rows.push(write(input, job.input, slice, settings, writer)?);
        Ok(())
    };
    let done = guard::isolated(settings.seconds, || {
        let read = match &job.work {
            Work::Dicom(chosen) => {
                dicom_file::read(&input.place, chosen, settings.own_window, settings.limit, &mut sink)
                    .map(|identity| ("dicom", identity))
            }
            Work::Nifti { .. } => {
                nifti_file::read(&input.place, settings.frames, settings.own_window, settings.limit, &mut sink).map(
                    |frames| {
                        unread = frames;
                        ("nifti", Identity::default())
                    },
                )
            }
            Work::Png => flat(picture::read_png(&input.place, settings.limit), &mut sink),
            Work::Jpeg => flat(picture::read_jpeg(&input.place, settings.limit), &mut sink),
        };
        read.map_err(|stop| match stop {
            Stop::Reject(reject) => reject,
            Stop::Fatal(error) => {
                fatal = Some(error);
                Reject::unreadable("the run ended")
            }
        })
    });
    if let Some(error) = fatal {
        return Err(error);
    }
    match done {
        Ok((format, identity)) => {
            complete(&mut rows, input, job, format, &identity, &settings.keys);
            let left = job.left.iter().cloned().chain(unread.map(|frames| Reject::not_t0(Some(frames))));
            Ok(Outcome { rows, rejects: left.map(|reject| (job.input, reject)).collect() })
        }
        Err(reject) => {
            // All slices of a file or none, so that what is missing has one reason.
            for row in &rows {
                writer.remove(row)?;
            }
            Ok(Outcome { rows: Vec::new(), rejects: vec![(job.input, reject)] })
        }
    }
}

fn flat(raster: Result<Raster, Reject>, sink: &mut Sink<'_>) -> Result<(&'static str, Identity), Stop> {
    sink(Slice { raster: raster?, spacing: None, frame: 0, slice: 0 })?;
    Ok(("image", Identity::default()))
}

/// Windows a slice and writes its PNG.
fn write(input: &Input, number: u32, slice: Slice, settings: &Settings, writer: &Writer) -> Result<Row, Error> {
    let white = if settings.bits == 16 { u16::MAX } else { u16::from(u8::MAX) };
    let grey = window::apply(&slice.raster, settings.window, white);
    let size = (slice.raster.width, slice.raster.height);
    let samples = png_out::samples(&grey, settings.bits);
    let mut row = Row {
        input: number,
        frame: slice.frame,
        slice: slice.slice,
        key: settings.keys.image(&input.source, input.member.as_deref(), slice.frame, slice.slice),
        pixels: png_out::hash(size, &samples),
        width: size.0,
        height: size.1,
        spacing: slice.spacing,
        window: (grey.low, grey.high),
        ..Row::default()
    };
    row.flags = flags::of(&row, &grey.levels);
    let path = writer.path(&row)?;
    png_out::write(&path, size, settings.bits, &samples, row.spacing)
        .map_err(|error| Error::io(&path, "written", error))?;
    Ok(row)
}

/// Adds what is known once the whole file is read.
fn complete(rows: &mut [Row], input: &Input, job: &Job, format: &'static str, identity: &Identity, keys: &Keys) {
    let name = input.name();
    let below = name.get(input.start..).unwrap_or_default();
    let subject = match &identity.patient {
        Some(patient) => keys.subject(patient),
        // UK Biobank's zips are PARTICIPANT_FIELD_VISIT_0.zip: one person is one subject.
        None if input.member.is_some() => keys.subject(stem(&input.source)),
        None => keys.subject(subject(below, job.label.as_deref())),
    };
    let grouped = job.series.map(|series| format!("{series:016x}"));
    let series = keys.series(grouped.as_deref().or(identity.series.as_deref()).unwrap_or(&name));
    for row in rows {
        row.format = format;
        row.label.clone_from(&job.label);
        row.subject.clone_from(&subject);
        row.series.clone_from(&series);
        row.identity.clone_from(identity);
        if identity.overlay {
            row.flags.push("overlay");
        }
    }
}

/// The subject of a file that does not say: the first folder that is not its class, else its name up to `_` or `.`.
fn subject<'a>(below: &'a str, label: Option<&str>) -> &'a str {
    let folders = below.rsplit_once('/').map_or("", |(folders, _)| folders);
    folders.split('/').find(|folder| !folder.is_empty() && Some(*folder) != label).unwrap_or_else(|| stem(below))
}

/// The name of a file up to its first `_` or `.`.
fn stem(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.split(['_', '.']).next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_or_the_name_tells_the_subject() {
        assert_eq!(subject("1001/sa.nii.gz", Some("SA")), "1001");
        assert_eq!(subject("SA/1001_b3.png", Some("SA")), "1001");
        assert_eq!(subject("1001/SA/b3.png", Some("SA")), "1001");
        assert_eq!(subject("1001.nii.gz", None), "1001");
        assert_eq!(stem("visit/1001_20209_2_0.zip"), "1001");
    }
}
