//! The command line of `deepmcat-review`; doc comments are the help.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use deepmcat_stage::Verbosity;

use crate::Error;

/// Opens a page on this machine for naming the clusters of a finished run, by keyboard.
///
/// Prints the page's link, which works once, and opens it. Decisions go to RUN/review/decisions.jsonl, as with
/// `deepmcat names`, and are on the disk before the page confirms them. Ctrl-C ends it. docs/guide/review.md has the
/// keys.
#[derive(Debug, clap::Parser)]
#[command(
    name = "deepmcat-review",
    version,
    after_help = "Example:\n  deepmcat review runs/study\n  deepmcat categorize runs/study\n\
        From another machine: ssh -L 8123:127.0.0.1:8123 HOST, there deepmcat review RUN --no-open --port 8123"
)]
pub struct Args {
    /// The run folder
    pub run: PathBuf,
    /// The port to listen on; 0: any free port
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub port: u16,
    /// Only print the link, do not open a browser
    #[arg(long)]
    pub no_open: bool,
    /// Who decides [default: the user of this machine]
    #[arg(long, value_name = "NAME")]
    pub author: Option<String>,
    /// The address to listen on; one that other machines can reach also needs the flag below
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub listen: IpAddr,
    /// Let other machines connect without encryption: others on the network can then see images and link
    #[arg(long)]
    pub i_know_others_can_connect: bool,
    /// How much is said.
    #[command(flatten)]
    pub verbosity: Verbosity,
}

impl Args {
    /// Where to listen.
    ///
    /// # Errors
    /// When others could connect and nobody said that they may.
    pub(crate) fn address(&self) -> Result<SocketAddr, Error> {
        if !self.listen.is_loopback() && !self.i_know_others_can_connect {
            return Err(Error::BeyondLoopback { address: self.listen });
        }
        Ok(SocketAddr::new(self.listen, self.port))
    }
}
