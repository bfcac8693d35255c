//! Opens a link in the user's browser.

use std::process::{Command, Stdio};

/// Opens it where there is a browser; elsewhere the link that was printed has to do.
pub(crate) fn open(link: &str) {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let mut command = Command::new(program);
    command.arg(link).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    match command.spawn() {
        // Waited for, so that it leaves no zombie.
        Ok(mut child) => drop(std::thread::spawn(move || child.wait())),
        Err(error) => tracing::info!("no browser was opened ({program}: {error})"),
    }
}
