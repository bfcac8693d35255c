//! `RUN/pacs/journal.jsonl`: a line before every change of a server, on the disk before the server is asked.
//!
//! It says what is ours: a value that is in no line is of others, and stays. What a server holds is asked of the server alone, so
//! that a line whose change was never made, since the program was killed in between, does no harm.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::Error;

/// Where a value is on a server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// Address of the server.
    pub server: String,
    /// `series` or `studies`.
    pub level: String,
    /// What the server calls it.
    pub id: String,
    /// `metadata/NUMBER`, `metadata/NAME` or `labels/LABEL`.
    pub key: String,
}

/// A change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Seconds since 1970.
    pub time: u64,
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// SeriesInstanceUID or StudyInstanceUID.
    pub uid: String,
    /// What was there; none: nothing.
    pub before: Option<String>,
    /// What is put there; none: nothing.
    pub after: Option<String>,
}

/// The journal of a run, locked for as long as this lives.
#[derive(Debug)]
pub struct Journal {
    file: fs_err::File,
    changes: Vec<Change>,
    ours: BTreeMap<Place, BTreeSet<String>>,
}

impl Journal {
    /// Opens the journal of a run, or begins it. Half a line at its end was never followed by a change, and is cut off.
    ///
    /// # Errors
    /// When another program writes to it, it cannot be read, or a line of it is damaged.
    pub fn open(run: &Path) -> Result<Self, Error> {
        let folder = run.join("pacs");
        fs_err::create_dir_all(&folder)?;
        let path = folder.join("journal.jsonl");
        let mut file = fs_err::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
        file.file().try_lock().map_err(|_| Error::JournalBusy { path: path.clone() })?;
        // The names of file and folder, so that neither is lost with the machine's power.
        fs_err::File::open(&folder)?.sync_all()?;
        fs_err::File::open(run)?.sync_all()?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        if whole < text.len() {
            file.set_len(whole as u64)?;
        }
        file.seek(SeekFrom::Start(whole as u64))?;
        let mut journal = Self { file, changes: Vec::new(), ours: BTreeMap::new() };
        for (number, line) in
            text[..whole].split(|&byte| byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty())
        {
            let change = serde_json::from_slice(line)
                .map_err(|_| Error::JournalDamaged { path: path.clone(), line: number + 1 })?;
            journal.take(change);
        }
        Ok(journal)
    }

    /// Writes a line, and returns when it is on the disk.
    ///
    /// # Errors
    /// When it cannot be written; nothing may be changed then.
    pub fn add(&mut self, place: &Place, uid: &str, before: Option<&str>, after: Option<&str>) -> Result<(), Error> {
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let change = Change {
            time,
            place: place.clone(),
            uid: uid.to_owned(),
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
        };
        let line = serde_json::to_string(&change).map_err(std::io::Error::other)? + "\n";
        self.file.write_all(line.as_bytes())?;
        self.file.sync_data()?;
        self.take(change);
        Ok(())
    }

    fn take(&mut self, change: Change) {
        let ours = self.ours.entry(change.place.clone()).or_default();
        ours.extend(change.after.clone());
        self.changes.push(change);
    }

    /// True for a value that this run has put there.
    #[must_use]
    pub fn is_ours(&self, place: &Place, value: &str) -> bool {
        self.ours.get(place).is_some_and(|values| values.contains(value))
    }

    /// Every place of a server that was ever changed, the last first, with its UID and what was there before that.
    #[must_use]
    pub fn places(&self, server: &str) -> Vec<(&Place, &str, Option<&str>)> {
        let (mut seen, mut places) = (BTreeSet::new(), Vec::new());
        for change in self.changes.iter().filter(|change| change.place.server == server) {
            if seen.insert(&change.place) {
                places.push((&change.place, change.uid.as_str(), change.before.as_deref()));
            }
        }
        places.reverse();
        places
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn place(id: &str) -> Place {
        let [server, level, id, key] = ["http://a", "series", id, "metadata/7077"].map(str::to_owned);
        Place { server, level, id, key }
    }

    #[test]
    fn what_was_written_is_ours_after_a_kill_in_the_middle_of_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(folder.path()).unwrap();
        journal.add(&place("one"), "1.2", None, Some("first")).unwrap();
        journal.add(&place("two"), "1.3", None, Some("x")).unwrap();
        journal.add(&place("one"), "1.2", Some("first"), Some("second")).unwrap();
        assert!(matches!(Journal::open(folder.path()), Err(Error::JournalBusy { .. })));
        drop(journal);
        let path = folder.path().join("pacs/journal.jsonl");
        let whole = fs_err::read(&path).unwrap();
        fs_err::write(&path, [&whole[..], b"{\"time\":1,\"ser"].concat()).unwrap();
        let journal = Journal::open(folder.path()).unwrap();
        assert!(journal.is_ours(&place("one"), "first") && journal.is_ours(&place("one"), "second"));
        assert!(!journal.is_ours(&place("two"), "first") && !journal.is_ours(&place("three"), "x"));
        let places: Vec<_> = journal.places("http://a").into_iter().map(|(place, ..)| place.id.clone()).collect();
        assert_eq!((places, journal.places("http://b").len()), (vec!["two".to_owned(), "one".to_owned()], 0));
        assert_eq!(fs_err::read(&path).unwrap(), whole, "the half line is gone");
        drop(journal);
        fs_err::write(&path, b"no line of ours\n").unwrap();
        assert!(matches!(Journal::open(folder.path()), Err(Error::JournalDamaged { line: 1, .. })));
    }
}
