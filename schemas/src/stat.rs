//! What the file system says of a file: the one judge of whether it has changed since it was last read.

use std::path::Path;
use std::time::UNIX_EPOCH;

/// Size, times and inode of a file: equal where the file is unchanged.
///
/// A writer can set back the time of modification, so the time of the last change of any kind (ctime) and the inode
/// count too: a file that was replaced or rewritten in place is seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct FileStat {
    /// Bytes.
    pub bytes: u64,
    /// Nanoseconds since 1970 of the last change of the content; 0 where that is unknown.
    pub modified: u64,
    /// Nanoseconds since 1970 of the last change of content, name or mode (ctime); 0 where that is unknown.
    pub changed: u64,
    /// Inode; 0 where the file system has none.
    pub inode: u64,
}

impl FileStat {
    /// Of the file at `path`; a link is followed.
    ///
    /// # Errors
    /// When there is no such file or it may not be looked at.
    pub fn of(path: &Path) -> std::io::Result<Self> {
        let metadata = fs_err::metadata(path)?;
        let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let modified = modified.map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX));
        #[cfg(unix)]
        let (changed, inode) = {
            use std::os::unix::fs::MetadataExt;
            let (seconds, nanoseconds) = (metadata.ctime(), metadata.ctime_nsec());
            let changed = i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds);
            (u64::try_from(changed).unwrap_or(0), metadata.ino())
        };
        #[cfg(not(unix))]
        let (changed, inode) = (0, 0);
        Ok(Self { bytes: metadata.len(), modified, changed, inode })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_file_rewritten_under_its_old_time_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs_err::write(&path, b"one").unwrap();
        let before = FileStat::of(&path).unwrap();
        assert_eq!(FileStat::of(&path).unwrap(), before);
        let modified = fs_err::metadata(&path).unwrap().modified().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20));
        fs_err::write(&path, b"two").unwrap();
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
        let after = FileStat::of(&path).unwrap();
        assert_eq!((after.bytes, after.modified), (before.bytes, before.modified));
        assert_ne!(after, before);
    }
}
