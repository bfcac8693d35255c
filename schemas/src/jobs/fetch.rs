//! The job of `fetch`: the instances of an archive server as files of a folder.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::check::{OutOfRange, must, within};
use super::{Check, paths};

/// The instances of an archive server as files of a folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fetch {
    /// What it reads.
    pub inputs: Inputs,
    /// What it writes.
    pub outputs: Outputs,
    /// Where the instances are.
    pub server: String,
    /// Which of them.
    pub fetch: Settings,
}

paths! {
    /// What a fetch reads.
    Inputs {
        /// File with the certificates (PEM) that the server's is signed by; none: those that browsers trust.
        ca: Option<PathBuf>,
    }

    /// What a fetch writes.
    Outputs {
        /// Counts of what was received; the instances lie in folders beside it.
        received: PathBuf,
    }
}

/// Which instances of a server are received, and how large one may be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Modalities of series; none: all.
    pub modality: Vec<String>,
    /// Study dates, `YYYYMMDD`, `YYYYMMDD-YYYYMMDD`, or open at one end; empty: all.
    pub dates: String,
    /// SeriesDescription with `*` and `?`; empty: all.
    pub description: String,
    /// The largest instance, in MiB.
    pub max_size: u64,
    /// Whether a server beyond this machine may be asked without TLS.
    pub plain_http: bool,
}

/// A kind of archive server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Orthanc's REST API.
    Orthanc,
    /// DICOMweb (PS3.18).
    DicomWeb,
}

/// Where an archive server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// How it is spoken to.
    pub protocol: Protocol,
    /// Whether by TLS.
    pub tls: bool,
    /// Name or number of the host.
    pub host: String,
    /// `http(s)://HOST:PORT/PATH` without a slash at its end.
    pub url: String,
}

/// What an address of a server looks like.
const EXPECTED: &str = "orthanc://HOST:PORT, orthanc+https://HOST:PORT, dicomweb+https://HOST/PATH or dicomweb+http://HOST/PATH, without user name and password";

impl Address {
    /// True for what is meant as the address of a server and not as a path.
    #[must_use]
    pub fn is_one(text: &str) -> bool {
        text.contains("://")
    }

    /// Reads an address.
    ///
    /// # Errors
    /// When it is none, or holds a password, which would lie in run.toml.
    pub fn parse(text: &str) -> Result<Self, OutOfRange> {
        // A password in an address is not repeated.
        let shown = if text.contains('@') { "an address with `@`" } else { text };
        let wrong = || OutOfRange { key: "input.server", expected: EXPECTED, found: shown.to_owned() };
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        let (protocol, tls) = match scheme {
            "orthanc" | "orthanc+http" => (Protocol::Orthanc, false),
            "orthanc+https" => (Protocol::Orthanc, true),
            "dicomweb+http" => (Protocol::DicomWeb, false),
            "dicomweb+https" => (Protocol::DicomWeb, true),
            _ => return Err(wrong()),
        };
        let rest = rest.trim_end_matches('/');
        let authority = rest.split('/').next().unwrap_or_default();
        let plain =
            |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '/' | ':' | '[' | ']' | '~' | '%');
        let host = match authority.strip_prefix('[') {
            Some(rest) => rest.split_once(']').map_or("", |(host, _)| host),
            None => authority.split(':').next().unwrap_or_default(),
        };
        if host.is_empty() || !rest.chars().all(plain) {
            return Err(wrong());
        }
        let url = format!("{}://{rest}", if tls { "https" } else { "http" });
        Ok(Self { protocol, tls, host: host.to_owned(), url })
    }

    /// True where the server is this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

impl Settings {
    /// Refuses what no server can be asked for.
    ///
    /// # Errors
    /// When a setting is out of range.
    pub fn check(&self) -> Result<(), OutOfRange> {
        within("fetch.max_size", self.max_size, 1..=1 << 20, "1 to 1048576 MiB")?;
        let code = |text: &String| (1..=16).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric());
        must(
            self.modality.iter().all(code),
            "fetch.modality",
            "a list of modalities, for example [\"MR\", \"CT\"]",
            format_args!("{:?}", self.modality),
        )?;
        let day = |text: &str| text.is_empty() || (text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit()));
        let ends = self.dates.split('-').collect::<Vec<_>>();
        let known = self.dates.is_empty() || (ends.len() <= 2 && ends.iter().all(|end| day(end)) && self.dates != "-");
        must(known, "fetch.dates", "YYYYMMDD, YYYYMMDD-YYYYMMDD, YYYYMMDD- or -YYYYMMDD", &self.dates)?;
        must(
            self.description.chars().count() <= 64 && !self.description.contains(['\\', '\n', '\r']),
            "fetch.description",
            "one SeriesDescription of 64 characters at most, with * and ?",
            &self.description,
        )
    }

    /// Refuses a server that must not be asked.
    ///
    /// # Errors
    /// When the address is none, or names a server beyond this machine without TLS and `fetch.plain_http` does not allow it.
    pub fn check_server(&self, server: &str) -> Result<Address, OutOfRange> {
        let address = Address::parse(server)?;
        must(
            address.tls || address.is_loopback() || self.plain_http,
            "input.server",
            "an address with +https, since names of patients and the password would cross the network for all to read (where \
             that is no harm: --set fetch.plain_http=true)",
            server,
        )?;
        Ok(address)
    }
}

impl Check for Fetch {
    fn check(&self) -> Result<(), OutOfRange> {
        self.fetch.check()?;
        self.fetch.check_server(&self.server).map(drop)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        let (modality, dates, description) = (Vec::new(), String::new(), String::new());
        Settings { modality, dates, description, max_size: 1, plain_http: false }
    }

    #[test]
    fn an_address_says_how_where_and_no_password() {
        let orthanc = Address::parse("orthanc://localhost:8042/").unwrap();
        assert_eq!((orthanc.url.as_str(), orthanc.protocol), ("http://localhost:8042", Protocol::Orthanc));
        let web = Address::parse("dicomweb+https://[::1]:1/dicom-web").unwrap();
        assert_eq!((web.url.as_str(), web.host.as_str()), ("https://[::1]:1/dicom-web", "::1"));
        assert!(web.is_loopback() && !Address::parse("orthanc://127.0.0.1.example.org").unwrap().is_loopback());
        for wrong in ["orthanc://", "http://host", "orthanc://a b", "orthanc://host?x=1", "orthanc://host#x", "archive"]
        {
            assert!(Address::parse(wrong).is_err(), "{wrong}");
        }
        let said = Address::parse("orthanc://anna:secret@host").unwrap_err().to_string();
        assert!(!said.contains("secret"), "{said}");
    }

    #[test]
    fn without_tls_only_this_machine_is_asked() {
        assert!(settings().check_server("orthanc://127.0.0.1:8042").is_ok());
        assert!(settings().check_server("orthanc+https://pacs").is_ok());
        let said = settings().check_server("orthanc://pacs:8042").unwrap_err().to_string();
        assert!(said.contains("fetch.plain_http=true"), "{said}");
        assert!(Settings { plain_http: true, ..settings() }.check_server("orthanc://pacs:8042").is_ok());
    }

    #[test]
    fn filters_are_what_a_server_can_be_asked() {
        let with = |modality: &[&str], dates: &str, description: &str| {
            let modality = modality.iter().map(|&one| one.to_owned()).collect();
            let (dates, description) = (dates.to_owned(), description.to_owned());
            Settings { modality, dates, description, ..settings() }.check().is_ok()
        };
        assert!(with(&["MR"], "20200101-", "*cine*") && with(&[], "-20201231", ""));
        assert!(!with(&["MR\\CT"], "", "") && !with(&[""], "", "") && !with(&[], "2020", "") && !with(&[], "-", ""));
        assert!(!with(&[], "20200101-20200102-20200103", "") && !with(&[], "", "a\\b"));
    }
}
