//! Texts of others in a CSV that people open.

use std::borrow::Cow;

/// A cell that no spreadsheet takes for a formula: a header of a file may hold one.
#[must_use]
pub fn for_spreadsheets(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_become_text() {
        assert_eq!(for_spreadsheets("=HYPERLINK(\"x\")"), "'=HYPERLINK(\"x\")");
        assert_eq!(["T1 -MPRAGE", "", "@x"].map(|text| for_spreadsheets(text).into_owned()), ["T1 -MPRAGE", "", "'@x"]);
    }
}
