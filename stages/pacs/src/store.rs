//! Sends objects to a server: STOW-RS (PS3.18 10.5), or Orthanc's `/instances`.

use std::path::PathBuf;

use deepmcat_schemas::jobs::fetch::Protocol;

use crate::Error;
use crate::client::{Ask, Client};
use crate::multipart::parts;

/// The longest answer that is read.
const ANSWER: u64 = 1 << 20;

/// Sends files, each by itself. One that the server has already is sent again, which changes nothing.
pub(crate) fn store(client: &Client, protocol: Protocol, files: &[PathBuf]) -> Result<(), Error> {
    const WHAT: &str = "a report that is sent";
    for file in files {
        let bytes = fs_err::read(file)?;
        let answer = match protocol {
            Protocol::Orthanc => client.ask(Ask::Store(&bytes), "/instances", "application/json", ANSWER, WHAT)?,
            Protocol::DicomWeb => {
                let body = parts(&[bytes]);
                client.ask(Ask::Stow(&body), "/studies", "application/dicom+json", ANSWER, WHAT)?
            }
        };
        // 202 of STOW-RS: not all were stored as they are.
        if answer.status != 200 {
            return Err(client.status(answer.status, WHAT));
        }
    }
    Ok(())
}
