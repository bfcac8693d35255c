//! Keeps a panic in a decoder inside the file that caused it.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use tracing::subscriber::NoSubscriber;

use crate::reject::{Reason, Reject};

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}
static HOOK: Once = Once::new();

/// Runs `work` on one input; a panic in it becomes a reject, without a back-trace on stderr.
///
/// `work` must leave nothing half-done that others see: it only reads a file and returns a value.
pub(crate) fn isolated<T>(work: impl FnOnce() -> Result<T, Reject>) -> Result<T, Reject> {
    HOOK.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !GUARDED.get() {
                previous(info);
            }
        }));
    });
    let before = GUARDED.replace(true);
    // Decoders log what they find odd, with values out of the file: neither news nor fit for a log.
    let result = tracing::subscriber::with_default(NoSubscriber::default(), || catch_unwind(AssertUnwindSafe(work)));
    GUARDED.set(before);
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
        let failed = isolated::<()>(|| panic!("index out of bounds")).unwrap_err();
        assert_eq!(failed.reason, Reason::DecoderPanic);
        assert!(failed.message.contains("index out of bounds"));
        assert_eq!(isolated(|| Ok(1)), Ok(1));
    }
}
