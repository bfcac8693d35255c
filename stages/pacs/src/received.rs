//! The folder of what was received: `instances/STUDY/SERIES/INSTANCE.dcm`, beside it `series/STUDY/SERIES.json` for every series
//! that is complete, `state.json` with how far the server's history was read, and `received.json` with the counts.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use deepmcat_schemas::files::write_atomic_by_way_of;
use deepmcat_schemas::layout::{INSTANCES, TEMPORARY};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::archive::{Seen, Series};
use crate::uid;

/// An instance as it was received, by the name of its file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Row {
    /// Length of its file.
    pub bytes: u64,
    /// As of [`crate::archive::Instance`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// Why its file is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// The instances of a series.
pub(crate) type Rows = BTreeMap<String, Row>;

/// What was asked for, and how far the server's history was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    /// Address.
    pub server: String,
    /// The filters.
    pub filter: String,
    /// None while a list of all is at work.
    pub seen: Option<Seen>,
}

/// Counts of what was received.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Series.
    pub series: u64,
    /// Instances of them, each a file.
    pub instances: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// Instances whose file is empty, since they were not received.
    pub refused: u64,
}

/// The folder, locked for as long as this lives.
#[derive(Debug)]
pub(crate) struct Received {
    folder: PathBuf,
    /// Number of the next temporary file.
    next: AtomicU64,
    _lock: fs_err::File,
}

const STATE: &str = "state.json";
const SERIES: &str = "series";

impl Received {
    /// Opens the folder, or makes it.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        fs_err::create_dir_all(folder.join(INSTANCES))?;
        fs_err::create_dir_all(folder.join(SERIES))?;
        let lock = fs_err::OpenOptions::new().create(true).append(true).open(folder.join(".lock"))?;
        lock.file().try_lock().map_err(|_| Error::Busy { path: folder.to_owned() })?;
        let temporary = folder.join(TEMPORARY);
        if temporary.exists() {
            fs_err::remove_dir_all(&temporary)?;
        }
        fs_err::create_dir_all(&temporary)?;
        Ok(Self { folder: folder.to_owned(), next: AtomicU64::new(0), _lock: lock })
    }

    pub fn state(&self) -> Option<State> {
        serde_json::from_slice(&fs_err::read(self.folder.join(STATE)).ok()?).ok()
    }

    pub fn keep_state(&self, state: &State) -> Result<(), Error> {
        self.write(&self.folder.join(STATE), state)
    }

    fn write<T: Serialize>(&self, path: &Path, value: &T) -> Result<(), Error> {
        let text = serde_json::to_string(value).map_err(std::io::Error::other)? + "\n";
        // A folder of its own: the writer removes it when it is done.
        let temporary = self.folder.join(TEMPORARY).join("json");
        Ok(write_atomic_by_way_of(&temporary, path, |file| file.write_all(text.as_bytes()))?)
    }

    /// The folder of a series' instances.
    pub fn folder_of(&self, series: &Series) -> PathBuf {
        self.folder.join(INSTANCES).join(uid::name(&series.study)).join(uid::name(&series.series))
    }

    fn rows_of(&self, study: &str, series: &str) -> PathBuf {
        self.folder.join(SERIES).join(study).join(format!("{series}.json"))
    }

    /// What is known of a series.
    pub fn rows(&self, series: &Series) -> Rows {
        let path = self.rows_of(&uid::name(&series.study), &uid::name(&series.series));
        fs_err::read(path).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
    }

    /// A series is complete.
    pub fn keep_rows(&self, series: &Series, rows: &Rows) -> Result<(), Error> {
        let (study, name) = (uid::name(&series.study), uid::name(&series.series));
        let path = self.rows_of(&study, &name);
        fs_err::create_dir_all(path.parent().unwrap_or(&self.folder))?;
        self.rename_into(&path, &serde_json::to_vec(rows).map_err(std::io::Error::other)?)
    }

    /// Puts a file into its place.
    pub fn put(&self, folder: &Path, name: &str, bytes: &[u8]) -> Result<(), Error> {
        self.rename_into(&folder.join(name), bytes)
    }

    /// Writes a file under another name and renames it. It is durable with the whole, by [`Self::finish`]: to sync each takes
    /// longer than to receive it. What a power cut leaves of it has another length, and is received again.
    fn rename_into(&self, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        let temporary = self.folder.join(TEMPORARY).join(self.next.fetch_add(1, Ordering::Relaxed).to_string());
        fs_err::write(&temporary, bytes)?;
        Ok(fs_err::rename(temporary, path)?)
    }

    /// Removes the files of a series that are none of its instances.
    pub fn sweep(&self, folder: &Path, rows: &Rows) -> Result<u64, Error> {
        let mut removed = 0;
        for entry in fs_err::read_dir(folder)? {
            let path = entry?.path();
            if path.file_name().and_then(|name| name.to_str()).is_none_or(|name| !rows.contains_key(name)) {
                fs_err::remove_file(&path)?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Removes the series that the server has no longer.
    pub fn retain(&self, series: &[Series]) -> Result<u64, Error> {
        let kept: BTreeSet<(String, String)> =
            series.iter().map(|series| (uid::name(&series.study), uid::name(&series.series))).collect();
        let mut removed = 0;
        for study in folders(&self.folder.join(INSTANCES))? {
            for series in folders(&study)? {
                let name = (last(&study), last(&series));
                if kept.contains(&name) {
                    continue;
                }
                // Its instances first: without them the list of them is of no use.
                let rows = self.rows_of(&name.0, &name.1);
                if rows.exists() {
                    fs_err::remove_file(rows)?;
                }
                fs_err::remove_dir_all(&series)?;
                removed += 1;
            }
            // Only where nothing is left in it.
            drop(std::fs::remove_dir(&study));
        }
        Ok(removed)
    }

    /// True where every file that was received is still there, as long as it was.
    pub fn is_whole(&self) -> Result<bool, Error> {
        for study in folders(&self.folder.join(SERIES))? {
            for entry in fs_err::read_dir(&study)? {
                let path = entry?.path();
                let rows: Rows = serde_json::from_slice(&fs_err::read(&path)?).unwrap_or_default();
                let series = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".json"));
                let folder = self.folder.join(INSTANCES).join(last(&study)).join(series.unwrap_or_default());
                let there = |(name, row): (&String, &Row)| {
                    fs_err::metadata(folder.join(name)).is_ok_and(|file| file.len() == row.bytes)
                };
                if !rows.iter().all(there) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// The counts of the received files.
    pub fn counts(&self) -> Result<Counts, Error> {
        let mut counts = Counts::default();
        for study in folders(&self.folder.join(SERIES))? {
            for entry in fs_err::read_dir(&study)? {
                let rows: Rows = serde_json::from_slice(&fs_err::read(entry?.path())?).unwrap_or_default();
                counts.series += 1;
                counts.instances += rows.len() as u64;
                counts.bytes += rows.values().map(|row| row.bytes).sum::<u64>();
                counts.refused += rows.values().filter(|row| row.refused.is_some()).count() as u64;
            }
        }
        Ok(counts)
    }

    /// Makes all durable, then says that it is complete.
    pub fn finish(&self, path: &Path, counts: &Counts) -> Result<(), Error> {
        #[cfg(target_os = "linux")]
        rustix::fs::syncfs(fs_err::File::open(&self.folder)?.file()).map_err(std::io::Error::from)?;
        self.write(path, counts)
    }
}

fn folders(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut paths = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            paths.push(entry.path());
        }
    }
    Ok(paths)
}

fn last(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
