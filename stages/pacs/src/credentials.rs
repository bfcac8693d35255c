//! User name and password: from DEEPMCAT_PACS_USER and DEEPMCAT_PACS_PASSWORD, or from netrc, and never from a file of a run.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::Error;

/// The environment's user name.
pub const USER: &str = "DEEPMCAT_PACS_USER";
/// The environment's password.
pub const PASSWORD: &str = "DEEPMCAT_PACS_PASSWORD";

/// The value of the header `Authorization` for a host (RFC 7617); none where nobody gave a name.
///
/// # Errors
/// When the environment has one of user name and password, or netrc cannot be read.
pub(crate) fn authorization(host: &str) -> Result<Option<String>, Error> {
    let [user, password] = [USER, PASSWORD].map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    let pair = match (user, password) {
        (Some(user), Some(password)) => Some((user, password)),
        (None, None) => match netrc() {
            Some(path) if path.is_file() => of_host(&fs_err::read_to_string(&path)?, host),
            _ => None,
        },
        _ => return Err(Error::HalfCredentials),
    };
    Ok(pair.map(|(user, password)| format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))))
}

/// The file that `NETRC` names, else `~/.netrc`.
fn netrc() -> Option<PathBuf> {
    let home = || Some(Path::new(&std::env::var_os("HOME")?).join(".netrc"));
    std::env::var_os("NETRC").map(PathBuf::from).or_else(home)
}

/// Login and password of a host in the text of a netrc file; `default` serves every host.
fn of_host(text: &str, host: &str) -> Option<(String, String)> {
    let mut words = text.lines().filter(|line| !line.trim_start().starts_with('#')).flat_map(str::split_whitespace);
    let (mut here, mut login, mut password) = (false, None, None);
    while let Some(word) = words.next() {
        match word {
            "machine" | "default" => {
                if here && password.is_some() {
                    break;
                }
                here = word == "default" || words.next() == Some(host);
                (login, password) = (None, None);
            }
            "login" if here => login = words.next(),
            "password" if here => password = words.next(),
            _ => {}
        }
    }
    Some((login.filter(|_| here)?.to_owned(), password?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn netrc_is_read_as_curl_reads_it() {
        let text = "# of the archive\nmachine other login a password b\nmachine pacs\n  login anna\n  password x:y\n\
            machine third login c password d\n";
        let found = |host| of_host(text, host);
        assert_eq!(found("pacs"), Some(("anna".to_owned(), "x:y".to_owned())));
        assert_eq!(found("third"), Some(("c".to_owned(), "d".to_owned())));
        assert_eq!(found("nobody"), None);
        assert_eq!(of_host("default login e password f", "nobody"), Some(("e".to_owned(), "f".to_owned())));
        assert_eq!(of_host("machine pacs login anna", "pacs"), None);
    }
}
