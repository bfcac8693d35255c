//! The rows of a data set's tables, some ten thousand at a time.

use std::collections::HashSet;

use deepmcat_schemas::{ImageId, Inputs as InputsTable, Labels, Manifest, Rejects as RejectsTable, Sources};

use crate::image::{Row, written};
use crate::inputs::{Inputs, Origin};
use crate::keys::Keys;
use crate::reject::Rejects;
use crate::slice::Identity;

/// Rows made at a time: a multiple of what Parquet's writer looks at.
const PART: usize = 1 << 16;

/// What the tables of a data set, or of a batch of it, are made of.
pub(crate) struct Content<'a> {
    /// All inputs of the archive.
    pub inputs: &'a Inputs,
    /// What hides names.
    pub keys: &'a Keys,
    /// The inputs to account for.
    pub accounts: &'a [u32],
    /// By input the hash of what was read of it; 0 where nothing was.
    pub work: &'a [u64],
    /// Images, in the order of their ids.
    pub rows: &'a [Row],
    /// Files without images, and frames that became none.
    pub rejects: &'a Rejects,
    /// Of these those that come before the first that is meant.
    pub rejected: usize,
    /// Bits a pixel of the PNGs.
    pub bits: u8,
}

/// A hash as the tables have it.
fn hex(hash: u64) -> String {
    format!("{hash:016x}")
}

/// Parts of a list with the place of their first rows; one without rows where the list has none.
fn parts<T>(all: &[T]) -> impl Iterator<Item = (usize, &[T])> {
    let empty = all.is_empty().then_some((0, all));
    empty.into_iter().chain(all.chunks(PART).enumerate().map(|(part, rows)| (part * PART, rows)))
}

impl Content<'_> {
    pub(super) fn manifest(&self) -> impl Iterator<Item = Manifest> {
        parts(self.rows).map(|(first, rows)| {
            let mut manifest = Manifest::default();
            for (id, row) in rows.iter().enumerate() {
                manifest.image_id.push(ImageId((first + id) as u32));
                manifest.key.push(hex(row.key));
                manifest.path.push(row.relative());
                manifest.subject.push(row.subject.map(hex));
                manifest.series.push(hex(row.series));
                manifest.slice.push(row.slice);
                manifest.pixels.push(hex(row.pixels));
                manifest.width.push(row.width);
                manifest.height.push(row.height);
                manifest.spacing_x.push(row.spacing.map(|spacing| spacing.0));
                manifest.spacing_y.push(row.spacing.map(|spacing| spacing.1));
                manifest.bits.push(self.bits.into());
                manifest.window_low.push(row.window.0);
                manifest.window_high.push(row.window.1);
                manifest.format.push(row.format.to_owned());
                manifest.burned_in.push(row.identity.burned_in);
                let flags = row.flags.names().collect::<Vec<_>>().join(",");
                manifest.flags.push(Some(flags).filter(|flags| !flags.is_empty()));
            }
            manifest
        })
    }

    pub(super) fn labels(&self) -> impl Iterator<Item = Labels> {
        parts(self.rows).map(|(first, rows)| {
            let labelled = rows.iter().zip(first..).filter_map(|(row, id)| Some((id, row.label.as_deref()?)));
            let (image_id, label) = labelled.map(|(id, label)| (ImageId(id as u32), label.clone())).unzip();
            Labels { image_id, label }
        })
    }

    /// The keyed hash of an input.
    fn key(&self, Origin { source, member }: &Origin) -> String {
        hex(self.keys.input(source, member.as_deref()))
    }

    pub(super) fn sources(&self) -> impl Iterator<Item = Sources> {
        let with_images: HashSet<u32> = self.rows.iter().map(|row| row.input).collect();
        let others: Vec<u32> = self.accounts.iter().copied().filter(|input| !with_images.contains(input)).collect();
        let all: Vec<usize> = (0..self.rows.len() + others.len()).step_by(PART).collect();
        let all = if all.is_empty() { vec![0] } else { all };
        all.into_iter().map(move |first| {
            let mut sources = Sources::default();
            let end = (first + PART).min(self.rows.len() + others.len());
            for at in first..end {
                let row = self.rows.get(at);
                let input = row.map_or_else(|| others[at - self.rows.len()], |row| row.input);
                let origin = self.inputs.origin(input);
                let identity = |part: fn(&Identity) -> &Option<String>| row.and_then(|row| part(&row.identity).clone());
                sources.input.push(self.key(&origin));
                sources.image_id.push(row.map(|_| at as u32));
                sources.source.push(origin.source);
                sources.member.push(origin.member);
                sources.frame.push(row.map_or(0, |row| row.frame));
                sources.slice.push(row.map_or(0, |row| row.slice));
                sources.patient_id.push(identity(|identity| &identity.patient));
                sources.study_uid.push(identity(|identity| &identity.study));
                sources.series_uid.push(identity(|identity| &identity.series));
                sources.sop_uid.push(row.and_then(|row| row.object.as_deref().map(str::to_owned)));
                sources.series_description.push(identity(|identity| &identity.description));
            }
            sources
        })
    }

    pub(super) fn rejects(&self) -> impl Iterator<Item = RejectsTable> {
        let mut rejects = self.rejects.since(self.rejected).peekable();
        let mut first = true;
        std::iter::from_fn(move || {
            if !std::mem::take(&mut first) && rejects.peek().is_none() {
                return None;
            }
            let mut table = RejectsTable::default();
            for reject in rejects.by_ref().take(PART) {
                table.input.push(self.key(&self.inputs.origin(reject.input)));
                table.frame.push(reject.frames.map(|frames| frames.first));
                table.frames.push(reject.frames.map(|frames| frames.count));
                table.reason.push(reject.reason.to_string());
                table.message.push(reject.message.to_owned());
            }
            Some(table)
        })
    }

    pub(super) fn inputs(&self) -> impl Iterator<Item = InputsTable> {
        // Images by their inputs; those of one in the order of their ids.
        let mut images: Vec<u32> = (0..self.rows.len() as u32).collect();
        images.sort_by_key(|&row| self.rows[row as usize].input);
        parts(self.accounts).map(move |(_, inputs)| {
            let mut table = InputsTable::default();
            for &input in inputs {
                let stat = self.inputs.stat(input);
                let from = images.partition_point(|&row| self.rows[row as usize].input < input);
                let rows = images[from..].iter().map(|&row| &self.rows[row as usize]);
                table.input.push(self.key(&self.inputs.origin(input)));
                table.bytes.push(stat.bytes);
                table.modified.push(stat.modified);
                table.changed.push(stat.changed);
                table.inode.push(stat.inode);
                table.work.push(self.work[input as usize]);
                table.written.push(written(rows.take_while(|row| row.input == input)));
            }
            table
        })
    }
}
