//! In and out of an archive server: Orthanc by its REST API, and DICOMweb.
//!
//! `fetch` receives instances as files for `ingest`; `pacs` writes categories back and takes them back. A server is not trusted: see [`client`] and [`uid`].

pub mod archive;
mod args;
pub mod client;
mod content;
mod credentials;
mod dicomweb;
mod error;
mod fetch;
mod journal;
mod multipart;
mod orthanc;
mod pacs;
mod received;
pub mod result;
mod sr;
mod store;
mod table;
pub mod uid;
mod write;

pub use args::{Args, Means};
pub use error::Error;
pub use fetch::fetch;
pub use pacs::{PacsArgs, pacs};
pub use received::Counts;
