//! Reads for Polars the columns of a table that a query needs, when it needs them.

use std::any::Any;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use deepmcat_schemas::catalog::Entry;
use deepmcat_schemas::{Column as OwnColumn, Epoch};
use polars::prelude::{
    AnonymousScan, AnonymousScanArgs, Column, DataFrame, IntoColumn, NewChunkedArray, PolarsError, PolarsResult,
    Schema, SchemaRef, UInt32Chunked,
};
use rayon::prelude::*;

use super::frame::{data_type, of_batches};
use super::tables::{EPOCH, Kind, Source, folder};
use crate::Error;
use crate::epochs::{self, Pass};
use crate::history::{ABSENT, History};

/// What kept a table from being read: Polars' own error is but a text.
#[derive(Debug, Clone, Default)]
pub(super) struct Failed(Arc<Mutex<Option<Error>>>);

impl Failed {
    pub(super) fn take(&self) -> Option<Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn keep(&self, error: Error) -> PolarsError {
        let text = error.to_string();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        PolarsError::ComputeError(text.into())
    }
}

/// A table as Polars scans it.
pub(super) struct Scan {
    pub(super) table: Arc<Source>,
    pub(super) failed: Failed,
}

impl AnonymousScan for Scan {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn allows_projection_pushdown(&self) -> bool {
        true
    }

    fn schema(&self, _: Option<usize>) -> PolarsResult<SchemaRef> {
        let columns = self.table.columns();
        let fields = columns.iter().map(|column| Ok((column.name.into(), data_type(&column.data_type)?)));
        Ok(Arc::new(fields.collect::<PolarsResult<Schema>>()?))
    }

    fn scan(&self, wanted: AnonymousScanArgs) -> PolarsResult<DataFrame> {
        let is_wanted = |name: &str| wanted.with_columns.as_ref().is_none_or(|some| some.iter().any(|one| one == name));
        let columns: Vec<OwnColumn> = self.table.columns().into_iter().filter(|own| is_wanted(own.name)).collect();
        let mut frames = read(&self.table, &columns)
            .map_err(|error| match error {
                Trouble::Own(error) => self.failed.keep(error),
                Trouble::Polars(error) => error,
            })?
            .into_iter();
        let Some(mut frame) = frames.next() else { return of_batches(&[], &columns) };
        for more in frames {
            frame.vstack_mut_owned(more)?;
        }
        Ok(match wanted.n_rows {
            Some(most) => frame.head(Some(most)),
            None => frame,
        })
    }
}

/// What can go wrong in a scan.
enum Trouble {
    Own(Error),
    Polars(PolarsError),
}

impl<E: Into<Error>> From<E> for Trouble {
    fn from(error: E) -> Self {
        Self::Own(error.into())
    }
}

/// The rows of a table in these columns, in parts.
fn read(table: &Source, columns: &[OwnColumn]) -> Result<Vec<DataFrame>, Trouble> {
    match &table.kind {
        Kind::Whole(entry, path) => Ok(vec![part(entry, path, columns)?]),
        Kind::Epochs(entry, path, epochs) => {
            let stored: Vec<OwnColumn> = columns.iter().filter(|column| column.name != EPOCH).cloned().collect();
            let of_epoch = |&epoch: &Epoch| -> Result<DataFrame, Trouble> {
                let mut frame = part(entry, &folder(path, epoch), &stored)?;
                if stored.len() < columns.len() {
                    frame.insert_column(0, constant(epoch, frame.height())).map_err(Trouble::Polars)?;
                }
                Ok(frame)
            };
            epochs.par_iter().map(of_epoch).collect()
        }
        Kind::Passes(run, range) => {
            let passes = epochs::of_run(run)?.into_iter().filter(|pass| range.contains(pass.epoch));
            Ok(vec![of_passes(&passes.collect::<Vec<_>>(), columns).map_err(Trouble::Polars)?])
        }
        Kind::Flips(run, range) => {
            // Those before the range are what its first epochs compare with.
            let history = History::load(run, epochs::of_run(run)?, 0)?;
            let places = 0..history.passes.len();
            let places: Vec<usize> = places.filter(|&place| range.contains(history.passes[place].epoch)).collect();
            let frames = places.into_par_iter().map(|place| flips(&history, place, columns));
            frames.collect::<PolarsResult<_>>().map_err(Trouble::Polars)
        }
    }
}

fn part(entry: &Entry, path: &Path, columns: &[OwnColumn]) -> Result<DataFrame, Trouble> {
    let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
    of_batches(&(entry.read)(path, &names)?, columns).map_err(Trouble::Polars)
}

fn constant(epoch: Epoch, rows: usize) -> Column {
    Column::new_scalar(EPOCH.into(), epoch.0.into(), rows)
}

/// Rows of whole numbers; `of` says the number of a row in a column.
fn numbers<T>(rows: &[T], columns: &[OwnColumn], of: impl Fn(&T, &str) -> Option<u32>) -> PolarsResult<DataFrame> {
    let column = |column: &OwnColumn| {
        let values = rows.iter().map(|row| of(row, column.name));
        UInt32Chunked::from_iter_options(column.name.into(), values).into_column()
    };
    DataFrame::new(rows.len(), columns.iter().map(column).collect())
}

fn of_passes(passes: &[Pass], columns: &[OwnColumn]) -> PolarsResult<DataFrame> {
    numbers(passes, columns, |pass, name| match name {
        EPOCH => Some(pass.epoch.0),
        "network" => Some(pass.network),
        _ => pass.before.map(|before| before.0),
    })
}

/// The flips at one epoch.
fn flips(history: &History, place: usize, columns: &[OwnColumn]) -> PolarsResult<DataFrame> {
    let before: &[u32] = history.before(place).map_or(&[], |before| history.at(before));
    let moves = before.iter().zip(history.at(place)).enumerate();
    let moves = moves.filter(|(_, (before, now))| before != now && **before != ABSENT && **now != ABSENT);
    let moves: Vec<(usize, (&u32, &u32))> = moves.collect();
    let epoch = history.passes[place].epoch.0;
    numbers(&moves, columns, |&(image, (from, to)), name| match name {
        EPOCH => Some(epoch),
        "image_id" => Some(image as u32),
        "from_cluster" => Some(*from),
        _ => Some(*to),
    })
}
