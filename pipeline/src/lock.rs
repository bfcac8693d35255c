//! One runner a run folder: a lock that the operating system releases, however the runner ends.

use std::io::{Read, Seek, Write};
use std::path::Path;

use crate::Error;

/// Held for as long as a runner works on a run folder.
#[derive(Debug)]
pub struct Lock {
    file: fs_err::File,
}

impl Lock {
    /// Takes the lock and writes process number and host into it.
    ///
    /// # Errors
    /// When another process holds it; the message names that process.
    pub fn take(run: &Path) -> Result<Self, Error> {
        let path = run.join(".lock");
        let mut file = fs_err::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut holder = String::new();
        let free = file.file().try_lock().is_ok();
        file.read_to_string(&mut holder)?;
        let holder = holder.trim();
        if !free {
            return Err(Error::Locked { path: run.to_owned(), holder: holder.to_owned() });
        }
        // A runner that ends by itself leaves the file empty.
        if !holder.is_empty() {
            tracing::info!("the previous runner (process {holder}) was killed; continuing where it was");
        }
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{} on {}", std::process::id(), host())?;
        Ok(Self { file })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Not worth an error: the next runner would say that this one was killed.
        drop(self.file.set_len(0));
    }
}

/// This machine's name: a run folder may be shared.
pub(crate) fn host() -> String {
    let name = fs_err::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    if name.trim().is_empty() { "unknown host".to_owned() } else { name.trim().to_owned() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_once_and_left_empty() {
        let folder = tempfile::tempdir().unwrap();
        let lock = Lock::take(folder.path()).unwrap();
        let text = || fs_err::read_to_string(folder.path().join(".lock")).unwrap();
        assert_eq!(text(), format!("{} on {}\n", std::process::id(), host()));
        let error = Lock::take(folder.path()).unwrap_err().to_string();
        assert!(error.contains(&format!("process {} on", std::process::id())), "{error}");
        drop(lock);
        assert_eq!(text(), "");
        // One that was killed left its number; the operating system has let go of the lock.
        fs_err::write(folder.path().join(".lock"), "1 on elsewhere\n").unwrap();
        assert!(Lock::take(folder.path()).is_ok());
    }
}
