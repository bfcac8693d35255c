//! Ctrl-C, SIGTERM and a closed terminal: the first ends a run tidily, the second at once.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ChildStdin;
use std::sync::{Arc, Mutex, PoisonError};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::Error;

/// Whether a run is to stop, and the stages to be told.
///
/// A stage ends when its stdin closes; what it was writing stays below a temporary name and is swept.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    signal: Option<i32>,
    /// The stdin of every stage that runs, by process number.
    stages: BTreeMap<u32, ChildStdin>,
}

impl Stop {
    /// Listens for signals until the process ends.
    ///
    /// # Errors
    /// When the operating system refuses a handler.
    pub fn on_signals() -> Result<Self, Error> {
        let stop = Self::default();
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
        let told = stop.clone();
        std::thread::spawn(move || {
            for signal in signals.forever() {
                if told.signal().is_some() {
                    drop(signal_hook::low_level::emulate_default_handler(signal));
                }
                tracing::warn!("stopping the running stages; once more to stop at once");
                told.end(signal);
            }
        });
        Ok(stop)
    }

    /// Tells all stages to end.
    pub(crate) fn end(&self, signal: i32) {
        let mut inner = self.lock();
        inner.signal = Some(signal);
        inner.stages.clear();
    }

    /// The signal that came, if one did.
    #[must_use]
    pub fn signal(&self) -> Option<i32> {
        self.lock().signal
    }

    /// Keeps a stage's stdin open until a signal comes or the stage has ended.
    pub fn hold(&self, process: u32, stdin: Option<ChildStdin>) {
        let mut inner = self.lock();
        if inner.signal.is_none()
            && let Some(stdin) = stdin
        {
            inner.stages.insert(process, stdin);
        }
    }

    /// Tells a stage that waits to begin; false where a signal came or it is gone.
    #[must_use]
    pub fn tell(&self, process: u32) -> bool {
        self.lock().stages.get_mut(&process).is_some_and(|stdin| stdin.write_all(b"\n").is_ok())
    }

    /// Closes the stdin of a stage: one that has ended is forgotten, one that waits ends.
    pub fn ended(&self, process: u32) {
        self.lock().stages.remove(&process);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
