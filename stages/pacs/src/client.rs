//! HTTP to one server that is not trusted: answers are capped, a silent server is left, a failing one is asked again, no
//! redirect is followed, and nothing of what is sent or received is logged.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use deepmcat_schemas::jobs::fetch::{Address, Protocol};
use serde::de::DeserializeOwned;
use ureq::Agent;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

use crate::{Error, credentials};

/// The longest answer in JSON: that of a series of 200,000 instances.
pub(crate) const JSON: u64 = 256 << 20;
/// Pause before the second try; each later one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause, whatever the server asks for.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// So many times the time that a server may be silent, one answer may take in all.
const ANSWER: u32 = 20;

/// With what means a server is asked.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Seconds that it may be silent.
    pub timeout: u32,
    /// Times that a question is asked again.
    pub retries: u32,
    /// Questions at the same time.
    pub connections: u32,
}

/// One server.
pub struct Client {
    agent: Agent,
    address: Address,
    authorization: Option<String>,
    retries: u32,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Client({})", self.address) // a password stays out of logs
    }
}

/// What is asked of a server.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ask<'a> {
    Get,
    /// POST, for questions alone: it may be repeated.
    Find(&'a [u8]),
    Put(&'a [u8]),
    Delete,
    /// POST of an object; the same object again changes nothing.
    Store(&'a [u8]),
    /// The same as a part of STOW-RS.
    Stow(&'a [u8]),
}

/// A whole answer.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub status: u16,
    pub kind: String,
    pub body: Vec<u8>,
    /// The body would be longer than is read.
    pub too_large: bool,
}

/// Why a try came to nothing.
struct Failed {
    why: String,
    wait: Option<Duration>,
}

impl Client {
    /// A client of a server, whose certificates are signed by those of the file `ca`, or by those that browsers trust.
    ///
    /// # Errors
    /// When the certificates or the credentials cannot be read.
    pub fn new(address: Address, ca: Option<&Path>, patience: Patience) -> Result<Self, Error> {
        let authorization = credentials::authorization(&address.host)?;
        let silent = Duration::from_secs(patience.timeout.into());
        let tls = TlsConfig::builder().root_certs(ca.map_or(Ok(RootCerts::WebPki), certificates)?).build();
        let connections = patience.connections as usize;
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .tls_config(tls)
            .no_delay(true)
            .timeout_connect(Some(silent.min(Duration::from_secs(15))))
            .timeout_per_read(Some(silent))
            .timeout_per_write(Some(silent))
            .timeout_recv_response(Some(silent))
            .timeout_global(Some(silent * ANSWER))
            .max_idle_connections(connections)
            .max_idle_connections_per_host(connections)
            .user_agent(concat!("deepmcat/", env!("CARGO_PKG_VERSION")));
        if address.is_loopback() {
            config = config.proxy(None);
        }
        Ok(Self { agent: config.build().new_agent(), address, authorization, retries: patience.retries })
    }

    /// How it is spoken to.
    pub(crate) fn protocol(&self) -> Protocol {
        self.address.protocol
    }

    /// Its address, which holds no password.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.address.url
    }

    /// Asks for JSON; none where there is nothing (404, 204). `what` is what messages call it.
    pub(crate) fn json<T: DeserializeOwned>(&self, ask: Ask<'_>, path: &str, what: &str) -> Result<Option<T>, Error> {
        let answer = self.ask(ask, path, "application/json", JSON, what)?;
        match answer.status {
            404 | 204 => return Ok(None),
            200 => {}
            status => return Err(self.status(status, what)),
        }
        if answer.too_large {
            return Err(self.answer(what, format!("answers with more than {} MiB", JSON >> 20)));
        }
        // The message of serde may hold values.
        let wrong = |error: serde_json::Error| format!("no JSON as expected, at line {}", error.line());
        serde_json::from_slice(&answer.body).map(Some).map_err(|error| self.answer(what, wrong(error)))
    }

    /// Asks, again where that can help, and reads the answer up to `most` bytes.
    pub(crate) fn ask(&self, ask: Ask<'_>, path: &str, accept: &str, most: u64, what: &str) -> Result<Answer, Error> {
        let tries = self.retries + 1;
        let mut failed = String::new();
        let mut pause = FIRST_PAUSE;
        for attempt in 1..=tries {
            let once = self.once(ask, path, accept, most);
            let Failed { why, wait } = match once {
                Ok(answer) => return self.judge(answer, what),
                Err(failed) => failed,
            };
            failed = why;
            if attempt < tries {
                let pause = wait.unwrap_or(pause).min(LONGEST_PAUSE);
                tracing::debug!("{}: {what}: {failed}; again in {:.1} s", self.server(), pause.as_secs_f64());
                std::thread::sleep(pause);
            }
            pause *= 2;
        }
        Err(self.unreachable(what, failed, tries))
    }

    fn once(&self, ask: Ask<'_>, path: &str, accept: &str, most: u64) -> Result<Answer, Failed> {
        let url = format!("{}{path}", self.address.url);
        let authorized = |header: &mut Option<String>| header.take();
        let mut authorization = self.authorization.clone();
        let response = match ask {
            Ask::Get | Ask::Delete => {
                let mut request = if matches!(ask, Ask::Get) { self.agent.get(&url) } else { self.agent.delete(&url) };
                request = request.header("Accept", accept);
                if let Some(value) = authorized(&mut authorization) {
                    request = request.header("Authorization", value);
                }
                request.call()
            }
            Ask::Find(body) | Ask::Put(body) | Ask::Store(body) | Ask::Stow(body) => {
                let put = matches!(ask, Ask::Put(_));
                let mut request = if put { self.agent.put(&url) } else { self.agent.post(&url) };
                request = request.header("Accept", accept);
                let kind = match ask {
                    Ask::Find(_) => "application/json",
                    Ask::Put(_) => "text/plain",
                    Ask::Store(_) => "application/dicom",
                    _ => STORED,
                };
                request = request.header("Content-Type", kind);
                if let Some(value) = authorized(&mut authorization) {
                    request = request.header("Authorization", value);
                }
                request.send(body)
            }
        };
        let response = response.map_err(|error| Failed { why: cause(&error), wait: None })?;
        let status = response.status().as_u16();
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        if matches!(status, 408 | 429 | 500 | 502 | 503 | 504) {
            let seconds = header("Retry-After").and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
            return Err(Failed { why: format!("answers {status}"), wait: seconds });
        }
        let kind = header("Content-Type").unwrap_or_default();
        let length: Option<u64> = header("Content-Length").and_then(|text| text.trim().parse().ok());
        let mut answer = Answer { status, kind, ..Answer::default() };
        if length.is_some_and(|length| length > most) {
            return Ok(Answer { too_large: true, ..answer });
        }
        let mut body = response.into_body().into_with_config().limit(u64::MAX).reader().take(most + 1);
        body.read_to_end(&mut answer.body).map_err(|error| Failed { why: ends_early(&error), wait: None })?;
        answer.too_large = answer.body.len() as u64 > most;
        let whole = length.is_none_or(|length| length == answer.body.len() as u64);
        if whole { Ok(answer) } else { Err(Failed { why: "the answer ends early".to_owned(), wait: None }) }
    }

    /// Refuses what no repetition mends.
    fn judge(&self, answer: Answer, what: &str) -> Result<Answer, Error> {
        let (server, what) = (self.server().to_owned(), what.to_owned());
        match answer.status {
            status @ (401 | 403) => Err(Error::Login { server, host: self.address.host.clone(), status }),
            status @ 300..=399 => Err(Error::Redirect { server, what, status }),
            _ => Ok(answer),
        }
    }

    /// The error for a status that means nothing here.
    pub(crate) fn status(&self, status: u16, what: &str) -> Error {
        let hint = match status {
            405 | 501 => "the server does not offer that",
            _ => {
                "is this the address of Orthanc, or of the root of a DICOMweb service? The log of the server says more"
            }
        };
        Error::Status { server: self.server().to_owned(), what: what.to_owned(), status, hint }
    }

    /// The error for an answer that is not as the protocol says.
    pub(crate) fn answer(&self, what: &str, why: impl Into<String>) -> Error {
        Error::Answer { server: self.server().to_owned(), what: what.to_owned(), why: why.into() }
    }

    fn unreachable(&self, what: &str, why: String, tries: u32) -> Error {
        Error::Unreachable { server: self.server().to_owned(), what: what.to_owned(), why, tries }
    }
}

/// How objects are stored by STOW-RS (PS3.18 10.5); the boundary is that of [`crate::multipart`].
const STORED: &str = "multipart/related; type=\"application/dicom\"; boundary=deepmcat-part";

fn certificates(path: &Path) -> Result<RootCerts, Error> {
    let text = fs_err::read(path)?;
    let items: Vec<_> = parse_pem(&text).filter_map(Result::ok).collect();
    let certificates: Vec<_> = items
        .into_iter()
        .filter_map(|item| match item {
            PemItem::Certificate(certificate) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(Error::Certificates { path: path.to_owned() });
    }
    Ok(RootCerts::new_with_certs(&certificates))
}

fn cause(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => "it is silent for too long".to_owned(),
        // What openssl makes of `req -x509` where nothing else is said.
        error if error.to_string().contains("CaUsedAsEndEntity") => {
            "its certificate is that of an authority (CA:TRUE), which no server may show; it needs one that this signs"
                .to_owned()
        }
        error => error.to_string(),
    }
}

fn ends_early(error: &std::io::Error) -> String {
    let silent = error.kind() == std::io::ErrorKind::TimedOut || error.to_string().contains("timeout");
    if silent { "it is silent for too long" } else { "the answer ends early" }.to_owned()
}
