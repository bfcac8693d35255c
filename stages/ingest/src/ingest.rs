//! The job: from an archive to a data set, one room after the other.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use deepmcat_stage::Progress;
use rayon::prelude::*;

use crate::choose::{self, Choice};
use crate::discover::{self, Found};
use crate::earlier::Earlier;
use crate::error::Error;
use crate::formats::FORMATS;
use crate::image::Row;
use crate::inputs::Inputs;
use crate::publish::{Content, Writer};
use crate::recipe::Recipe;
use crate::rules::Rules;
use crate::settings::{Settings, Stamps};
use crate::summary::Summary;
use crate::texts::Terms;
use crate::{convert, durable, image, scan};

/// Stack of a worker: DICOM sequences nest, and their reader calls itself.
const STACK: usize = 64 << 20;

/// Makes the data set `out` of all files below `inputs`; in a dry run writes nothing.
///
/// The same inputs, settings and stamp give the same bytes, whatever the number of threads.
///
/// # Errors
/// When an input is absent, `out` must not be replaced, a class rule is faulty, nothing is an image, or a file
/// cannot be written. A bad input file is a row of the rejects.
pub fn ingest(
    inputs: &[PathBuf],
    out: &Path,
    settings: &Settings,
    stamps: &Stamps,
    dry_run: bool,
) -> Result<Summary, Error> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(settings.threads as usize)
        .stack_size(STACK)
        .build()
        .map_err(|source| Error::Threads { threads: settings.threads, source })?;
    let rules = Rules::load(&settings.rules)?;
    let mut found = pool.install(|| discover::discover(inputs, out, settings.zip))?;
    // Before anything is read, so that an unchanged archive is not.
    let target = if dry_run { None } else { Some(Target::open(out, settings, &rules, stamps, &found)?) };
    if let Some(summary) = target.as_ref().and_then(|target| target.earlier.unchanged(out, &found)) {
        tracing::info!("{}: no input has changed; --fresh makes it again", out.display());
        return target.map_or(Ok(()), |target| target.writer.leave()).map(|()| summary);
    }
    let rejects = std::mem::take(&mut found.rejects);
    let choice = pool.install(|| {
        let scan = scan::scan(&found.inputs, rejects, &rules, settings);
        choose::choose(scan, &found.inputs, settings)
    });
    match target {
        None => Ok(pool.install(|| would_be(choice, &found.inputs, &rules, settings))),
        Some(target) => target.make(&pool, choice, &found.inputs, &rules, settings),
    }
}

/// The counts of a dry run.
fn would_be(mut choice: Choice, inputs: &Inputs, rules: &Rules, settings: &Settings) -> Summary {
    let conversions = std::mem::take(&mut choice.conversions);
    for conversion in &conversions {
        let left: Vec<_> = choice.left(conversion).collect();
        left.iter().for_each(|reject| choice.rejects.push(conversion.input, reject));
    }
    let counts: Vec<(u64, u64)> = conversions
        .par_iter()
        .map(|conversion| {
            let format = FORMATS[conversion.format as usize];
            format.count(&inputs.get(conversion.input).place, choice.chosen(conversion), settings.frames)
        })
        .collect();
    let other = conversions.iter().filter(|conversion| choice.chosen(conversion).is_empty()).count() as u64;
    let label = |class: Option<u32>| class.map(|class| choice.classes.get(class).as_str());
    let labels = conversions.iter().zip(&counts).map(|(conversion, (images, _))| (label(conversion.class), *images));
    let mut summary = Summary {
        inputs: inputs.len() as u64,
        files: conversions.len() as u64,
        images: Some(counts.iter().map(|(images, _)| images).sum()),
        series: choice.series + other,
        ..Summary::new(labels, &choice.rejects, rules, &choice.tally)
    };
    summary.later(counts.iter().map(|(_, later)| later).sum());
    summary
}

/// The data set that is to be made.
struct Target<'a> {
    writer: Writer,
    earlier: Earlier,
    stamps: &'a Stamps,
}

impl<'a> Target<'a> {
    fn open(out: &Path, settings: &Settings, rules: &Rules, stamps: &'a Stamps, found: &Found) -> Result<Self, Error> {
        let recipe = Recipe::of(settings, rules, &stamps.images.stage_version);
        let writer = Writer::new(out, recipe.clone(), settings.fresh)?;
        for (input, prefix) in &found.empty {
            if let files @ 1.. = writer.earlier_inputs(prefix) {
                writer.abandon()?;
                return Err(Error::EmptyNow { input: input.clone(), out: out.to_owned(), files });
            }
        }
        let earlier = if settings.fresh {
            Earlier::none(&settings.keys)
        } else {
            Earlier::load(out, &writer.batches, &recipe, &settings.keys)
        };
        Ok(Self { writer, earlier, stamps })
    }

    /// Converts what is planned, and publishes it.
    fn make(
        self,
        pool: &rayon::ThreadPool,
        mut choice: Choice,
        inputs: &Inputs,
        rules: &Rules,
        settings: &Settings,
    ) -> Result<Summary, Error> {
        let Self { mut writer, earlier, stamps } = self;
        let (keys, bits) = (&settings.keys, settings.bits);
        let (conversions, mut rejects) = (std::mem::take(&mut choice.conversions), std::mem::take(&mut choice.rejects));
        let (mut rows, mut work) = (Vec::<Row>::new(), vec![0; inputs.len()]);
        let (mut labels, mut identities) = (Terms::default(), Terms::default());
        let progress = Progress::new(conversions.len() as u64, "files converted");
        let write_back = durable::WriteBack::start(writer.folder());
        for chunk in conversions.chunks(settings.batch) {
            let convert = || convert::convert(inputs, &choice, chunk, settings, &writer, &earlier, &progress);
            let outcomes = pool.install(convert)?;
            let (from, rejected) = (rows.len(), rejects.len());
            for (conversion, outcome) in chunk.iter().zip(outcomes) {
                work[conversion.input as usize] = conversion.work;
                let label = conversion.class.map(|class| labels.shared(choice.classes.get(class).clone()));
                for mut row in outcome.rows {
                    row.label.clone_from(&label);
                    row.identity = identities.shared(Arc::unwrap_or_clone(row.identity));
                    rows.push(row);
                }
                outcome.rejects.iter().for_each(|(input, reject)| rejects.push(*input, reject));
            }
            // The last batch is followed by the whole.
            if chunk.len() == settings.batch {
                let accounts: &[u32] = &chunk.iter().map(|conversion| conversion.input).collect::<Vec<_>>();
                let (rows, rejects, work) = (&rows[from..], &rejects, &work);
                let batch = Content { inputs, keys, accounts, work, rows, rejects, rejected, bits };
                writer.batch(&batch, &stamps.images)?;
            }
        }
        drop((write_back, conversions, identities));
        progress.finish();
        rejects.sort_by(|a, b| inputs.by_name(a, b));
        earlier.order(&mut rows);
        image::mark_duplicates(&mut rows);
        let mut files: Vec<u32> = rows.iter().map(|row| row.input).collect();
        files.dedup();
        let labels = rows.iter().map(|row| (row.label.as_ref().map(|label| label.as_str()), 1));
        let summary = Summary {
            inputs: inputs.len() as u64,
            files: files.into_iter().collect::<HashSet<_>>().len() as u64,
            taken_over: earlier.taken(),
            images: Some(rows.len() as u64),
            series: rows.iter().map(|row| row.series).collect::<HashSet<_>>().len() as u64,
            flags: Summary::flags(&rows),
            ..Summary::new(labels, &rejects, rules, &choice.tally)
        };
        drop((choice, earlier));
        let accounts: &[u32] = &(0..inputs.len() as u32).collect::<Vec<_>>();
        let (rows, work) = (&rows, &work);
        let content = Content { inputs, keys, accounts, work, rows, rejects: &rejects, rejected: 0, bits };
        publish(writer, &content, stamps, summary)
    }
}

/// Puts the data set into place; never nothing in the place of something.
fn publish(writer: Writer, content: &Content<'_>, stamps: &Stamps, summary: Summary) -> Result<Summary, Error> {
    check_keys(content)?;
    let (inputs, none) = (content.inputs.len(), content.rows.is_empty());
    if none && let images @ 1.. = writer.earlier_images() {
        let (out, reasons) = (writer.out().to_owned(), summary.reasons());
        writer.abandon()?;
        return Err(Error::NothingLeft { out, inputs, reasons, images });
    }
    writer.finish(content, &stamps.images, &stamps.labels)?;
    if none { Err(Error::NoImages { inputs, reasons: summary.reasons() }) } else { Ok(summary) }
}

/// No two images may have one key, since it names the PNG, and no two inputs.
fn check_keys(content: &Content<'_>) -> Result<(), Error> {
    let doubled = |mut keys: Vec<u64>| {
        keys.sort_unstable();
        keys.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| format!("{:016x}", pair[0]))
    };
    let collision = |what, keys| doubled(keys).map_or(Ok(()), |key| Err(Error::Collision { what, key }));
    collision("images", content.rows.iter().map(|row| row.key).collect())?;
    let of = |&input: &u32| {
        let origin = content.inputs.origin(input);
        content.keys.input(&origin.source, origin.member.as_deref())
    };
    collision("inputs", content.accounts.iter().map(of).collect())
}
