//! Makes written PNGs durable: while others are converted, as far as the disk keeps up, and all of them at the end.
//!
//! On Linux one call does so for a whole file system; a file at a time would cost a turn of the disk each.

use std::io;
use std::path::{Path, PathBuf};

use fs_err::File;

/// Makes `files` durable, which are all below `folder`.
pub(crate) fn sync(folder: &Path, files: impl Iterator<Item = PathBuf>) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        let _ = files;
        Ok(rustix::fs::syncfs(File::open(folder)?.file())?)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = folder;
        files.map(File::open).try_for_each(|file| file?.sync_all())
    }
}

/// Writes back what the page cache holds until it is dropped, so that the [`sync`] at the end has little left to do.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub(crate) struct WriteBack {
    /// Dropping it ends the thread.
    running: Option<std::sync::mpsc::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

#[cfg(target_os = "linux")]
impl WriteBack {
    /// Starts a thread for the file system of `folder`. Where that fails, the sync at the end only takes longer.
    pub fn start(folder: &Path) -> Self {
        use std::sync::mpsc::{RecvTimeoutError, channel};
        /// Shorter pauses leave less for the end; shorter than this, they cost more than they save.
        const PAUSE: std::time::Duration = std::time::Duration::from_millis(30);
        let (running, ended) = channel::<()>();
        let folder = File::open(folder);
        let work = move || {
            while let (Ok(folder), Err(RecvTimeoutError::Timeout)) = (&folder, ended.recv_timeout(PAUSE)) {
                // The sync at the end reports the error, if there still is one.
                let _ = rustix::fs::syncfs(folder.file());
            }
        };
        let thread = std::thread::Builder::new().name("write back".to_owned()).spawn(work).ok();
        Self { running: Some(running), thread }
    }
}

#[cfg(target_os = "linux")]
impl Drop for WriteBack {
    fn drop(&mut self) {
        drop(self.running.take());
        // If the thread panicked, the sync at the end does its work.
        drop(self.thread.take().map(std::thread::JoinHandle::join));
    }
}

/// Other systems write back in their own time.
#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
pub(crate) struct WriteBack;

#[cfg(not(target_os = "linux"))]
impl WriteBack {
    /// Does nothing.
    pub fn start(_: &Path) -> Self {
        Self
    }
}
