//! What an archive holds, as far as the file system says it: no file is read.
//!
//! Whether a file has changed is judged as ingest judges it, by [`FileStat`]. So a run never reads more than ingest
//! would, and ingest runs whenever it would find something to read.

use std::path::Path;

use deepmcat_schemas::FileStat;
use walkdir::WalkDir;

use crate::Error;

/// Hash of the names below `root` and of what the file system says of each; `None` where there is nothing.
///
/// `each` is called with the number of files seen so far.
///
/// # Errors
/// When `each` ends it.
pub fn fingerprint(root: &Path, mut each: impl FnMut(u64) -> Result<(), Error>) -> Result<Option<String>, Error> {
    let mut hasher = blake3::Hasher::new();
    let mut seen = 0;
    for entry in WalkDir::new(root).follow_links(true).sort_by_file_name() {
        each(seen)?;
        // What cannot be listed or looked at is ingest's to reject by name.
        let (path, stat) = match &entry {
            Ok(entry) if entry.file_type().is_dir() => continue,
            Ok(entry) => (entry.path(), FileStat::of(entry.path()).unwrap_or_default()),
            Err(error) => (error.path().unwrap_or(root), FileStat::default()),
        };
        seen += 1;
        let name = path.strip_prefix(root).unwrap_or(path);
        hasher.update(name.as_os_str().as_encoded_bytes()).update(b"\0");
        for number in [stat.bytes, stat.modified, stat.changed, stat.inode] {
            hasher.update(&number.to_le_bytes());
        }
    }
    Ok((seen > 0).then(|| hasher.finalize().to_hex().to_string()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn of(root: &Path) -> Option<String> {
        fingerprint(root, |_| Ok(())).unwrap()
    }

    #[test]
    fn a_moved_archive_is_the_same_and_a_replaced_file_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("archive");
        fs_err::create_dir_all(root.join("a")).unwrap();
        assert_eq!(of(&root), None, "folders alone are nothing");
        fs_err::write(root.join("a/1"), "one").unwrap();
        fs_err::write(root.join("2"), "two").unwrap();
        let before = of(&root).unwrap();
        let moved = folder.path().join("moved");
        fs_err::rename(&root, &moved).unwrap();
        assert_eq!(of(&moved).unwrap(), before);
        // Another file of the same size, under the same name and time.
        let modified = fs_err::metadata(moved.join("2")).unwrap().modified().unwrap();
        fs_err::write(moved.join("new"), "TWO").unwrap();
        fs_err::File::options().write(true).open(moved.join("new")).unwrap().file().set_modified(modified).unwrap();
        fs_err::rename(moved.join("new"), moved.join("2")).unwrap();
        assert_ne!(of(&moved).unwrap(), before);
    }

    #[test]
    fn a_file_that_cannot_be_read_counts_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let before = of(folder.path());
        std::os::unix::fs::symlink("nowhere", folder.path().join("broken")).unwrap();
        assert_ne!(of(folder.path()), before);
    }

    #[test]
    fn it_ends_when_it_is_told_to() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["1", "2", "3"] {
            fs_err::write(folder.path().join(name), name).unwrap();
        }
        let stopped = |seen| {
            if seen < 2 { Ok(()) } else { Err(Error::Stopped { path: "run".into(), signal: 2 }) }
        };
        assert!(matches!(fingerprint(folder.path(), stopped), Err(Error::Stopped { .. })));
    }
}
