//! What the machine cannot do, as something a person can mend.

use deepmcat_stage::{Failure, ThreadsError};

/// An error of the device, or of the processes that share the work.
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
    /// The configuration and the launcher do not agree.
    #[error(
        "setting `compute.ranks` is {asked}, but {started} processes were started\nhint: start `mpirun -n {asked} deepmcat-...` (one alone without mpirun), or set compute.ranks to what was started"
    )]
    Ranks {
        /// The setting.
        asked: usize,
        /// Processes that there are.
        started: usize,
    },
    /// The configuration asks for several processes and this build knows one.
    #[error(
        "setting `compute.ranks` needs MPI, which this build was made without\nhint: build with `make build MPI=1`, or --set compute.ranks=1"
    )]
    NoMpi,
    /// The system starts no such number of threads.
    #[error(transparent)]
    Threads(#[from] ThreadsError),
    /// libtorch refused; its [`message`].
    #[error("libtorch: {0}\nhint: if memory ran out, lower compute.ranks or use a machine with more of it")]
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
