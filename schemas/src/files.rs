//! Atomic files: a reader sees the whole file or none, whenever the writer is killed.

use std::io::Write;
use std::path::{Path, PathBuf};

use fs_err::File;

use crate::SchemaError;
use crate::layout::TEMPORARY;

/// The folder for what is being written towards `path`: `.tmp` beside the table folder that `path` is in.
///
/// Table folders hold nothing but table files (polars refuses a folder with others in it), so for
/// `RUN/assignments/epoch=7/part-0.parquet` and for `RUN/dataset/manifest.parquet` this is `RUN/.tmp`:
/// the same file system, so that a rename suffices.
#[must_use]
pub fn temporary_folder(path: &Path) -> PathBuf {
    let mut folder = path.parent().unwrap_or(Path::new(""));
    while folder.file_name().is_some_and(|name| name.to_string_lossy().contains('=')) {
        folder = folder.parent().unwrap_or(Path::new(""));
    }
    folder.parent().unwrap_or(Path::new("")).join(TEMPORARY)
}

/// Writes a file under a temporary name, syncs it, renames it to `path` and syncs the folder.
///
/// # Errors
/// When a folder cannot be made, or writing, syncing or renaming fails; `path` is then as it was before.
pub fn write_atomic(
    path: &Path,
    content: impl FnOnce(&mut std::fs::File) -> std::io::Result<()>,
) -> Result<(), SchemaError> {
    write_atomic_by_way_of(&temporary_folder(path), path, content)
}

/// As [`write_atomic`], with the folder for the temporary name: for what is in no table folder.
///
/// # Errors
/// As [`write_atomic`].
pub fn write_atomic_by_way_of(
    temporary: &Path,
    path: &Path,
    content: impl FnOnce(&mut std::fs::File) -> std::io::Result<()>,
) -> Result<(), SchemaError> {
    // The umask narrows it.
    write(temporary, path, 0o666, content)
}

/// As [`write_atomic`], for a file that a user names: its temporary name is in a folder beside it, since a rename does not
/// cross file systems.
///
/// # Errors
/// As [`write_atomic`].
pub fn write_beside(
    path: &Path,
    content: impl FnOnce(&mut std::fs::File) -> std::io::Result<()>,
) -> Result<(), SchemaError> {
    write_atomic_by_way_of(&path.parent().unwrap_or(Path::new("")).join(TEMPORARY), path, content)
}

/// Writes a small file that only its owner can read, atomically.
///
/// # Errors
/// As [`write_atomic`].
pub fn write_secret(path: &Path, bytes: &[u8]) -> Result<(), SchemaError> {
    write(&path.parent().unwrap_or(Path::new("")).join(TEMPORARY), path, 0o600, |file| file.write_all(bytes))
}

fn write(
    temporary: &Path,
    path: &Path,
    mode: u32,
    content: impl FnOnce(&mut std::fs::File) -> std::io::Result<()>,
) -> Result<(), SchemaError> {
    let io = |source| SchemaError::Io { context: format!("{}: cannot be written", path.display()), source };
    let folder = path.parent().unwrap_or(Path::new(""));
    let written = || {
        fs_err::create_dir_all(folder)?;
        let mut file = make_in(temporary, || temporary_file(temporary, mode))?;
        content(file.as_file_mut())?;
        file.as_file_mut().flush()?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        sync_folder(folder)
    };
    let written = written().map_err(io);
    // Gone when it was the last one, on a full disk too; otherwise another writer still needs it.
    drop(std::fs::remove_dir(temporary));
    written
}

/// A temporary file in `folder`, made with `mode`, so that it is never more readable than it will be.
fn temporary_file(folder: &Path, mode: u32) -> std::io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(mode));
    }
    builder.tempfile_in(folder)
}

/// Makes a folder for temporary things and something in it, again if another writer removes the empty folder in
/// between: there is then no folder to make it in, or one that `create_dir_all` found and then did not.
///
/// # Errors
/// When the folder or what shall be in it cannot be made.
pub fn make_in<T>(folder: &Path, make: impl Fn() -> std::io::Result<T>) -> std::io::Result<T> {
    use std::io::ErrorKind::{AlreadyExists, NotFound};
    const TRIES: usize = 1000;
    let once = || fs_err::create_dir_all(folder).and_then(|()| make());
    for _ in 1..TRIES {
        match once() {
            Err(error) if matches!(error.kind(), AlreadyExists | NotFound) => {}
            made => return made,
        }
    }
    once()
}

/// Makes the names in a folder durable.
fn sync_folder(folder: &Path) -> std::io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder)?.sync_all()
}

/// Content hash (blake3, 64 hex digits) of a file.
///
/// # Errors
/// When the file cannot be read.
pub fn hash_file(path: &Path) -> std::io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    std::io::copy(&mut File::open(path)?, &mut hasher)?;
    Ok(hasher.finalize().to_hex().to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn temporary_files_live_beside_the_table_folder() {
        let of = |path: &str| temporary_folder(Path::new(path));
        assert_eq!(of("run/assignments/epoch=7/part-0.parquet"), Path::new("run/.tmp"));
        assert_eq!(of("run/dataset/manifest.parquet"), Path::new("run/.tmp"));
        assert_eq!(of("out/part-0.parquet"), Path::new(".tmp"));
    }

    #[test]
    fn writers_side_by_side_do_not_take_each_others_folder() {
        let folder = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let path = folder.path().join(format!("table/epoch={writer}/part-0.parquet"));
                scope.spawn(move || (0..100).for_each(|_| write_atomic(&path, |file| file.write_all(b"row")).unwrap()));
            }
        });
        assert!(!folder.path().join(TEMPORARY).exists());
    }

    #[test]
    fn a_move_into_the_temporary_folder_meets_a_writer_that_removes_it() {
        let folder = tempfile::tempdir().unwrap();
        let temporary = folder.path().join(TEMPORARY);
        std::thread::scope(|scope| {
            let path = folder.path().join("table/epoch=0/part-0.parquet");
            let writer =
                scope.spawn(move || (0..200).for_each(|_| write_atomic(&path, |file| file.write_all(b"row")).unwrap()));
            let old = folder.path().join("old");
            while !writer.is_finished() {
                fs_err::create_dir(&old).unwrap();
                make_in(&temporary, || fs_err::rename(&old, temporary.join("old"))).unwrap();
                fs_err::remove_dir(temporary.join("old")).unwrap();
            }
        });
    }

    #[test]
    fn a_failed_write_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table/epoch=0/part-0.parquet");
        write_atomic(&path, |file| file.write_all(b"whole")).unwrap();
        let failed = write_atomic(&path, |file| {
            file.write_all(b"ha")?;
            Err(std::io::Error::other("disk full"))
        });
        assert!(failed.unwrap_err().to_string().contains("part-0.parquet"));
        assert_eq!(fs_err::read(&path).unwrap(), b"whole");
        let names: Vec<_> = fs_err::read_dir(path.parent().unwrap()).unwrap().collect();
        assert_eq!(names.len(), 1);
    }
}
