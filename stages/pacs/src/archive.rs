//! What `fetch` asks of an archive server, whatever it speaks.

use deepmcat_schemas::jobs::fetch::Settings;
use serde::{Deserialize, Serialize};

use crate::Error;

/// A series of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// StudyInstanceUID (0020,000D), as the server has it.
    pub study: String,
    /// SeriesInstanceUID (0020,000E), as the server has it.
    pub series: String,
    /// What the server calls it besides.
    pub id: String,
    /// How many instances it has, where that alone tells that nothing is new: a server that lists them slowly says it.
    pub count: Option<u64>,
}

/// An instance of a series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// SOPInstanceUID (0008,0018), as the server has it.
    pub uid: String,
    /// What the server calls it besides.
    pub id: String,
    /// Length of its file, where the server says it before.
    pub bytes: Option<u64>,
    /// Changes when the server stores it again; empty where the server does not say.
    pub version: String,
}

/// How an instance arrived.
#[derive(Debug)]
pub enum Loaded {
    /// Its file.
    File(Vec<u8>),
    /// It is no longer there.
    Gone,
    /// It is not received, and why.
    Refused(&'static str),
}

/// How far the history of a server was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Number of its last change.
    pub change: u64,
    /// Instances that it had then.
    pub instances: u64,
}

/// A server.
pub trait Archive: Sync {
    /// Lists the series that the filters let through.
    ///
    /// # Errors
    /// When the server does not answer as it should; so for all others.
    fn series(&self, filter: &Settings) -> Result<Vec<Series>, Error>;
    /// Lists the instances of a series.
    ///
    /// # Errors
    /// As [`Self::series`].
    fn instances(&self, series: &Series) -> Result<Vec<Instance>, Error>;
    /// Receives an instance of `most` bytes at most.
    ///
    /// # Errors
    /// As [`Self::series`].
    fn load(&self, series: &Series, instance: &Instance, most: u64) -> Result<Loaded, Error>;
    /// Where the server's history ends; none where it tells none.
    ///
    /// # Errors
    /// As [`Self::series`].
    fn now(&self) -> Result<Option<Seen>, Error> {
        Ok(None)
    }
    /// Of the series that the filters let through those that got instances since; none where only a list of all tells.
    ///
    /// # Errors
    /// As [`Self::series`].
    fn changed(&self, since: Seen, filter: &Settings) -> Result<Option<Vec<Series>>, Error> {
        let _ = (since, filter);
        Ok(None)
    }
}

/// Whether a series passes the filters by what the server says of it: not every server heeds them, and some tell capital letters
/// from small ones.
pub(crate) fn passes(filter: &Settings, modality: Option<&str>, description: Option<&str>) -> bool {
    let modality = modality.unwrap_or_default().trim();
    let wanted = filter.modality.is_empty() || filter.modality.iter().any(|one| one.eq_ignore_ascii_case(modality));
    let letters = |text: &str| text.trim().to_lowercase().chars().collect::<Vec<_>>();
    let fits = || matches(&letters(&filter.description), &letters(description.unwrap_or_default()));
    wanted && (filter.description.is_empty() || fits())
}

/// Whether a text fits a pattern with `*` and `?` (PS3.4 C.2.2.2.4), in steps bounded by the product of their lengths.
fn matches(pattern: &[char], text: &[char]) -> bool {
    // Whether the pattern up to here fits the text up to each place.
    let mut fits = vec![false; text.len() + 1];
    fits[0] = true;
    for &one in pattern {
        if one == '*' {
            for at in 1..=text.len() {
                fits[at] |= fits[at - 1];
            }
        } else {
            for at in (1..=text.len()).rev() {
                fits[at] = fits[at - 1] && (one == '?' || one == text[at - 1]);
            }
            fits[0] = false;
        }
    }
    fits[text.len()]
}

/// A text as a part of an address (RFC 3986).
pub(crate) fn encoded(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_heeded_whatever_the_server_does() {
        let filter = |modality: &[&str], description: &str| Settings {
            modality: modality.iter().map(|&one| one.to_owned()).collect(),
            dates: String::new(),
            description: description.to_owned(),
            max_size: 1,
            plain_http: false,
        };
        let cine = filter(&["MR"], "*Cine_?ax*");
        assert!(!passes(&cine, Some("MR "), Some("SSFP-CINE SAx")) && passes(&cine, Some("mr"), Some("cine_SAX")));
        assert!(!passes(&cine, Some("CT"), Some("cine_sax")) && !passes(&cine, Some("MR"), None));
        assert!(!passes(&cine, None, Some("cine_sax")));
        assert!(passes(&filter(&[], ""), Some("CT"), Some("")));
        assert!(!passes(&filter(&[], "cine"), None, Some("cines")) && passes(&filter(&[], "*"), None, Some("")));
    }

    #[test]
    fn a_text_cannot_leave_its_place_in_an_address() {
        assert_eq!(encoded("*a b&c=/ä"), "%2Aa%20b%26c%3D%2F%C3%A4");
    }
}
