//! Brings written PNGs to the disk while others are converted, so that making all of them durable is short.

use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Between two turns: what one brings to the disk is what was written meanwhile.
const EVERY: Duration = Duration::from_millis(30);

/// A thread that writes back what the page cache holds, until it is dropped.
#[derive(Debug)]
pub(crate) struct WriteBack {
    /// Dropped, it ends the thread.
    running: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl WriteBack {
    /// Starts for the file system of a folder. Without it everything is as durable, and takes longer at the end.
    pub fn start(folder: &Path) -> Self {
        let (running, ended) = channel::<()>();
        let folder = fs_err::File::open(folder);
        let work = move || {
            while let (Ok(folder), Err(RecvTimeoutError::Timeout)) = (&folder, ended.recv_timeout(EVERY)) {
                // An error is told by the call that has to succeed, at the end. Elsewhere there is no such call.
                #[cfg(target_os = "linux")]
                let _ = rustix::fs::syncfs(folder.file());
                #[cfg(not(target_os = "linux"))]
                let _ = folder;
            }
        };
        let thread = std::thread::Builder::new().name("write back".to_owned()).spawn(work).ok();
        Self { running: Some(running), thread }
    }
}

impl Drop for WriteBack {
    fn drop(&mut self) {
        drop(self.running.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has brought nothing to the disk; the call at the end does.
            let _ = thread.join();
        }
    }
}
