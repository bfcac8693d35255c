//! The second pass: each chosen file is decoded and its slices are written as PNGs.

use std::sync::Arc;

use deepmcat_stage::Progress;
use rayon::prelude::*;

use crate::choose::{Choice, Conversion};
use crate::earlier::Earlier;
use crate::error::Error;
use crate::format::Read;
use crate::formats::FORMATS;
use crate::image::Row;
use crate::inputs::{Input, Inputs};
use crate::keys::Keys;
use crate::publish::Writer;
use crate::reject::Reject;
use crate::settings::Settings;
use crate::slice::{Identity, Slice, Stop};
use crate::{flags, guard, png_out, subject, window};

/// What became of a file.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Its images; none where the whole file is a reject.
    pub rows: Vec<Row>,
    /// Why it has none, or which of its frames have become none.
    pub rejects: Vec<(u32, Reject)>,
}

/// Converts all conversions, in parallel; what is known of files that are as they were is taken over.
///
/// # Errors
/// When a PNG cannot be written; a bad input is an [`Outcome`].
pub(crate) fn convert(
    inputs: &Inputs,
    choice: &Choice,
    conversions: &[Conversion],
    settings: &Settings,
    writer: &Writer,
    earlier: &Earlier,
    progress: &Progress,
) -> Result<Vec<Outcome>, Error> {
    conversions
        .par_iter()
        .map(|conversion| {
            let input = &inputs.get(conversion.input);
            let outcome = match take_over(input, conversion, writer, earlier)? {
                Some(outcome) => outcome,
                None => convert_one(input, conversion, choice, settings, writer)?,
            };
            progress.inc(1);
            Ok(outcome)
        })
        .collect()
}

/// The outcome of an earlier ingest, where the file is as it was and its images are there.
fn take_over(
    input: &Input,
    conversion: &Conversion,
    writer: &Writer,
    earlier: &Earlier,
) -> Result<Option<Outcome>, Error> {
    let Some(file) = earlier.file(input, conversion) else { return Ok(None) };
    let Some(mut rows) = file.sound() else { return Ok(None) };
    for row in &mut rows {
        row.input = conversion.input;
        writer.keep(row, &file.folder)?;
    }
    if !rows.is_empty() {
        earlier.take();
    }
    let rejects = file.rejects.iter().map(|reject| (conversion.input, reject.clone())).collect();
    Ok(Some(Outcome { rows, rejects }))
}

fn convert_one(
    input: &Input,
    conversion: &Conversion,
    choice: &Choice,
    settings: &Settings,
    writer: &Writer,
) -> Result<Outcome, Error> {
    let mut rows: Vec<Row> = Vec::new();
    let mut fatal = None;
    let format = FORMATS[conversion.format as usize];
    let mut sink = |slice: Slice| {
        rows.push(write(input, conversion.input, slice, settings, writer)?);
        Ok(())
    };
    let done = guard::isolated(settings.seconds, || {
        let read = format.read(&input.place, choice.chosen(conversion), settings, &mut sink);
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
        Ok(Read { identity, unread }) => {
            complete(&mut rows, input, conversion, format.sort(), identity, &settings.keys);
            let left = choice.left(conversion).chain(unread.map(|frames| Reject::not_t0(Some(frames))));
            Ok(Outcome { rows, rejects: left.map(|reject| (conversion.input, reject)).collect() })
        }
        Err(reject) => {
            // All slices of a file or none, so that what is missing has one reason.
            for row in &rows {
                writer.remove(row)?;
            }
            Ok(Outcome { rows: Vec::new(), rejects: vec![(conversion.input, reject)] })
        }
    }
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
        key: settings.keys.image(&input.origin.source, input.origin.member.as_deref(), slice.frame, slice.slice),
        pixels: png_out::hash(size, &samples),
        width: size.0,
        height: size.1,
        spacing: slice.spacing,
        window: (grey.low, grey.high),
        ..Row::default()
    };
    row.flags = flags::of(size, grey.blank);
    let path = writer.path(&row)?;
    png_out::write(&path, size, settings.bits, &samples, row.spacing)
        .map_err(|error| Error::io(&path, "written", error))?;
    row.look_in(writer.folder());
    Ok(row)
}

/// Adds what is known once the whole file is read.
fn complete(
    rows: &mut [Row],
    input: &Input,
    conversion: &Conversion,
    format: &'static str,
    mut identity: Identity,
    keys: &Keys,
) {
    let name = input.name();
    let below = name.get(input.start..).unwrap_or_default();
    let patient = identity.patient.as_deref().and_then(subject::of_patient).or(identity.study.as_deref());
    let of_volume = || (format == "nifti").then(|| name.clone());
    let subject = patient.map(str::to_owned).or_else(|| subject::of_path(below)).or_else(of_volume);
    let subject = subject.map(|subject| keys.subject(&subject));
    let grouped = conversion.series.map(|series| format!("{series:016x}"));
    let series = keys.series(grouped.as_deref().or(identity.series.as_deref()).unwrap_or(&name));
    let object = identity.object.take().map(String::into_boxed_str);
    let identity = Arc::new(identity);
    for row in rows {
        (row.format, row.subject, row.series) = (format, subject, series);
        row.identity = Arc::clone(&identity);
        row.object.clone_from(&object);
        row.flags.set("overlay", identity.overlay);
        row.flags.set("mosaic", identity.mosaic);
    }
}
