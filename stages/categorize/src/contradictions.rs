//! Header against pixels: series whose SeriesDescription is that of another category than their images have. What a person
//! typed, or a scanner's protocol left over from the scan before, is wrong now and then; the images are what they are.

use std::collections::{BTreeMap, HashMap};

use deepmcat_schemas::{Contradictions, SeriesCategories};

/// Other series of such a description that have to agree on a category before one may contradict it.
const OTHERS: u32 = 5;
/// Share of them that have it at least: a description of several categories says nothing.
const AGREED: f64 = 0.8;

/// The series, the surest first. Series that a person should look at anyway are left out: what they are is not known.
pub(crate) fn contradictions(series: &SeriesCategories) -> Contradictions {
    let mut kinds: HashMap<String, BTreeMap<&str, u32>> = HashMap::new();
    let described: Vec<(usize, &String)> =
        series.header.iter().enumerate().filter_map(|(row, header)| Some((row, header.as_ref()?))).collect();
    for &(row, header) in described.iter().filter(|(row, _)| !series.abstain[*row]) {
        *kinds.entry(kind(header)).or_default().entry(&series.category[row]).or_default() += 1;
    }
    let mut found: Vec<(f64, usize, &String, &str, f64, u32)> = Vec::new();
    for (row, header) in described.into_iter().filter(|(row, _)| !series.abstain[*row]) {
        let own = series.category[row].as_str();
        let counts = &kinds[&kind(header)];
        // All but itself.
        let others = counts.values().sum::<u32>() - 1;
        let most = counts.iter().filter(|(category, _)| **category != own).max_by_key(|(_, count)| **count);
        let Some((expected, &count)) = most else { continue };
        let share = f64::from(count) / f64::from(others.max(1));
        if others >= OTHERS && share >= AGREED {
            found.push((share * f64::from(series.confidence[row]), row, header, expected, share, others));
        }
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut table = Contradictions::default();
    for (confidence, row, header, expected, share, others) in found {
        table.series.push(series.series[row].clone());
        table.header.push(header.clone());
        table.expected.push(expected.to_owned());
        table.share.push(share as f32);
        table.others.push(others);
        table.category.push(series.category[row].clone());
        table.confidence.push(confidence as f32);
        table.images.push(series.images[row]);
    }
    table
}

/// A description without its numbers: `SAX_b3` and `SAX_b4` are levels of one stack, and `t2_tse 2` a repeat.
fn kind(header: &str) -> String {
    let mut kind = String::new();
    for character in header.trim().chars() {
        if !character.is_ascii_digit() {
            kind.extend(character.to_lowercase());
        } else if !kind.ends_with('#') {
            kind.push('#');
        }
    }
    kind
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(rows: &[(&str, &str, bool)]) -> SeriesCategories {
        let mut table = SeriesCategories::default();
        for (number, (header, category, abstain)) in rows.iter().enumerate() {
            table.series.push(number.to_string());
            table.category.push((*category).to_owned());
            table.confidence.push(0.9);
            table.images.push(3);
            table.abstain.push(*abstain);
            table.header.push(Some((*header).to_owned()).filter(|header| !header.is_empty()));
        }
        table
    }

    #[test]
    fn a_series_that_is_not_what_others_of_its_description_are_is_found() {
        let levels: Vec<String> = (1..=6).map(|level| format!("SAX_b{level}")).collect();
        let mut rows: Vec<(&str, &str, bool)> = levels.iter().map(|level| (level.as_str(), "SA", false)).collect();
        rows.extend([("sax_b9", "LVOT", false), ("SAX_b2", "LVOT", true), ("LVOT", "SA", false), ("", "SA", false)]);
        let found = contradictions(&series(&rows));
        assert_eq!(
            (found.series, found.expected, found.category),
            (vec!["6".to_owned()], vec!["SA".to_owned()], vec!["LVOT".to_owned()])
        );
        assert!((found.confidence[0] - 0.9).abs() < 1e-6 && found.others == [6] && found.share == [1.0]);
    }

    #[test]
    fn a_description_of_several_categories_says_nothing() {
        let rows: Vec<(&str, &str, bool)> =
            (0..20).map(|row| ("localizer", ["axial", "coronal"][row % 2], false)).collect();
        assert!(contradictions(&series(&rows)).series.is_empty());
    }
}
