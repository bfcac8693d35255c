//! `RUN/review/decisions.jsonl`: appended to under a lock, synced before anyone is told, read as far as it is whole.

use std::collections::{BTreeMap, HashSet};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use deepmcat_schemas::layout::{DECISIONS, REVIEW};
use fs_err::File;

use crate::{Decision, Error, Naming, Operation, Target};

/// Characters of a category at most.
const LONGEST: usize = 200;

/// The decisions of a run, as far as this process has read them.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    /// Bytes read, all of them whole lines.
    seen: u64,
    decisions: Vec<Decision>,
    /// Of everything that was ever named its decisions in force, the last one last.
    named: BTreeMap<Target, Vec<usize>>,
    /// The last line is whole and has no line break.
    unended: bool,
    /// What is behind the whole lines was told of.
    told: bool,
}

impl Log {
    /// Opens the log of a run and reads it; a run without one has no decisions.
    ///
    /// # Errors
    /// When the file cannot be read or holds a line that is no decision. Half a line at its end, left by a program that
    /// was killed while it wrote, is told and left out.
    pub fn open(run: &Path) -> Result<Self, Error> {
        let path = run.join(REVIEW).join(DECISIONS);
        let (decisions, named) = (Vec::new(), BTreeMap::new());
        let mut log = Self { path, seen: 0, decisions, named, unended: false, told: false };
        log.refresh()?;
        Ok(log)
    }

    /// Reads what other processes have appended since.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn refresh(&mut self) -> Result<(), Error> {
        let mut file = match File::open(&self.path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && self.seen == 0 => return Ok(()),
            file => file?,
        };
        // So as not to see half of what another process is writing. Where a disk has no locks, reading does without.
        drop(file.file().lock_shared());
        self.catch_up(&mut file).map(drop)
    }

    /// All decisions, in order.
    #[must_use]
    pub fn decisions(&self) -> &[Decision] {
        &self.decisions
    }

    /// The decisions that name something now, by what they name.
    pub fn in_force(&self) -> impl Iterator<Item = (&Target, &Decision)> {
        self.named.iter().filter_map(|(target, numbers)| Some((target, &self.decisions[*numbers.last()?])))
    }

    /// The name of something.
    #[must_use]
    pub fn category(&self, target: &Target) -> Option<&str> {
        let last = self.named.get(target)?.last()?;
        self.decisions[*last].category.as_deref()
    }

    /// What each author calls each thing: their last name for it that was not taken back. Names that were carried over are
    /// nobody's own.
    pub(crate) fn by_author(&self) -> impl Iterator<Item = (&Target, BTreeMap<&str, &str>)> {
        self.named.iter().map(|(target, places)| {
            let decisions = places.iter().map(|&place| &self.decisions[place]);
            let own = decisions.filter(|decision| decision.operation == Operation::Name);
            (target, own.filter_map(|one| Some((one.author.as_str(), one.category.as_deref()?))).collect())
        })
    }

    /// Whether something has that name, and from that author: from another it is a second opinion.
    fn has(&self, author: &str, naming: &Naming) -> bool {
        let own = || {
            let places = self.named.get(&naming.target).into_iter().flatten().rev();
            places.map(|&place| &self.decisions[place]).find(|decision| decision.author == author)
        };
        self.category(&naming.target) == Some(&naming.category)
            && own().is_some_and(|own| own.category.as_deref() == Some(&naming.category))
    }

    /// Gives names, all or none, and returns the decisions once they are on the disk. What has that name already from the
    /// same author gets no decision.
    ///
    /// # Errors
    /// When a name is empty, too long or of several lines, or the log cannot be written; nothing is decided then.
    pub fn name(&mut self, author: &str, namings: &[Naming]) -> Result<&[Decision], Error> {
        self.name_after(None, author, namings)
    }

    /// As [`Self::name`], if `after` is the last decision: for who decides by what they see.
    ///
    /// # Errors
    /// As [`Self::name`], and when others have decided since.
    pub fn name_after(&mut self, after: Option<u64>, author: &str, namings: &[Naming]) -> Result<&[Decision], Error> {
        for naming in namings {
            check(&naming.category)?;
        }
        self.append(author, |log| {
            log.is_last(after)?;
            let decision = |naming: &Naming| Decision {
                operation: if naming.overlap.is_some() { Operation::Carry } else { Operation::Name },
                category: Some(naming.category.clone()),
                before: log.category(&naming.target).map(str::to_owned),
                overlap: naming.overlap,
                ..blank(naming.target.clone())
            };
            Ok(namings.iter().filter(|naming| !log.has(author, naming)).map(decision).collect())
        })
    }

    /// Takes back the last `count` decisions that are in force, the last first, and returns their inverses.
    ///
    /// # Errors
    /// When there are fewer, or the log cannot be written; nothing is undone then.
    pub fn undo(&mut self, author: &str, count: usize) -> Result<&[Decision], Error> {
        self.undo_after(None, author, count)
    }

    /// As [`Self::undo`], if `after` is the last decision.
    ///
    /// # Errors
    /// As [`Self::undo`], and when others have decided since.
    pub fn undo_after(&mut self, after: Option<u64>, author: &str, count: usize) -> Result<&[Decision], Error> {
        self.append(author, |log| {
            log.is_last(after)?;
            let undone: HashSet<u64> = log.decisions.iter().filter_map(|decision| decision.undoes).collect();
            let in_force =
                |decision: &&Decision| decision.operation != Operation::Undo && !undone.contains(&decision.number);
            let last: Vec<&Decision> = log.decisions.iter().rev().filter(in_force).take(count).collect();
            if last.len() < count {
                return Err(Error::NothingToUndo { asked: count, there: last.len() });
            }
            let inverse = |decision: &Decision| Decision {
                operation: Operation::Undo,
                category: decision.before.clone(),
                before: decision.category.clone(),
                undoes: Some(decision.number),
                ..blank(decision.target.clone())
            };
            Ok(last.into_iter().map(inverse).collect())
        })
    }

    /// Appends what `decide` makes of the log as it is with the lock held, in one write, and syncs it.
    fn append(
        &mut self,
        author: &str,
        decide: impl FnOnce(&Self) -> Result<Vec<Decision>, Error>,
    ) -> Result<&[Decision], Error> {
        let folder = self.path.parent().unwrap_or(Path::new(""));
        let new = !self.path.exists();
        fs_err::create_dir_all(folder)?;
        let mut options = fs_err::OpenOptions::new();
        let mut file = options.read(true).write(true).create(true).truncate(false).open(&self.path)?;
        file.file().lock()?;
        if new {
            // The names of file and folder, so that neither is lost with the machine's power.
            File::open(folder)?.sync_all()?;
            File::open(folder.parent().filter(|run| *run != Path::new("")).unwrap_or(Path::new(".")))?.sync_all()?;
        }
        let end = self.catch_up(&mut file)?;
        let mut decisions = decide(self)?;
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as f64 / 1000.0;
        let first = self.decisions.len();
        let mut text = if self.unended { "\n".to_owned() } else { String::new() };
        for (number, decision) in (self.last() + 1..).zip(&mut decisions) {
            (decision.number, decision.time, decision.author) = (number, time, author.to_owned());
            text += &serde_json::to_string(decision).map_err(std::io::Error::other)?;
            text.push('\n');
        }
        if decisions.is_empty() {
            return Ok(&[]);
        }
        if end != self.seen {
            file.set_len(self.seen)?;
        }
        file.seek(SeekFrom::Start(self.seen))?;
        if let Err(error) = file.write_all(text.as_bytes()).and_then(|()| file.sync_data()) {
            // Nobody is told of it, so it has not been decided.
            drop(file.set_len(self.seen));
            return Err(error.into());
        }
        self.seen += text.len() as u64;
        self.unended = false;
        decisions.into_iter().for_each(|decision| self.take(decision));
        Ok(&self.decisions[first..])
    }

    /// The number of the last decision; 0 where there is none.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.decisions.last().map_or(0, |decision| decision.number)
    }

    fn is_last(&self, seen: Option<u64>) -> Result<(), Error> {
        match seen {
            Some(seen) if seen != self.last() => Err(Error::Stale { seen, last: self.last() }),
            _ => Ok(()),
        }
    }

    /// Reads the lines behind those that were seen; returns where the file ends.
    fn catch_up(&mut self, file: &mut File) -> Result<u64, Error> {
        let end = file.file().metadata()?.len();
        if end < self.seen {
            return Err(Error::Shorter { path: self.path.clone() });
        }
        file.seek(SeekFrom::Start(self.seen))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            let decision: Result<Decision, _> = serde_json::from_slice(line);
            let ended = line.ends_with(b"\n");
            if ended && line.trim_ascii().is_empty() {
                self.seen += line.len() as u64;
                continue;
            }
            if !ended && decision.is_err() {
                self.tell_torn();
                break;
            }
            let damaged =
                |reason: String| Error::Damaged { path: self.path.clone(), line: self.decisions.len() + 1, reason };
            let decision = decision.map_err(|error| damaged(error.to_string()))?;
            if decision.number != self.last() + 1 {
                return Err(damaged(format!("its number is {}, expected {}", decision.number, self.last() + 1)));
            }
            self.take(decision);
            self.seen += line.len() as u64;
            self.unended = !ended;
        }
        Ok(end)
    }

    fn tell_torn(&mut self) {
        if !std::mem::replace(&mut self.told, true) {
            tracing::warn!(
                "{}: line {} is incomplete and is ignored: a program was killed while it wrote it, and had not confirmed it",
                self.path.display(),
                self.decisions.len() + 1
            );
        }
    }

    fn take(&mut self, decision: Decision) {
        let named = self.named.entry(decision.target.clone()).or_default();
        match decision.undoes {
            Some(undone) => named.retain(|&place| self.decisions[place].number != undone),
            None => named.push(self.decisions.len()),
        }
        self.decisions.push(decision);
    }
}

/// A decision about something, of which nothing else is said yet.
fn blank(target: Target) -> Decision {
    Decision {
        number: 0,
        time: 0.0,
        author: String::new(),
        operation: Operation::Name,
        target,
        category: None,
        before: None,
        undoes: None,
        overlap: None,
    }
}

/// Refuses what cannot be a category.
fn check(name: &str) -> Result<(), Error> {
    let reason = if name.trim().is_empty() {
        "it is empty"
    } else if name.chars().any(char::is_control) {
        "it holds a line break or another control character"
    } else if name.chars().count() > LONGEST {
        "it is too long"
    } else if name.trim() != name {
        "it begins or ends with a space"
    } else {
        return Ok(());
    };
    Err(Error::BadName { name: name.chars().take(LONGEST).collect(), reason })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use deepmcat_schemas::ClusterId;

    use super::*;

    fn cluster(number: u32) -> Target {
        Target::Cluster { cluster: ClusterId(number), result: "r".to_owned() }
    }

    fn naming(number: u32, category: &str) -> Naming {
        Naming { target: cluster(number), category: category.to_owned(), overlap: None }
    }

    fn text(run: &Path) -> String {
        fs_err::read_to_string(run.join("review/decisions.jsonl")).unwrap()
    }

    #[test]
    fn an_undo_appends_the_inverse_and_brings_back_what_was() {
        let run = tempfile::tempdir().unwrap();
        let mut log = Log::open(run.path()).unwrap();
        log.name("anna", &[naming(3, "SA"), naming(4, "LVOT")]).unwrap();
        log.name("ben", &[naming(3, "AO")]).unwrap();
        assert!(log.name("ben", &[naming(3, "AO")]).unwrap().is_empty(), "it has that name already");
        assert_eq!(log.category(&cluster(3)), Some("AO"));
        let undone = log.undo("anna", 1).unwrap();
        assert_eq!((undone[0].number, undone[0].undoes, undone[0].category.as_deref()), (4, Some(3), Some("SA")));
        assert_eq!(log.category(&cluster(3)), Some("SA"));
        let again = Log::open(run.path()).unwrap();
        assert_eq!(again.decisions(), log.decisions());
        let force: Vec<_> = again.in_force().map(|(target, by)| (target.to_string(), by.author.clone())).collect();
        assert_eq!(force, [("3".to_owned(), "anna".to_owned()), ("4".to_owned(), "anna".to_owned())]);
        let error = log.undo("anna", 3).unwrap_err().to_string();
        assert!(error.starts_with("3 decisions to undo, but there are only 2"), "{error}");
        log.undo("anna", 2).unwrap();
        assert_eq!((log.in_force().count(), text(run.path()).lines().count()), (0, 6));
        let first = text(run.path()).lines().next().unwrap().to_owned();
        assert!(first.starts_with(r#"{"number":1,"time":"#), "{first}");
        assert!(first.ends_with(
            r#""author":"anna","operation":"name","cluster":3,"result":"r","category":"SA","before":null}"#
        ));
    }

    #[test]
    fn who_has_not_seen_the_last_decision_decides_nothing() {
        let run = tempfile::tempdir().unwrap();
        let (mut one, mut other) = (Log::open(run.path()).unwrap(), Log::open(run.path()).unwrap());
        one.name_after(Some(0), "anna", &[naming(0, "SA")]).unwrap();
        let error = other.name_after(Some(0), "ben", &[naming(1, "AO")]).unwrap_err();
        assert!(matches!(error, Error::Stale { seen: 0, last: 1 }), "{error}");
        let error = other.undo_after(Some(0), "ben", 1).unwrap_err();
        assert!(matches!(error, Error::Stale { .. }), "{error}");
        assert_eq!((other.last(), text(run.path()).lines().count()), (1, 1), "but it has read what there is");
        assert_eq!(other.undo_after(Some(1), "ben", 1).unwrap().len(), 1);
    }

    #[test]
    fn half_a_line_at_the_end_is_dropped_and_one_in_the_middle_is_not() {
        let run = tempfile::tempdir().unwrap();
        let mut log = Log::open(run.path()).unwrap();
        log.name("anna", &[naming(0, "SA"), naming(1, "AO")]).unwrap();
        let (path, whole) = (run.path().join("review/decisions.jsonl"), text(run.path()));
        // A line without its break is whole where it is a decision.
        let ends = [(&whole[..whole.len() - 1], 2), (&whole[..whole.len() - 20], 1), (&format!("{whole}\0\0\0"), 2)];
        for (torn, kept) in ends {
            fs_err::write(&path, torn).unwrap();
            let mut log = Log::open(run.path()).unwrap();
            assert_eq!(log.decisions().len(), kept);
            assert_eq!(log.name("ben", &[naming(2, "LVOT")]).unwrap()[0].number, kept as u64 + 1);
            assert_eq!(Log::open(run.path()).unwrap().decisions(), log.decisions());
        }
        fs_err::write(&path, whole.replacen("\"number\":1", "\"number\":", 1)).unwrap();
        let error = Log::open(run.path()).unwrap_err().to_string();
        assert!(error.contains("line 1 is not a decision") && error.contains("hint:"), "{error}");
        fs_err::write(&path, whole.replacen("\"number\":2", "\"number\":1", 1)).unwrap();
        let error = Log::open(run.path()).unwrap_err().to_string();
        assert!(error.contains("line 2 is not a decision (its number is 1, expected 2)"), "{error}");
        fs_err::write(&path, "").unwrap();
        let error = log.refresh().unwrap_err().to_string();
        assert!(error.contains("shorter than it was"), "{error}");
    }

    #[test]
    fn writers_side_by_side_get_numbers_of_their_own() {
        let run = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let run = run.path();
                scope.spawn(move || {
                    let mut log = Log::open(run).unwrap();
                    for number in 0..25 {
                        let given = log.name("x", &[naming(100 * writer + number, "SA")]).unwrap();
                        assert_eq!(given.len(), 1);
                    }
                });
            }
        });
        let log = Log::open(run.path()).unwrap();
        assert_eq!((log.decisions().len(), log.in_force().count()), (100, 100));
    }

    #[test]
    fn names_that_are_none_are_refused_before_anything_is_written() {
        let run = tempfile::tempdir().unwrap();
        let mut log = Log::open(run.path()).unwrap();
        for bad in ["", " ", "a\nb", "a ", &"x".repeat(201)] {
            let error = log.name("anna", &[naming(0, "SA"), naming(1, bad)]).unwrap_err().to_string();
            assert!(error.contains("cannot be a category"), "{error}");
        }
        assert!(log.decisions().is_empty() && !run.path().join("review").exists());
    }
}
