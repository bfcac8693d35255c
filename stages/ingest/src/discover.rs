//! Finds every file below the inputs, members of zips too, in an order that depends on names alone.
//!
//! Symbolic links are followed, out of the inputs too, for people build archives of links; but no file is read twice: a
//! link to what is read already is a row of the rejects.

pub(crate) mod zip;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use deepmcat_schemas::FileStat;
use rayon::prelude::*;
use walkdir::WalkDir;

use crate::error::Error;
use crate::inputs::{Inputs, lossless};
use crate::reject::{Reason, Reject, Rejects};
use zip::ZipLimits;

/// What there is.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// All inputs.
    pub inputs: Inputs,
    /// What is there but cannot be read as a file, with the reason.
    pub rejects: Rejects,
    /// Of several inputs those without any file, with what the sources of their files would begin with.
    pub empty: Vec<(PathBuf, String)>,
}

/// What is known of an archive while it is walked: rows of its inputs.
#[derive(Default)]
struct Walked {
    inputs: Inputs,
    files: Vec<u32>,
    rejects: Vec<(u32, Reject)>,
}

/// Lists all files below `inputs`, in zips those within `limits`.
///
/// # Errors
/// When an input is absent, inputs overlap, or `out` lies inside one of them.
pub(crate) fn discover(inputs: &[PathBuf], out: &Path, limits: ZipLimits) -> Result<Found, Error> {
    let roots = inputs.iter().map(|input| canonical(input)).collect::<Result<Vec<_>, _>>()?;
    check_overlap(inputs, &roots)?;
    if let Some(folder) = existing_ancestor(out) {
        for (input, root) in inputs.iter().zip(&roots) {
            if root.is_dir() && folder.starts_with(root) {
                return Err(Error::OutInsideInput { out: out.to_owned(), input: input.clone() });
            }
        }
    }
    let names = names(&roots);
    let (mut walked, mut empty) = (Walked::default(), Vec::new());
    let mut links = Links { roots: &roots, followed: HashSet::new() };
    for (root, name) in roots.iter().zip(&names) {
        let before = walked.files.len() + walked.rejects.len();
        walk_one(root, name, &mut links, &mut walked);
        if !name.is_empty() && root.is_dir() && walked.files.len() + walked.rejects.len() == before {
            empty.push((root.clone(), name.clone()));
        }
    }
    let Walked { mut inputs, files, rejects: refused } = open_zips(walked, limits);
    let rows: Vec<u32> = refused.iter().map(|(row, _)| *row).collect();
    let numbers = inputs.arrange(files, &rows);
    let mut rejects = Rejects::default();
    for (number, (_, reject)) in numbers.into_iter().zip(refused) {
        rejects.push(number, &reject);
    }
    Ok(Found { inputs, rejects, empty })
}

/// Puts the members of each zip in its place.
fn open_zips(walked: Walked, limits: ZipLimits) -> Walked {
    let mut found = Walked { inputs: walked.inputs, files: Vec::new(), rejects: walked.rejects };
    let path = |found: &Walked, row| found.inputs.path(row);
    let zipped = |&row: &u32| (row, zip::is_zip_file(&path(&found, row)));
    let looked: Vec<_> = walked.files.par_iter().map(zipped).collect();
    let (zips, files): (Vec<_>, Vec<_>) = looked.into_iter().partition(|(_, is)| *is);
    found.files = files.into_iter().map(|(row, _)| row).collect();
    // A list of many members is long before it is in columns, so few are held at once.
    for rows in zips.chunks(rayon::current_num_threads()) {
        let opened = rows.par_iter().map(|&(row, _)| (row, zip::list(&path(&found, row), limits)));
        for (row, opened) in opened.collect::<Vec<_>>() {
            match opened {
                Err(reject) => found.rejects.push((row, reject)),
                Ok(members) if members.is_empty() => {
                    found.rejects.push((row, Reject::new(Reason::NotAnImage, "a zip without files")));
                }
                Ok(members) => found.members(row, &path(&found, row), members),
            }
        }
    }
    found
}

impl Walked {
    /// Adds what cannot be read as a file.
    fn refuse(&mut self, path: &Path, source: &str, reject: Reject) {
        let row = self.inputs.add_file(path, source, 0, FileStat::default());
        self.rejects.push((row, reject));
    }

    /// Adds the members of the zip that a row is.
    fn members(&mut self, row: u32, path: &Path, members: Vec<zip::Listed>) {
        let zip = Arc::new(self.inputs.zip(row, path));
        let mut first = None;
        for zip::Listed { name, place, partner } in members {
            let row = self.inputs.add_member(&zip, &name, place.as_ref().ok());
            let first = *first.get_or_insert(row);
            if let Some(partner) = partner {
                self.inputs.pair(row, first + partner as u32);
            }
            match place {
                Ok(_) => self.files.push(row),
                Err(reject) => self.rejects.push((row, reject)),
            }
        }
    }
}

fn canonical(input: &Path) -> Result<PathBuf, Error> {
    fs_err::canonicalize(input).map_err(|_| Error::NoInput { path: input.to_owned() })
}

fn check_overlap(inputs: &[PathBuf], roots: &[PathBuf]) -> Result<(), Error> {
    for (i, inner) in roots.iter().enumerate() {
        for (j, outer) in roots.iter().enumerate() {
            if i != j && inner.starts_with(outer) {
                return Err(Error::Overlap { inner: inputs[i].clone(), outer: inputs[j].clone() });
            }
        }
    }
    Ok(())
}

/// The canonical form of the deepest part of `path` that is there.
fn existing_ancestor(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    path.ancestors().find_map(|ancestor| fs_err::canonicalize(ancestor).ok())
}

/// The folder that an input's sources are relative to: itself, or the folder of an input that is a file.
fn base(root: &Path) -> &Path {
    if root.is_dir() { root } else { root.parent().unwrap_or(root) }
}

/// A prefix for the sources of each input: none for a single one, else its folder's name, made unique.
fn names(roots: &[PathBuf]) -> Vec<String> {
    if roots.len() == 1 {
        return vec![String::new()];
    }
    let mut named: Vec<(&Path, String)> = Vec::new();
    for folder in roots.iter().map(|root| base(root)) {
        if named.iter().any(|(known, _)| *known == folder) {
            continue;
        }
        let own = folder.file_name().map_or_else(|| "root".to_owned(), |name| text(Path::new(name)));
        let mut name = format!("{own}/");
        let mut number = 1;
        while named.iter().any(|(_, taken)| *taken == name) {
            number += 1;
            name = format!("{own}~{number}/");
        }
        named.push((folder, name));
    }
    let of = |root: &PathBuf| named.iter().find(|(folder, _)| *folder == base(root)).map(|(_, name)| name.clone());
    roots.iter().map(|root| of(root).unwrap_or_default()).collect()
}

/// Links that lead out of the inputs and are followed: what they lead to.
struct Links<'a> {
    roots: &'a [PathBuf],
    followed: HashSet<PathBuf>,
}

impl Links<'_> {
    /// Why a link is not followed; none where it is.
    fn refuse(&mut self, link: &Path) -> Option<Reject> {
        let already = |what| Some(Reject::new(Reason::Duplicate, what));
        let Ok(target) = fs_err::canonicalize(link) else {
            return Some(Reject::unreadable("a link to what is not there"));
        };
        if self.roots.iter().any(|root| root.starts_with(&target)) {
            return already("a link to a folder that the archive lies in");
        }
        // What git keeps is not walked, so that the links to it (git-annex, DataLad) are the way to it.
        let is_kept = |root: &PathBuf| target.strip_prefix(root).is_ok_and(|below| !is_in_git(below));
        let read = target.ancestors().any(|folder| self.followed.contains(folder));
        if read || self.roots.iter().any(is_kept) {
            return already("a link to what is read already");
        }
        self.followed.insert(target);
        None
    }
}

/// True for what lies in a folder in which git keeps what it knows.
fn is_in_git(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == ".git")
}

fn walk_one(root: &Path, prefix: &str, links: &mut Links<'_>, found: &mut Walked) {
    let source = |path: &Path| format!("{prefix}{}", text(path.strip_prefix(base(root)).unwrap_or(path)));
    let mut entries = WalkDir::new(root).follow_links(true).sort_by_file_name().into_iter();
    while let Some(entry) = entries.next() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                let path = error.path().unwrap_or(root).to_owned();
                let message = match error.loop_ancestor() {
                    Some(_) => "a link to a folder that it lies in".to_owned(),
                    None if path.is_symlink() => "a link to what is not there".to_owned(),
                    None => error.io_error().map_or_else(|| "cannot be listed".to_owned(), |e| e.kind().to_string()),
                };
                found.refuse(&path, &source(&path), Reject::unreadable(message));
                continue;
            }
        };
        let is_folder = entry.file_type().is_dir();
        let git = is_folder && entry.depth() > 0 && entry.file_name() == ".git";
        let reject = match entry.path_is_symlink() && entry.depth() > 0 {
            true => links.refuse(entry.path()),
            false if git => Some(Reject::new(Reason::Companion, "what git keeps; links into it are followed")),
            false => None,
        };
        if let Some(reject) = reject {
            if is_folder {
                entries.skip_current_dir();
            }
            found.refuse(entry.path(), &source(entry.path()), reject);
        } else if entry.file_type().is_file() {
            let stat = FileStat::of(entry.path()).unwrap_or_default();
            let row = found.inputs.add_file(entry.path(), &source(entry.path()), prefix.len(), stat);
            found.files.push(row);
        } else if !is_folder {
            let reject = Reject::new(Reason::NotAnImage, "not a regular file");
            found.refuse(entry.path(), &source(entry.path()), reject);
        }
    }
}

/// A relative path as text with `/`, without loss.
fn text(path: &Path) -> String {
    let mut whole = String::new();
    for part in path.components() {
        if !whole.is_empty() {
            whole.push('/');
        }
        whole.push_str(&lossless(part.as_os_str().as_encoded_bytes()));
    }
    whole
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const LIMITS: ZipLimits = ZipLimits { members: 100, ratio: 100 };

    fn sources(found: &Found) -> Vec<String> {
        (0..found.inputs.readable() as u32).map(|input| found.inputs.name(input)).collect()
    }

    #[test]
    fn sources_are_relative_and_sorted() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b/1.png", "a/2.png", "a/1.png", "c.png"] {
            let path = folder.path().join("in").join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, "x").unwrap();
        }
        let (input, out) = (folder.path().join("in"), folder.path().join("out"));
        let found = discover(std::slice::from_ref(&input), &out, LIMITS).unwrap();
        assert_eq!(sources(&found), ["a/1.png", "a/2.png", "b/1.png", "c.png"]);
        let found = discover(&[input.join("b"), input.join("c.png")], &out, LIMITS).unwrap();
        assert_eq!(sources(&found), ["b/1.png", "in/c.png"]);
        assert!(matches!(discover(&[input.clone(), input.join("a")], &out, LIMITS), Err(Error::Overlap { .. })));
        assert!(matches!(
            discover(std::slice::from_ref(&input), &input.join("x/y"), LIMITS),
            Err(Error::OutInsideInput { .. })
        ));
        assert!(matches!(discover(&[input.join("none")], &out, LIMITS), Err(Error::NoInput { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn names_that_are_no_text_stay_apart_and_loops_end() {
        use std::os::unix::ffi::OsStrExt;
        let folder = tempfile::tempdir().unwrap();
        let input = folder.path().join("in");
        fs_err::create_dir_all(&input).unwrap();
        for name in [b"x\xff".as_slice(), b"x\xfe", b"x\\xff"] {
            fs_err::write(input.join(std::ffi::OsStr::from_bytes(name)), "x").unwrap();
        }
        std::os::unix::fs::symlink(&input, input.join("loop")).unwrap();
        let found = discover(&[input], &folder.path().join("out"), LIMITS).unwrap();
        assert_eq!(sources(&found), ["x\\\\xff", "x\\xfe", "x\\xff"]);
        assert_eq!(found.rejects.iter().map(|reject| found.inputs.name(reject.input)).collect::<Vec<_>>(), ["loop"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_nothing_is_read_twice() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let (input, other) = (folder.path().join("in"), folder.path().join("other"));
        for path in [input.join("a.png"), input.join("sub/b.png"), other.join("c.png"), input.join(".git/annex/d")] {
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, "x").unwrap();
        }
        for (target, link) in [
            (other.clone(), "outside"),
            (other.join("c.png"), "outside_again.png"),
            (input.join("a.png"), "inside.png"),
            (input.join("sub"), "inside"),
            (folder.path().to_owned(), "around"),
            (folder.path().join("none"), "nothing"),
            (input.join(".git/annex/d"), "kept.png"),
        ] {
            symlink(target, input.join(link)).unwrap();
        }
        let found = discover(&[input], &folder.path().join("out"), LIMITS).unwrap();
        assert_eq!(sources(&found), ["a.png", "kept.png", "outside/c.png", "sub/b.png"]);
        let name = |input| found.inputs.name(input);
        let rejects: Vec<_> = found.rejects.iter().map(|reject| (name(reject.input), reject.reason)).collect();
        let (duplicate, companion) = (Reason::Duplicate, Reason::Companion);
        let expected = [
            (".git", companion),
            ("around", duplicate),
            ("inside", duplicate),
            ("inside.png", duplicate),
            ("nothing", Reason::Unreadable),
            ("outside_again.png", duplicate),
        ];
        assert_eq!(rejects, expected.map(|(name, reason)| (name.to_owned(), reason)));
    }
}
