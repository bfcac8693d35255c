//! The tables that a query may name: those of the run folder, and two that are made of them.

use std::path::{Path, PathBuf};

use arrow_schema::DataType;
use deepmcat_schemas::catalog::{Entry, OF_DATASET, OF_RUN, Place};
use deepmcat_schemas::layout::{epochs, partition};
use deepmcat_schemas::{Column, Epoch};

use crate::Error;
use crate::epochs::Range;

/// The column that the folders of a table stand for.
pub const EPOCH: &str = "epoch";

/// Folders beside the run's own tables: what the result is compared with.
const BESIDE: [&str; 2] = ["baseline", "encoder"];

/// A table by the name that a query gives it.
#[derive(Debug)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// What it is read from.
    pub kind: Kind,
}

/// What a table is read from.
#[derive(Debug)]
pub enum Kind {
    /// A file, or the parts of a folder.
    Whole(Entry, PathBuf),
    /// The folders of these epochs.
    Epochs(Entry, PathBuf, Vec<Epoch>),
    /// The epochs of a run: `epoch`, `network`, `before`.
    Passes(PathBuf, Range),
    /// The flips at these epochs of a run: `epoch`, `image_id`, `from_cluster`, `to_cluster`.
    Flips(PathBuf, Range),
}

impl Source {
    /// Its columns.
    #[must_use]
    pub fn columns(&self) -> Vec<Column> {
        let number = |name, nullable, doc| Column { name, data_type: DataType::UInt32, nullable, doc };
        let epoch = number(EPOCH, false, "The epoch.");
        match &self.kind {
            Kind::Whole(entry, _) => (entry.columns)(),
            Kind::Epochs(entry, ..) => std::iter::once(epoch).chain((entry.columns)()).collect(),
            Kind::Passes(..) => vec![
                epoch,
                number("network", false, "The network that its cluster numbers follow."),
                number("before", true, "The epoch that it compares with; null at the first of a network."),
            ],
            Kind::Flips(..) => vec![
                epoch,
                number("image_id", false, "The image."),
                number("from_cluster", false, "Its cluster at the epoch before."),
                number("to_cluster", false, "Its cluster at the epoch."),
            ],
        }
    }
}

/// The tables of a run that are there.
///
/// # Errors
/// When a folder of the run cannot be listed.
pub fn of_run(run: &Path, range: Range) -> Result<Vec<Source>, Error> {
    let mut tables = Vec::new();
    for entry in OF_DATASET.into_iter().chain(OF_RUN) {
        let path = entry.path(run);
        if entry.place != Place::Epochs {
            tables
                .extend(path.exists().then(|| Source { name: entry.name.to_owned(), kind: Kind::Whole(entry, path) }));
            continue;
        }
        let there = epochs(&path)?;
        if !there.is_empty() {
            let there = there.into_iter().filter(|&epoch| range.contains(epoch)).collect();
            tables.push(Source { name: entry.name.to_owned(), kind: Kind::Epochs(entry, path, there) });
        }
        for folder in BESIDE {
            let path = run.join(folder).join(entry.name);
            let name = format!("{folder}_{}", entry.name);
            tables.extend(path.exists().then_some(Source { name, kind: Kind::Whole(entry, path) }));
        }
    }
    if tables.iter().any(|table| table.name == "assignments") {
        tables.push(Source { name: "epochs".to_owned(), kind: Kind::Passes(run.to_owned(), range) });
        tables.push(Source { name: "flips".to_owned(), kind: Kind::Flips(run.to_owned(), range) });
    }
    Ok(tables)
}

/// The folder of an epoch of a table.
#[must_use]
pub fn folder(table: &Path, epoch: Epoch) -> PathBuf {
    partition(table.parent().unwrap_or(Path::new("")), &table.file_name().unwrap_or_default().to_string_lossy(), epoch)
}
