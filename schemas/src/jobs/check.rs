//! Ranges that settings have to lie in.

use std::fmt::Display;
use std::ops::RangeInclusive;

/// A value that no stage can work with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("setting `{key}` is {found}, expected {expected}")]
pub struct OutOfRange {
    /// `section.key`.
    pub key: &'static str,
    /// What would do.
    pub expected: &'static str,
    /// What is there.
    pub found: String,
}

/// Refuses a setting unless `holds`.
///
/// # Errors
/// Where it does not hold.
pub fn must(holds: bool, key: &'static str, expected: &'static str, found: impl Display) -> Result<(), OutOfRange> {
    if holds { Ok(()) } else { Err(OutOfRange { key, expected, found: found.to_string() }) }
}

/// Refuses a setting outside of a range, which `expected` says in words.
///
/// # Errors
/// Where it lies outside.
pub fn within<T: PartialOrd + Display>(
    key: &'static str,
    value: T,
    range: RangeInclusive<T>,
    expected: &'static str,
) -> Result<(), OutOfRange> {
    must(range.contains(&value), key, expected, value)
}

/// Refuses a share that is not 0 to below 1.
///
/// # Errors
/// Where it is not.
pub fn share(key: &'static str, value: f64) -> Result<(), OutOfRange> {
    must((0.0..1.0).contains(&value), key, "0 to below 1", value)
}
