//! Content hashes of files and folders. What a table is, is its content: never its time.
//!
//! Size, times and inode serve only to skip reading a file again that has not been touched, as git's index does. Of the
//! archive nothing is read: see [`crate::archive`].

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use deepmcat_schemas::FileStat;
use rayon::prelude::*;

use crate::run_folder::write_text;
use crate::stop::Stop;
use crate::{Error, archive};

/// A file changed this recently may change again without its time showing it: its hash is not kept.
const SETTLED: Duration = Duration::from_secs(2);

/// How often a line says how far the look at an archive is.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Bytes read between two looks at whether a signal came.
const BUFFER: usize = 1 << 20;

/// Hashes of files read before, kept in `receipts/hashes.json` by path below the run folder.
#[derive(Debug)]
pub struct Hashes {
    run: PathBuf,
    known: Mutex<BTreeMap<PathBuf, (FileStat, String)>>,
    changed: AtomicBool,
    read_all: bool,
    /// What this process has seen of archives.
    archives: Mutex<BTreeMap<PathBuf, Option<String>>>,
    /// Ends reading when a signal comes.
    stop: Option<Stop>,
}

impl Hashes {
    /// Opens the hashes kept in a run folder; none where the file is absent or damaged, or everything is to be read.
    #[must_use]
    pub fn open(run: &Path, read_all: bool) -> Self {
        let kept = || fs_err::read(store(run)).ok().and_then(|text| serde_json::from_slice(&text).ok());
        let known = if read_all { None } else { kept() };
        Self {
            run: run.to_owned(),
            known: Mutex::new(known.unwrap_or_default()),
            changed: AtomicBool::new(read_all),
            read_all,
            archives: Mutex::default(),
            stop: None,
        }
    }

    /// As these, but reading ends when a signal comes.
    #[must_use]
    pub fn until(self, stop: &Stop) -> Self {
        Self { stop: Some(stop.clone()), ..self }
    }

    /// Whether every table is read again, whatever the file system says (`--verify`).
    #[must_use]
    pub fn reads_all(&self) -> bool {
        self.read_all
    }

    /// Keeps the hashes for the next time.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self) -> Result<(), Error> {
        if !self.changed.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        let text = self.known.lock().map(|mut known| {
            // Of what retention removed its receipt has the hash.
            known.retain(|path, _| self.run.join(path).exists());
            serde_json::to_string(&*known)
        });
        match text {
            Ok(Ok(text)) => write_text(&self.run, &store(&self.run), &text),
            _ => Ok(()),
        }
    }

    /// Hash of a file, or of a folder: the names below it and the hashes of their contents, in order.
    /// `None` where there is nothing.
    ///
    /// # Errors
    /// When a file cannot be read, or a signal comes.
    pub fn of(&self, path: &Path) -> Result<Option<String>, Error> {
        self.read(path, SETTLED, self.stop.as_ref())
    }

    /// As [`Self::of`], for what a stage has just written under another name and renamed: a table is never changed in
    /// place, so its hash is kept however young it is. A signal does not end it: the work of the stage would be lost.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn of_written(&self, path: &Path) -> Result<Option<String>, Error> {
        self.read(path, Duration::ZERO, None)
    }

    /// Hash of what the file system says of an archive, looked at once by this process. `None` where it is empty.
    ///
    /// # Errors
    /// When there is no such file or folder, or a signal comes.
    pub fn of_archive(&self, root: &Path) -> Result<Option<String>, Error> {
        if let Some(known) = self.archives.lock().ok().and_then(|known| known.get(root).cloned()) {
            return Ok(known);
        }
        if !root.exists() {
            return Err(Error::NoInput { path: root.to_owned() });
        }
        let mut last = Instant::now();
        let hash = archive::fingerprint(root, |seen| {
            if last.elapsed() >= LINE_EVERY {
                last = Instant::now();
                tracing::info!("looking for changes in the archive: {seen} files so far, none is read");
            }
            self.not_stopped(self.stop.as_ref())
        })?;
        if let Ok(mut known) = self.archives.lock() {
            known.insert(root.to_owned(), hash.clone());
        }
        Ok(hash)
    }

    fn not_stopped(&self, stop: Option<&Stop>) -> Result<(), Error> {
        match stop.and_then(Stop::signal) {
            Some(signal) => Err(Error::Stopped { path: self.run.clone(), signal }),
            None => Ok(()),
        }
    }

    fn read(&self, path: &Path, settled: Duration, stop: Option<&Stop>) -> Result<Option<String>, Error> {
        if path.is_file() {
            return self.of_file(path, settled, stop).map(Some);
        }
        if !path.is_dir() {
            return Ok(None);
        }
        let mut files = Vec::new();
        for entry in walkdir::WalkDir::new(path).sort_by_file_name() {
            match entry {
                Ok(entry) if entry.file_type().is_file() => files.push(entry.into_path()),
                // What cannot be listed is not there: the node that wrote it runs again.
                _ => {}
            }
        }
        if files.is_empty() {
            return Ok(None);
        }
        let hash = |file: &PathBuf| match self.of_file(file, settled, stop) {
            Err(stopped @ Error::Stopped { .. }) => Err(stopped),
            // A file that cannot be read is not what was written.
            other => Ok(other.unwrap_or_default()),
        };
        let hashes = files.par_iter().map(hash).collect::<Result<Vec<_>, _>>()?;
        let mut hasher = blake3::Hasher::new();
        for (file, hash) in files.iter().zip(hashes) {
            let name = file.strip_prefix(path).unwrap_or(file);
            hasher.update(name.as_os_str().as_encoded_bytes()).update(b"\0").update(hash.as_bytes());
        }
        Ok(Some(hasher.finalize().to_hex().to_string()))
    }

    fn of_file(&self, path: &Path, settled: Duration, stop: Option<&Stop>) -> Result<String, Error> {
        let before = FileStat::of(path)?;
        let name = path.strip_prefix(&self.run).unwrap_or(path);
        if let Ok(known) = self.known.lock()
            && let Some((stat, hash)) = known.get(name)
            && *stat == before
        {
            return Ok(hash.clone());
        }
        let hash = self.content(path, stop)?;
        if age(&before).is_some_and(|age| age > settled)
            && let Ok(mut known) = self.known.lock()
        {
            known.insert(name.to_owned(), (before, hash.clone()));
            self.changed.store(true, Ordering::Relaxed);
        }
        Ok(hash)
    }

    fn content(&self, path: &Path, stop: Option<&Stop>) -> Result<String, Error> {
        let mut file = fs_err::File::open(path)?;
        let (mut hasher, mut buffer) = (blake3::Hasher::new(), vec![0; BUFFER]);
        loop {
            self.not_stopped(stop)?;
            match file.read(&mut buffer)? {
                0 => return Ok(hasher.finalize().to_hex().to_string()),
                n => hasher.update(&buffer[..n]),
            };
        }
    }
}

fn store(run: &Path) -> PathBuf {
    run.join("receipts/hashes.json")
}

/// How long ago a file was last changed; none where that is in the future.
fn age(stat: &FileStat) -> Option<Duration> {
    let last = UNIX_EPOCH + Duration::from_nanos(stat.modified.max(stat.changed));
    SystemTime::now().duration_since(last).ok()
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

    #[test]
    fn what_is_kept_is_of_the_run_alone_and_moves_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let (run, table) = (folder.path().join("run"), folder.path().join("run/table"));
        fs_err::create_dir_all(&table).unwrap();
        fs_err::create_dir_all(folder.path().join("archive")).unwrap();
        fs_err::write(folder.path().join("archive/1.png"), "an image").unwrap();
        fs_err::write(table.join("part-0"), "rows").unwrap();
        let hashes = Hashes::open(&run, false);
        let hash = hashes.of_written(&table).unwrap();
        hashes.of_archive(&folder.path().join("archive")).unwrap();
        hashes.save().unwrap();
        let kept = || -> BTreeMap<PathBuf, (FileStat, String)> {
            serde_json::from_slice(&fs_err::read(store(&run)).unwrap()).unwrap()
        };
        assert_eq!(kept().into_keys().collect::<Vec<_>>(), [Path::new("table/part-0")]);
        // Known from then on: what is read again would have another hash.
        let mut known = kept();
        known.get_mut(Path::new("table/part-0")).unwrap().1 = "remembered".to_owned();
        fs_err::write(store(&run), serde_json::to_string(&known).unwrap()).unwrap();
        assert_eq!(Hashes::open(&run, false).of(&table.join("part-0")).unwrap().as_deref(), Some("remembered"));
        assert_eq!(Hashes::open(&run, true).of(&table).unwrap(), hash);
        // What is gone is forgotten.
        fs_err::remove_dir_all(&table).unwrap();
        let hashes = Hashes::open(&run, false);
        hashes.changed.store(true, Ordering::Relaxed);
        hashes.save().unwrap();
        assert!(kept().is_empty());
    }

    #[test]
    fn a_signal_ends_reading_but_not_of_what_a_stage_has_just_written() {
        let folder = tempfile::tempdir().unwrap();
        let table = folder.path().join("table");
        fs_err::write(&table, "rows").unwrap();
        let stop = Stop::default();
        let hashes = Hashes::open(folder.path(), false).until(&stop);
        stop.end(2);
        assert!(matches!(hashes.of(&table), Err(Error::Stopped { signal: 2, .. })));
        assert!(matches!(hashes.of_archive(folder.path()), Err(Error::Stopped { .. })));
        assert!(hashes.of_written(&table).unwrap().is_some());
    }
}
