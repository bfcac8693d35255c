//! What can go wrong with an archive server. No message holds a value from an image or the body of an answer.

use std::path::PathBuf;

use deepmcat_config::ConfigError;
use deepmcat_schemas::SchemaError;
use deepmcat_schemas::jobs::OutOfRange;
use deepmcat_stage::Failure;

/// An error of `fetch` or `pacs`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An address or a filter that no server can be asked with.
    #[error(transparent)]
    Setting(#[from] OutOfRange),
    /// A table or a file of ours.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// The file system; the source names the file.
    #[error("a file could not be read or written")]
    Io(#[from] std::io::Error),
    /// The certificates of `fetch.ca`.
    #[error("{}: no certificates in PEM\nhint: it needs lines `-----BEGIN CERTIFICATE-----`, as `openssl x509` writes them", path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
    },
    /// User name without password, or the other way round.
    #[error(
        "one of DEEPMCAT_PACS_USER and DEEPMCAT_PACS_PASSWORD is set and the other is not\nhint: set both, or none and use ~/.netrc"
    )]
    HalfCredentials,
    /// The server does not answer, or not to the end.
    #[error(
        "{server}: {what}: {why}, after {tries} tries\nhint: is the server up, and can it be reached from here? What was done is \
         kept: the same command goes on"
    )]
    Unreachable {
        /// Address.
        server: String,
        /// What was asked for.
        what: String,
        /// What happened at last.
        why: String,
        /// How often it was tried.
        tries: u32,
    },
    /// The server does not know us.
    #[error(
        "{server}: answers {status}: it wants another user name and password\nhint: set DEEPMCAT_PACS_USER and \
         DEEPMCAT_PACS_PASSWORD, or a line `machine {host} login USER password PASSWORD` in ~/.netrc"
    )]
    Login {
        /// Address.
        server: String,
        /// Its host, as netrc names it.
        host: String,
        /// 401 or 403.
        status: u16,
    },
    /// The server sends us elsewhere.
    #[error(
        "{server}: {what}: answers {status}, a redirect, which is not followed: it could lead to another host\nhint: give the \
         address that it leads to"
    )]
    Redirect {
        /// Address.
        server: String,
        /// What was asked for.
        what: String,
        /// 3xx.
        status: u16,
    },
    /// An answer that cannot be of use.
    #[error("{server}: {what}: answers {status}\nhint: {hint}")]
    Status {
        /// Address.
        server: String,
        /// What was asked for.
        what: String,
        /// The status of HTTP.
        status: u16,
        /// What to do.
        hint: &'static str,
    },
    /// An answer that is not what the protocol says.
    #[error("{server}: {what}: {why}\nhint: is this the address of Orthanc, or of the root of a DICOMweb service?")]
    Answer {
        /// Address.
        server: String,
        /// What was asked for.
        what: String,
        /// What is wrong.
        why: String,
    },
    /// Another fetch is at work in the folder.
    #[error("{}: another fetch is writing there\nhint: wait for it, or give another --out folder", path.display())]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// Something else is in the folder.
    #[error("{}: what lies there was received from another server\nhint: give --out a new folder, or remove that one", path.display())]
    OtherServer {
        /// The folder.
        path: PathBuf,
    },
    /// A run without categories.
    #[error("{}: no categories yet\nhint: name clusters (deepmcat review), then: deepmcat categorize RUN", path.display())]
    NoCategories {
        /// The run folder.
        path: PathBuf,
    },
    /// No server is named.
    #[error("{}: its images came from no server\nhint: name one: --server orthanc://HOST:PORT", path.display())]
    NoServer {
        /// The run folder.
        path: PathBuf,
    },
    /// Another program writes to the same journal.
    #[error("{}: another `deepmcat pacs` is at work with this run\nhint: wait for it", path.display())]
    JournalBusy {
        /// The journal.
        path: PathBuf,
    },
    /// A line of the journal that is none.
    #[error("{}: line {line} is damaged\nhint: restore the file from a backup: it alone says what on the server is ours", path.display())]
    JournalDamaged {
        /// The journal.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// A key that cannot be one.
    #[error(
        "`{key}` is no key of metadata\nhint: a number from 1024 to 65535, or a name of UserMetadata in the server's configuration"
    )]
    BadKey {
        /// As the user wrote it.
        key: String,
    },
    /// A key that the server does not know.
    #[error(
        "{server}: does not know `{key}`\nhint: use a number from 1024 to 65535, or add the name to UserMetadata in the server's configuration"
    )]
    UnknownKey {
        /// Address.
        server: String,
        /// The key.
        key: String,
    },
    /// A file of codes that cannot be used.
    #[error("{}: {why}\nhint: a CSV with the columns category, scheme, code, meaning", path.display())]
    Codes {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A map of categories that cannot be read, and must not be lost.
    #[error("{}: {why}\nhint: mend it, or move it away and let it be made again", path.display())]
    Map {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Nothing to report of.
    #[error("{}: no series to write a report of: {abstained} wait for a person to look, the files of {unread} are not where they \
         were\nhint: look at them (deepmcat review), or bring the archive back to its place", path.display())]
    NoReport {
        /// The run folder.
        path: PathBuf,
        /// Series that abstain.
        abstained: usize,
        /// Series whose files are not there.
        unread: usize,
    },
    /// A server that is too old for labels.
    #[error(
        "{server}: has no labels, which Orthanc has since 1.12\nhint: leave out --labels and --study-labels: metadata work on every version"
    )]
    NoLabels {
        /// Address.
        server: String,
    },
    /// The server has nothing of what is asked for.
    #[error(
        "{server}: no instance of what was asked for\nhint: are the filters (fetch.modality, fetch.dates, fetch.description) right?"
    )]
    Nothing {
        /// Address.
        server: String,
    },
    /// The server has nothing any more.
    #[error(
        "{server}: no instance of what was asked for now, and {instances} were received before; they were left unchanged\nhint: is \
         its storage mounted, and are the filters right? To start over, remove the folder of what was received"
    )]
    NothingLeft {
        /// Address.
        server: String,
        /// Instances received.
        instances: u64,
    },
}

impl Failure for Error {
    fn is_usage(&self) -> bool {
        match self {
            Self::Schema(error) => error.is_usage(),
            Self::Status { status, .. } => (400..500).contains(status),
            Self::Io(_) | Self::Unreachable { .. } | Self::Answer { .. } => false,
            _ => true,
        }
    }
}
