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

/// What a spreadsheet wrote as CSV: its text without the mark of UTF-8 that many write first, and its delimiter, which in
/// half of Europe is a semicolon.
#[must_use]
pub fn from_spreadsheet(text: &[u8]) -> (&[u8], u8) {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let first = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
    (text, [b',', b';', b'\t'].into_iter().find(|delimiter| first.contains(delimiter)).unwrap_or(b','))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_and_semicolons_are_understood() {
        assert_eq!(from_spreadsheet(b"\xef\xbb\xbfa;b\nc,d"), (&b"a;b\nc,d"[..], b';'));
        assert_eq!(from_spreadsheet(b"alone"), (&b"alone"[..], b','));
    }

    #[test]
    fn formulas_become_text() {
        assert_eq!(for_spreadsheets("=HYPERLINK(\"x\")"), "'=HYPERLINK(\"x\")");
        assert_eq!(["T1 -MPRAGE", "", "@x"].map(|text| for_spreadsheets(text).into_owned()), ["T1 -MPRAGE", "", "'@x"]);
    }
}
