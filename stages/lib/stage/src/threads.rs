//! The threads of a process that decode, render and search.

/// The system starts no such number of threads.
#[derive(Debug, thiserror::Error)]
#[error(
    "{threads} threads cannot be started: {reason}\nhint: lower compute.threads, or raise the limit of processes (ulimit -u)"
)]
pub struct ThreadsError {
    /// Threads wanted.
    pub threads: usize,
    /// What the system said.
    pub reason: String,
}

/// Sets the threads of rayon in this process; 0: as many as there are cores.
///
/// # Errors
/// When the system starts no such number of threads.
pub fn set_threads(threads: usize) -> Result<(), ThreadsError> {
    // rayon too takes 0 as all. A second call in one process (tests) keeps the pool of the first: an error without a
    // source.
    match rayon::ThreadPoolBuilder::new().num_threads(threads).build_global() {
        Err(error) if std::error::Error::source(&error).is_some() => {
            Err(ThreadsError { threads, reason: error.to_string() })
        }
        _ => Ok(()),
    }
}
