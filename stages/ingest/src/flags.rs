//! What is odd about an image: told in the manifest, dropped by nobody but the user.

use std::collections::HashSet;

use crate::dataset::Row;

/// Images with a side below this are icons and thumbnails.
const TINY: u32 = 16;
/// Images so many times longer than wide are strips: localisers of another kind, colour bars, line scans.
const LONG: u32 = 8;

/// The flags of an image by itself, in the order that the manifest lists them in; `blank`: its source has one value.
pub(crate) fn of(row: &Row, blank: bool) -> Vec<&'static str> {
    let (short, long) = (row.width.min(row.height), row.width.max(row.height));
    [(blank, "blank"), (short < TINY, "tiny"), (long > LONG * short, "long")]
        .into_iter()
        .filter_map(|(is, flag)| is.then_some(flag))
        .collect()
}

/// An image with the pixels of an earlier one.
const DUPLICATE: &str = "duplicate";

/// Every flag there is.
const ALL: [&str; 6] = ["blank", "tiny", "long", "overlay", "mosaic", DUPLICATE];

/// Flags every image whose pixels an earlier one has, and no other. Two that look alike under windows of their own (all
/// blank images do) are the same only where these windows are.
pub(crate) fn mark_duplicates(rows: &mut [Row]) {
    let mut seen = HashSet::new();
    for row in rows {
        row.flags.retain(|flag| *flag != DUPLICATE);
        let (low, high) = row.window;
        if !seen.insert((row.pixels.clone(), low.to_bits(), high.to_bits())) {
            row.flags.push(DUPLICATE);
        }
    }
}

/// The flags of an image as the manifest lists them.
pub(crate) fn parse(listed: &str) -> Vec<&'static str> {
    listed.split(',').filter_map(|flag| ALL.into_iter().find(|known| *known == flag)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_images_are_told() {
        let row = |width, height| Row { width, height, ..Row::default() };
        assert!(of(&row(64, 500), false).is_empty());
        assert_eq!(of(&row(64, 513), false), ["long"]);
        assert_eq!(of(&row(15, 64), true), ["blank", "tiny"]);
        let pixels = |pixels: &str| Row { pixels: pixels.to_owned(), ..Row::default() };
        let mut rows = ["a", "b", "a", "a"].map(pixels);
        mark_duplicates(&mut rows);
        assert_eq!(rows.map(|row| row.flags.len()), [0, 0, 1, 1]);
        let blank = |window| Row { pixels: "black".to_owned(), window, ..Row::default() };
        let mut rows = [(0.0, 0.0), (7.0, 7.0), (0.0, 0.0)].map(blank);
        mark_duplicates(&mut rows);
        assert_eq!(rows.map(|row| row.flags.len()), [0, 0, 1]);
    }
}
