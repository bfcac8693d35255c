//! What ends the program, and why a request is refused.

use std::net::{IpAddr, SocketAddr};

use deepmcat_schemas::SchemaError;
use deepmcat_stage::Failure;

/// An error of the program.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log, or the result that it is about.
    #[error(transparent)]
    Decisions(#[from] deepmcat_decisions::Error),
    /// A table.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// The system; the source says what.
    #[error("the page cannot be served")]
    Io(#[from] std::io::Error),
    /// Tables of different data sets.
    #[error("{}: has no image {image}, which has a cluster\nhint: the data set is not the one that was clustered; deepmcat run makes its result again", path.display())]
    OtherImages {
        /// The manifest.
        path: std::path::PathBuf,
        /// The first such image.
        image: deepmcat_schemas::ImageId,
    },
    /// An address that other machines reach.
    #[error(
        "--listen {address}: other machines could connect, and what they send and see is not encrypted\nhint: leave --listen out and use ssh -L PORT:127.0.0.1:PORT from the other machine, or add --i-know-others-can-connect"
    )]
    BeyondLoopback {
        /// The address.
        address: IpAddr,
    },
    /// An address that cannot be listened on.
    #[error("{address}: cannot listen there\nhint: give another --port, or none for any that is free")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// An author that is none.
    #[error("--author: {0}\nhint: give a name of 1 to 100 characters on one line")]
    Author(&'static str),
    /// No random numbers for the link.
    #[error("the system gives no random numbers, so the link would not be secret: {0}")]
    Random(String),
    /// stdout cannot be written.
    #[error("the link could not be printed: stdout cannot be written")]
    Print(#[source] std::io::Error),
}

impl Failure for Error {
    fn is_usage(&self) -> bool {
        match self {
            Self::Decisions(error) => error.is_usage(),
            Self::Schema(error) => error.is_usage(),
            Self::OtherImages { .. } | Self::BeyondLoopback { .. } | Self::Listen { .. } | Self::Author(_) => true,
            Self::Io(_) | Self::Random(_) | Self::Print(_) => false,
        }
    }
}

/// Why a request gets no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// Others have decided since the page was last told.
    #[error("somebody else decided in the meantime: decision {last} is the last one")]
    Stale {
        /// The last decision.
        last: u64,
    },
    /// There is no such thing.
    #[error("there is no such {0}")]
    Absent(&'static str),
    /// What was asked for cannot be done.
    #[error("{0}")]
    Bad(String),
    /// It failed here.
    #[error("{0}")]
    Failed(String),
}

impl From<deepmcat_decisions::Error> for Refusal {
    fn from(error: deepmcat_decisions::Error) -> Self {
        use deepmcat_decisions::Error;
        match error {
            Error::Stale { last, .. } => Self::Stale { last },
            Error::BadName { .. } | Error::NothingToUndo { .. } => Self::Bad(without_hint(&error.to_string())),
            error => Self::Failed(with_causes(&error)),
        }
    }
}

/// An error in one line, with what caused it.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let mut said: Vec<String> = causes.map(|error| error.to_string().replace('\n', "; ")).collect();
    said.dedup();
    said.join(": ")
}

fn without_hint(message: &str) -> String {
    message.lines().next().unwrap_or_default().to_owned()
}
