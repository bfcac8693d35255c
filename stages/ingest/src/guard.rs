//! Keeps a panic in a decoder, and a file that takes for ever, inside the file that caused it.

use std::cell::Cell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::time::{Duration, Instant};

use tracing::subscriber::NoSubscriber;

use crate::reject::{Reason, Reject};

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
    static DEADLINE: Cell<Option<Instant>> = const { Cell::new(None) };
}
static HOOK: Once = Once::new();

/// Sets what holds of the input that this thread reads, and puts back what held before: a decoder that waits for its
/// threads may read another file meanwhile, inside the first.
struct Guard {
    guarded: bool,
    deadline: Option<Instant>,
    since: Instant,
}

impl Guard {
    fn set(seconds: u64) -> Self {
        let since = Instant::now();
        let deadline = DEADLINE.replace(since.checked_add(Duration::from_secs(seconds)));
        Self { guarded: GUARDED.replace(true), deadline, since }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        GUARDED.set(self.guarded);
        // The time that the inner file took is not the outer one's.
        DEADLINE.set(self.deadline.and_then(|deadline| deadline.checked_add(self.since.elapsed())));
    }
}

/// Whether the input being read still has time; an error of kind `TimedOut` ends its reading.
pub(crate) fn check_time() -> io::Result<()> {
    match DEADLINE.get() {
        Some(deadline) if Instant::now() > deadline => Err(io::ErrorKind::TimedOut.into()),
        _ => Ok(()),
    }
}

/// Runs `work` on one input; a panic in it becomes a reject, without a back-trace on stderr, and after `seconds` its
/// next read fails.
///
/// `work` must leave nothing half-done that others see: it only reads a file and returns a value.
pub(crate) fn isolated<T>(seconds: u64, work: impl FnOnce() -> Result<T, Reject>) -> Result<T, Reject> {
    HOOK.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            // While fuzzing, a panic in code of ours is a finding, wherever it would be caught.
            let ours = cfg!(fuzzing) && info.location().is_some_and(|at| at.file().contains("stages/ingest"));
            if ours || !GUARDED.get() {
                previous(info);
            }
        }));
    });
    let guard = Guard::set(seconds);
    // Decoders log what they find odd, with values out of the file: neither news nor fit for a log.
    let result = tracing::subscriber::with_default(NoSubscriber::default(), || catch_unwind(AssertUnwindSafe(work)));
    drop(guard);
    result.unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str);
        let said = said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
        // The first line alone: the rest may hold bytes of the file.
        let said: String = said.lines().next().unwrap_or_default().chars().take(200).collect();
        Err(Reject::new(Reason::DecoderPanic, format!("the decoder failed: {said}")))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_reject_and_the_next_file_goes_on() {
        let failed = isolated::<()>(9, || panic!("index out of bounds")).unwrap_err();
        assert_eq!(failed.reason, Reason::DecoderPanic);
        assert!(failed.message.contains("index out of bounds"));
        assert_eq!(isolated(9, || Ok(1)), Ok(1));
    }

    #[test]
    fn time_that_is_up_ends_the_next_read() {
        let read = || check_time().map_err(|error| Reject::from_io(&error, "read"));
        let slow = isolated(0, || {
            std::thread::sleep(Duration::from_millis(2));
            read()
        });
        assert_eq!(slow.unwrap_err().reason, Reason::TooSlow);
        assert!(isolated(9, read).is_ok() && check_time().is_ok());
    }

    #[test]
    fn a_file_read_inside_another_leaves_the_outer_ones_limit() {
        let outer = isolated(9, || {
            let limit = DEADLINE.get();
            assert!(isolated::<()>(0, || panic!("inside")).is_err());
            // Its own limit and its own silence, not none; and not the inner one's time.
            Ok((GUARDED.get(), DEADLINE.get() >= limit && limit.is_some()))
        });
        assert_eq!(outer, Ok((true, true)));
        assert_eq!((GUARDED.get(), DEADLINE.get()), (false, None));
    }
}
