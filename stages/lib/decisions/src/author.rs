//! Who decides.

/// The author of decisions: who is said to be, else the user of this machine.
#[must_use]
pub fn author(said: Option<String>) -> String {
    let user = || ["USER", "LOGNAME", "USERNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    said.or_else(user).unwrap_or_else(|| "unknown".to_owned())
}
