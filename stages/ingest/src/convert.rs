//! The second pass: each chosen file is decoded and its slices are written as PNGs.

use deepmcat_stage::Progress;
use rayon::prelude::*;

use crate::dataset::{Row, Writer};
use crate::dicom_file::{self, Identity};
use crate::earlier::Earlier;
use crate::guard;
use crate::keys::Keys;
use crate::raster::Raster;
use crate::reject::Reject;
use crate::scan::{Job, Work};
use crate::settings::Settings;
use crate::slice::{Sink, Slice, Stop};
use crate::walk::Input;
use crate::{Error, flags, nifti_file, picture, png_out, subject, window};

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
    earlier: &Earlier,
    progress: &Progress,
) -> Result<Vec<Outcome>, Error> {
    jobs.par_iter()
        .map(|job| {
            let input = &inputs[job.input as usize];
            let outcome = match take_over(input, job, writer, earlier)? {
                Some(outcome) => outcome,
                None => convert_one(input, job, settings, writer)?,
            };
            progress.inc(1);
            Ok(outcome)
        })
        .collect()
}

/// The outcome of an earlier ingest, where the file is as it was and its images are there.
fn take_over(input: &Input, job: &Job, writer: &Writer, earlier: &Earlier) -> Result<Option<Outcome>, Error> {
    let Some(file) = earlier.file(input, job) else { return Ok(None) };
    let Some(mut rows) = file.sound() else { return Ok(None) };
    for row in &mut rows {
        (row.input, row.label) = (job.input, job.label.clone());
        writer.keep(row, &file.folder)?;
    }
    if !rows.is_empty() {
        earlier.take();
    }
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
    row.flags = flags::of(&row, grey.blank);
    let path = writer.path(&row)?;
    png_out::write(&path, size, settings.bits, &samples, row.spacing)
        .map_err(|error| Error::io(&path, "written", error))?;
    row.look_in(writer.folder());
    Ok(row)
}

/// Adds what is known once the whole file is read.
fn complete(rows: &mut [Row], input: &Input, job: &Job, format: &'static str, identity: &Identity, keys: &Keys) {
    let name = input.name();
    let below = name.get(input.start..).unwrap_or_default();
    let patient = identity.patient.as_deref().and_then(subject::of_patient).or(identity.study.as_deref());
    let of_volume = || (format == "nifti").then(|| name.clone());
    let subject = patient.map(str::to_owned).or_else(|| subject::of_path(below)).or_else(of_volume);
    let subject = subject.map(|subject| keys.subject(&subject));
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
        if identity.mosaic {
            row.flags.push("mosaic");
        }
    }
}
