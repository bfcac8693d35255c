//! Review: a page on this machine, for naming the clusters of a run by keyboard.
//!
//! The server answers this machine alone, and whoever came by the link that it printed. What is decided goes to the log of
//! decisions that `deepmcat names` uses too, and is on the disk before the page is told.

mod args;
mod audit;
mod browser;
mod data;
mod error;
mod guard;
mod png16;
mod server;
mod session;
mod space;
mod split;
mod tiles;

use std::sync::Arc;

use deepmcat_decisions::{Log, author};

pub use args::Args;
pub use error::Error;

use audit::Auditing;
use data::Data;
use guard::Guard;
use server::App;
use session::Session;
use space::Space;

/// Serves the page until it is told to end.
///
/// # Errors
/// When the run has no result, its log is damaged, or the address cannot be listened on.
pub fn run(args: Args) -> Result<(), Error> {
    let address = args.address()?;
    let author = author(args.author);
    session::check_author(&author).map_err(Error::Author)?;
    let log = Log::open(&args.run)?;
    let data = Arc::new(Data::read(&args.run, &log)?);
    let auditing = Auditing::read(&data.result)?;
    let session = Session::new(Arc::clone(&data), log, author);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listen = |source| Error::Listen { address, source };
        let listener = tokio::net::TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr()?;
        let guard = Guard::new(address)?;
        let link = guard.link();
        deepmcat_stage::print(&link).map_err(Error::Print)?;
        tracing::info!("{}: open the link above, which works once; Ctrl-C ends the program", args.run.display());
        if !args.no_open {
            browser::open(&link);
        }
        server::serve(listener, App::new(data, session, auditing, Space::new(&args.run), guard)).await
    })
}
