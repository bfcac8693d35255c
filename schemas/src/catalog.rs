//! Every table of rows that a run may hold: for the data dictionary, and for programs that are told a table by name.

use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;

use crate::layout::{DATASET, INPUTS, LABELS, MANIFEST, MODEL, REJECTS, REVIEW, SOURCES};
use crate::parquet_io::read_columns;
use crate::{
    Assignments, Audit, AuditSample, Categories, CategoryMetrics, Cells, ClassMetrics, Classifier, ClusterShares,
    Clusters, Column, Contradictions, Events, Inputs, Known, Labels, Manifest, Map, Members, Metrics, Names, Points,
    References, Rejects, Reliability, RiskCoverage, Samples, SchemaError, SeriesCategories, Sources, Table, Training,
};

/// Where a table lies below a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// One file of the data set's folder.
    Dataset(&'static str),
    /// A folder for each epoch, `NAME/epoch=T`, with parts in it.
    Epochs,
    /// One folder, `NAME`, with parts in it.
    Parts,
    /// One folder below that of the model, `model/NAME`, with parts in it.
    Model,
    /// A file for each result that was named, `review/NAME/RESULT.parquet`.
    Results,
}

/// A table, told by its name rather than by its type.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// Version of its schema.
    pub version: u32,
    /// What a row is.
    pub doc: &'static str,
    /// Where it lies.
    pub place: Place,
    /// Its columns.
    pub columns: fn() -> Vec<Column>,
    /// Reads columns of it by [`read_columns`], from a file or a folder of parts.
    pub read: fn(&Path, &[&str]) -> Result<Vec<RecordBatch>, SchemaError>,
}

impl Entry {
    const fn of<T: Table>(place: Place) -> Self {
        Self {
            name: T::NAME,
            version: T::VERSION,
            doc: T::DOC,
            place,
            columns: T::columns,
            read: |path, columns| read_columns::<T>(path, columns),
        }
    }

    /// The file, or the folder of the parts or of the epochs, in a run.
    #[must_use]
    pub fn path(&self, run: &Path) -> PathBuf {
        match self.place {
            Place::Dataset(file) => run.join(DATASET).join(file),
            Place::Epochs | Place::Parts => run.join(self.name),
            Place::Model => run.join(MODEL).join(self.name),
            Place::Results => run.join(REVIEW).join(self.name),
        }
    }
}

/// The tables of a data set.
pub const OF_DATASET: [Entry; 5] = [
    Entry::of::<Manifest>(Place::Dataset(MANIFEST)),
    Entry::of::<Labels>(Place::Dataset(LABELS)),
    Entry::of::<Sources>(Place::Dataset(SOURCES)),
    Entry::of::<Rejects>(Place::Dataset(REJECTS)),
    Entry::of::<Inputs>(Place::Dataset(INPUTS)),
];

/// The tables that a run adds, but for pixels and features, which are no tables of rows to be read whole.
pub const OF_RUN: [Entry; 18] = [
    Entry::of::<Assignments>(Place::Epochs),
    Entry::of::<Clusters>(Place::Epochs),
    Entry::of::<Samples>(Place::Epochs),
    Entry::of::<Training>(Place::Epochs),
    Entry::of::<Metrics>(Place::Epochs),
    Entry::of::<Events>(Place::Parts),
    Entry::of::<Map>(Place::Parts),
    Entry::of::<Cells>(Place::Parts),
    Entry::of::<Names>(Place::Parts),
    Entry::of::<Categories>(Place::Parts),
    Entry::of::<SeriesCategories>(Place::Parts),
    Entry::of::<Contradictions>(Place::Parts),
    Entry::of::<AuditSample>(Place::Parts),
    Entry::of::<Audit>(Place::Parts),
    Entry::of::<CategoryMetrics>(Place::Parts),
    Entry::of::<ClassMetrics>(Place::Parts),
    Entry::of::<RiskCoverage>(Place::Parts),
    Entry::of::<Reliability>(Place::Parts),
];

/// What people's decisions are about, beside the log of them.
pub const OF_REVIEW: [Entry; 1] = [Entry::of::<Members>(Place::Results)];

/// What puts other images into a result's categories.
pub const OF_MODEL: [Entry; 5] = [
    Entry::of::<Classifier>(Place::Model),
    Entry::of::<Points>(Place::Model),
    Entry::of::<References>(Place::Model),
    Entry::of::<ClusterShares>(Place::Model),
    Entry::of::<Known>(Place::Model),
];
