//! Ends a stage whose runner is gone, so that a killed run leaves no writer behind.

use std::io::Read;

/// Set by the runner, which then holds the stage's stdin open for as long as it lives. `wait`: the stage was started
/// before its inputs are there, and begins when a byte comes.
pub const PARENT_WATCH: &str = "DEEPMCAT_PARENT_WATCH";

/// Set by the runner where several nodes compute on cards at the same time: the number of the card for
/// `compute.device = "cuda"`, to be taken modulo how many there are.
pub const CARD: &str = "DEEPMCAT_CARD";

/// Exit code of a stage that ends because its runner did (128 + SIGTERM).
const TERMINATED: i32 = 143;

/// When started by the runner: waits for its word if it is to, and ends this process as soon as stdin closes, however
/// the runner ended.
pub(crate) fn watch() {
    let Some(how) = std::env::var_os(PARENT_WATCH) else { return };
    if how == "wait" && !matches!(std::io::stdin().lock().read(&mut [0]), Ok(1)) {
        std::process::exit(TERMINATED);
    }
    std::thread::spawn(|| {
        let mut buffer = [0_u8; 64];
        while matches!(std::io::stdin().lock().read(&mut buffer), Ok(1..)) {}
        std::process::exit(TERMINATED);
    });
}
