//! One runner a run folder: a lock that the operating system releases, however the runner ends.

use std::io::{Read, Seek, Write};
use std::path::Path;

use crate::Error;

/// Held for as long as a runner works on a run folder.
#[derive(Debug)]
pub struct Lock {
    _file: fs_err::File,
}

impl Lock {
    /// Takes the lock and writes the process number into it.
    ///
    /// # Errors
    /// When another process holds it; the message names that process.
    pub fn take(run: &Path) -> Result<Self, Error> {
        let path = run.join(".lock");
        let mut file = fs_err::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        if file.file().try_lock().is_err() {
            let mut holder = String::new();
            file.read_to_string(&mut holder)?;
            return Err(Error::Locked { path: run.to_owned(), holder: holder.trim().to_owned() });
        }
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Self { _file: file })
    }
}
