//! Who may ask: this machine's browser that came by the link, from the page itself.
//!
//! Any web page that a user has open can send requests to this machine, and any name can be made to mean it (DNS rebinding).
//! So the `Host` has to be the one that was printed, a decision has to come from this page (`Origin`), and everything needs
//! the cookie, which is given once, for the token in the link.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Body;
use axum::http::header::{COOKIE, HOST, ORIGIN, SET_COOKIE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};

use crate::Error;

/// What every answer says.
const HEADERS: [(&str, &str); 6] = [
    (
        "content-security-policy",
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("x-frame-options", "DENY"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
];
/// Seconds that the browser keeps the cookie, which means nothing once this program has ended.
const KEPT: u32 = 7 * 24 * 3600;
/// The link was used. A navigation of this page's own, so that a link clicked elsewhere works too: browsers send a strict
/// cookie with no redirect of such a one.
const ENTER: &str = "<!DOCTYPE html><html lang=en><meta charset=utf-8><meta http-equiv=refresh content=\"0;url=/\"><title>deepmcat review</title><p><a href=\"/\">To the page</a>";
const NO_ENTRY: &str =
    "This page needs the link that `deepmcat review` printed, which works once. Start it again for a new link.\n";

/// Judges requests.
#[derive(Debug)]
pub(crate) struct Guard {
    address: SocketAddr,
    token: String,
    used: AtomicBool,
    cookie: String,
}

/// What is to be done with a request.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It is answered.
    Pass,
    /// This is the answer.
    Answer(Response<Body>),
}

impl Guard {
    /// For a server at `address`.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub(crate) fn new(address: SocketAddr) -> Result<Self, Error> {
        Ok(Self { address, token: secret()?, used: AtomicBool::new(false), cookie: secret()? })
    }

    /// The link that lets one browser in.
    pub(crate) fn link(&self) -> String {
        format!("http://{}/?token={}", self.address, self.token)
    }

    /// Judges a request.
    pub(crate) fn judge(&self, request: &Request<Body>) -> Verdict {
        let headers = request.headers();
        let Some(host) = only(headers, &HOST).filter(|host| self.is_own(host)) else {
            return refuse(StatusCode::MISDIRECTED_REQUEST, "This is not the host that was printed.\n");
        };
        if request.method() == Method::POST && only(headers, &ORIGIN) != Some(&format!("http://{host}")) {
            return refuse(StatusCode::FORBIDDEN, "Decisions are taken from this server's own page alone.\n");
        }
        if self.has_cookie(headers) {
            return Verdict::Pass;
        }
        let uri = request.uri();
        let token = uri.query().and_then(|query| query.strip_prefix("token="));
        let right =
            uri.path() == "/" && request.method() == Method::GET && token.is_some_and(|token| same(token, &self.token));
        if right && !self.used.swap(true, Ordering::SeqCst) {
            return Verdict::Answer(self.enter());
        }
        refuse(StatusCode::FORBIDDEN, NO_ENTRY)
    }

    /// The host is this server, by number or as localhost: never by a name that others give out.
    fn is_own(&self, host: &str) -> bool {
        let port = self.address.port();
        let ip = self.address.ip();
        if ip.is_unspecified() {
            // Any address of this machine, as a number.
            return host.parse::<SocketAddr>().is_ok_and(|host| host.port() == port);
        }
        host == self.address.to_string() || (ip.is_loopback() && host == format!("localhost:{port}"))
    }

    /// Cookies are shared by all ports of a host, so the name says which.
    fn cookie_name(&self) -> String {
        format!("deepmcat-review-{}", self.address.port())
    }

    fn has_cookie(&self, headers: &HeaderMap) -> bool {
        let name = self.cookie_name();
        let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.filter(|(other, _)| *other == name).any(|(_, value)| same(value, &self.cookie))
    }

    fn enter(&self) -> Response<Body> {
        let cookie =
            format!("{}={}; HttpOnly; SameSite=Strict; Path=/; Max-Age={KEPT}", self.cookie_name(), self.cookie);
        let mut response = text(StatusCode::OK, "text/html; charset=utf-8", ENTER);
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().insert(SET_COOKIE, cookie);
        }
        protect(response)
    }
}

/// Adds what every answer says.
pub(crate) fn protect(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers.entry("cache-control").or_insert(HeaderValue::from_static("no-store"));
    response
}

fn refuse(status: StatusCode, message: &'static str) -> Verdict {
    Verdict::Answer(protect(text(status, "text/plain; charset=utf-8", message)))
}

fn text(status: StatusCode, kind: &'static str, body: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", HeaderValue::from_static(kind));
    response
}

/// A header that is there exactly once.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() { None } else { value.to_str().ok() }
}

/// Compares in a time that tells nothing of where they differ.
fn same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    one.len() == other.len() && one.iter().zip(other).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

fn secret() -> Result<String, Error> {
    let mut bytes = [0_u8; 24];
    getrandom::fill(&mut bytes).map_err(|error| Error::Random(error.to_string()))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn guard(address: &str) -> Guard {
        Guard::new(address.parse().unwrap()).unwrap()
    }

    #[test]
    fn only_the_printed_host_is_this_server() {
        let own = |address: &str, host: &str| guard(address).is_own(host);
        assert!(own("127.0.0.1:8123", "127.0.0.1:8123") && own("127.0.0.1:8123", "localhost:8123"));
        for other in
            ["127.0.0.1", "127.0.0.1:80", "evil.example:8123", "127.0.0.1.evil.example:8123", "LOCALHOST:8123", ""]
        {
            assert!(!own("127.0.0.1:8123", other), "{other}");
        }
        assert!(own("[::1]:8123", "[::1]:8123") && !own("[::1]:8123", "127.0.0.1:8123"));
        assert!(own("0.0.0.0:8123", "10.0.0.7:8123") && !own("0.0.0.0:8123", "evil.example:8123"));
        assert!(!own("10.0.0.7:8123", "localhost:8123"));
    }

    #[test]
    fn secrets_differ_and_are_compared_whole() {
        let (one, other) = (secret().unwrap(), secret().unwrap());
        assert!(one.len() == 48 && one != other);
        assert!(same(&one, &one) && !same(&one, &other) && !same(&one, &one[..47]) && !same("", &one));
    }
}
