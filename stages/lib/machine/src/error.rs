//! What the machine cannot do, as something a person can mend.

use deepmcat_stage::{Failure, ThreadsError};

/// An error of the device.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration asks for a device that this build or machine lacks.
    #[error(
        "setting `compute.device` is {asked}, but {reason}\nhint: --set compute.device=cpu, or install the CUDA build of libtorch (see README)"
    )]
    Device {
        /// The setting.
        asked: String,
        /// What is missing.
        reason: String,
    },
    /// The system starts no such number of threads.
    #[error(transparent)]
    Threads(#[from] ThreadsError),
    /// libtorch refused; its [`message`].
    #[error("libtorch: {0}\nhint: if memory ran out, use a machine with more of it")]
    Torch(String),
}

impl From<tch::TchError> for Error {
    fn from(error: tch::TchError) -> Self {
        Self::Torch(message(error))
    }
}

impl Failure for Error {
    fn is_usage(&self) -> bool {
        !matches!(self, Self::Torch(_))
    }
}

/// What libtorch said: its first line, without the C++ trace behind it.
#[must_use]
pub fn message(error: tch::TchError) -> String {
    let text = match error {
        tch::TchError::Torch(text) => text,
        other => other.to_string(),
    };
    text.lines().next().unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libtorch_errors_are_one_line() {
        let error = Error::from(tch::TchError::Torch("shapes differ\nException raised from f at a.cpp".into()));
        assert!(error.to_string().starts_with("libtorch: shapes differ\nhint:"), "{error}");
        assert!(!error.is_usage());
    }
}
