//! Standard output is data: this is the one place where it is written.

use std::io::{ErrorKind, Write};

/// Prints a line of data.
///
/// # Errors
/// When it cannot be written (a full disk). A reader that has gone (`| head`) is no error.
pub fn print(text: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}
