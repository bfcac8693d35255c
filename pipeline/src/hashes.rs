//! Content hashes of files and folders. What a file is, is its content: never its time.
//!
//! Size, time and inode serve only to skip reading a file again that has not been touched, as git's index does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::run_folder::write_text;

/// A file changed this recently may change again without its time showing it: its hash is not kept.
const SETTLED: Duration = Duration::from_secs(2);

/// What the file system says of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Stat {
    size: u64,
    modified_ns: u64,
    inode: u64,
}

/// Hashes of files read before, kept in `receipts/hashes.json`.
#[derive(Debug)]
pub struct Hashes {
    store: PathBuf,
    known: Mutex<BTreeMap<PathBuf, (Stat, String)>>,
    changed: AtomicBool,
}

impl Hashes {
    /// Opens the hashes kept in a run folder; none where the file is absent or damaged, or everything is to be read.
    #[must_use]
    pub fn open(run: &Path, read_all: bool) -> Self {
        let store = run.join("receipts/hashes.json");
        let kept = || fs_err::read(&store).ok().and_then(|text| serde_json::from_slice(&text).ok());
        let known = if read_all { None } else { kept() };
        Self { store, known: Mutex::new(known.unwrap_or_default()), changed: AtomicBool::new(read_all) }
    }

    /// Keeps the hashes for the next time.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self) -> Result<(), Error> {
        if !self.changed.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        let known = self.known.lock().map(|known| serde_json::to_string(&*known)).ok();
        match known {
            Some(Ok(text)) => write_text(&self.store, &text),
            _ => Ok(()),
        }
    }

    /// Hash of a file, or of a folder: the names below it and the hashes of their contents, in order.
    /// `None` where there is nothing.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn of(&self, path: &Path) -> Result<Option<String>, Error> {
        self.read(path, SETTLED)
    }

    /// As [`Self::of`], for what a stage has just written under another name and renamed: a table is never changed in
    /// place, so its hash is kept however young it is.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn of_written(&self, path: &Path) -> Result<Option<String>, Error> {
        self.read(path, Duration::ZERO)
    }

    fn read(&self, path: &Path, settled: Duration) -> Result<Option<String>, Error> {
        if path.is_file() {
            return self.of_file(path, settled).map(Some);
        }
        if !path.is_dir() {
            return Ok(None);
        }
        let mut files = Vec::new();
        for entry in walkdir::WalkDir::new(path).follow_links(true).sort_by_file_name() {
            match entry {
                Ok(entry) if entry.file_type().is_file() => files.push(entry.into_path()),
                // What cannot be listed is ingest's to reject by name.
                _ => {}
            }
        }
        if files.is_empty() {
            return Ok(None);
        }
        // A file that cannot be read is no end: its name counts, and ingest rejects it.
        let hashes: Vec<String> =
            files.par_iter().map(|file| self.of_file(file, settled).unwrap_or_default()).collect();
        let mut hasher = blake3::Hasher::new();
        for (file, hash) in files.iter().zip(hashes) {
            let name = file.strip_prefix(path).unwrap_or(file);
            hasher.update(name.as_os_str().as_encoded_bytes()).update(b"\0").update(hash.as_bytes());
        }
        Ok(Some(hasher.finalize().to_hex().to_string()))
    }

    fn of_file(&self, path: &Path, settled: Duration) -> Result<String, Error> {
        let before = stat(path)?;
        if let Ok(known) = self.known.lock()
            && let Some((stat, hash)) = known.get(path)
            && *stat == before.0
        {
            return Ok(hash.clone());
        }
        let hash = deepmcat_schemas::files::hash_file(path)?;
        if before.1.elapsed().is_ok_and(|age| age > settled)
            && let Ok(mut known) = self.known.lock()
        {
            known.insert(path.to_owned(), (before.0, hash.clone()));
            self.changed.store(true, Ordering::Relaxed);
        }
        Ok(hash)
    }
}

fn stat(path: &Path) -> Result<(Stat, SystemTime), Error> {
    let metadata = fs_err::metadata(path)?;
    let modified = metadata.modified()?;
    let nanoseconds = modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    #[cfg(unix)]
    let inode = std::os::unix::fs::MetadataExt::ino(&metadata);
    #[cfg(not(unix))]
    let inode = 0;
    let modified_ns = u64::try_from(nanoseconds).unwrap_or(u64::MAX);
    Ok((Stat { size: metadata.len(), modified_ns, inode }, modified))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn content_and_names_count_and_nothing_else_does() {
        let folder = tempfile::tempdir().unwrap();
        let table = folder.path().join("table");
        fs_err::create_dir_all(&table).unwrap();
        let hashes = Hashes::open(folder.path(), false);
        assert_eq!(hashes.of(&table).unwrap(), None);
        fs_err::write(table.join("part-0"), b"one").unwrap();
        let one = hashes.of(&table).unwrap();
        fs_err::write(table.join("part-0"), b"two").unwrap();
        let two = hashes.of(&table).unwrap();
        assert_ne!(one, two);
        fs_err::write(table.join("part-0"), b"one").unwrap();
        assert_eq!(hashes.of(&table).unwrap(), one);
        fs_err::rename(table.join("part-0"), table.join("part-1")).unwrap();
        assert_ne!(hashes.of(&table).unwrap(), one);
    }
}
