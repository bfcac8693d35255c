//! The command line of `deepmcat-fetch`; doc comments are the help.

use std::path::PathBuf;

use clap::Parser;
use deepmcat_schemas::jobs::Fetch;
use deepmcat_schemas::layout::RECEIVED_JSON;
use deepmcat_stage::{CommonArgs, Front};

use crate::Error;
use crate::client::Patience;
use crate::fetch::fetch;

/// Receives the instances of an archive server as files of a folder, for `deepmcat ingest`.
///
/// A second call receives what is new, removes what the server has no longer, and goes on where a killed one was. Files are named
/// OUT/instances/STUDY/SERIES/INSTANCE.dcm by their UIDs: the folder identifies patients. User name and password come from
/// DEEPMCAT_PACS_USER and DEEPMCAT_PACS_PASSWORD, or from ~/.netrc.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "deepmcat-fetch",
    version,
    after_help = "Examples:\n  deepmcat-fetch orthanc://localhost:8042 --out received --set 'fetch.modality=[\"MR\"]'\n  \
        deepmcat-fetch dicomweb+https://pacs.example.org/dicom-web --out received --set fetch.dates=20200101-20201231"
)]
pub struct Args {
    /// Address of the server: orthanc://HOST:PORT, orthanc+https://HOST:PORT, dicomweb+https://HOST/PATH
    #[arg(value_name = "SERVER")]
    pub server: String,
    /// Folder of what is received
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// How it is done.
    #[command(flatten)]
    pub means: Means,
    /// Configuration and verbosity.
    #[command(flatten)]
    pub common: CommonArgs,
}

/// What changes no file.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub struct Means {
    /// Instances received at the same time [default: fetch.connections of the configuration]
    #[arg(long, value_name = "N")]
    pub connections: Option<u32>,
    /// Seconds that the server may be silent [default: fetch.timeout of the configuration]
    #[arg(long, value_name = "S")]
    pub timeout: Option<u32>,
    /// Times that a question is asked again where the server fails [default: fetch.retries of the configuration]
    #[arg(long, value_name = "N")]
    pub retries: Option<u32>,
    /// Receive every instance again
    #[arg(long)]
    pub fresh: bool,
}

impl AsRef<CommonArgs> for Args {
    fn as_ref(&self) -> &CommonArgs {
        &self.common
    }
}

impl Front for Args {
    type Job = Fetch;
    type Means = Means;
    type Error = Error;

    fn job(self) -> Result<(Fetch, Means), Error> {
        let config = self.common.config()?;
        let means = Means {
            connections: self.means.connections.or(Some(config.fetch.connections)),
            timeout: self.means.timeout.or(Some(config.fetch.timeout)),
            retries: self.means.retries.or(Some(config.fetch.retries)),
            ..self.means
        };
        Ok((config.fetch(self.server, self.out.join(RECEIVED_JSON)), means))
    }

    fn run(job: Fetch, means: Means) -> Result<(), Error> {
        let Means { connections, timeout, retries, fresh } = means;
        // A job says nothing of them.
        let default = deepmcat_config::resolve(None, None, &[])?.0.fetch;
        let patience = Patience {
            timeout: timeout.unwrap_or(default.timeout),
            retries: retries.unwrap_or(default.retries),
            connections: connections.unwrap_or(default.connections),
        };
        fetch(&job, patience, fresh).map(drop)
    }
}
