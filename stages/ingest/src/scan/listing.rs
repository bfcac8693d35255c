//! The list of files that UK Biobank puts into each zip: `manifest.cvs` [sic] or `manifest.csv`.
//!
//! Its `series discription` [sic] repeats SeriesDescription (0008,103E) of each file. The tag counts; the list only
//! shows whether the archive is whole and unmixed. Its dates hold a comma without quotes, which shifts what follows.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Read;

use serde::Serialize;

use crate::hash::listed;
use crate::inputs::{Input, Inputs};

/// Longer files are no lists.
const LONGEST: u64 = 64 << 20;

/// Hashes of each listed file's place and of its description.
pub(super) type Listing = Vec<(u64, u64)>;

/// Files compared with the lists beside them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// Files that are listed and there, with the same description.
    pub same: u64,
    /// With another description.
    pub different: u64,
    /// Listed, but not there.
    pub absent: u64,
}

/// True for the names of such lists.
pub(super) fn is_listing(name: &str) -> bool {
    let last = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
    last == "manifest.cvs" || last == "manifest.csv"
}

/// Reads a list; none where it is no such list.
pub(super) fn read(input: &Input) -> Option<Listing> {
    let mut bytes = Vec::new();
    input.place.open().ok()?.take(LONGEST).read_to_end(&mut bytes).ok()?;
    let name = input.name();
    let text = String::from_utf8_lossy(&bytes);
    let rows = parse(&text)?;
    let hashes = rows.iter().map(|(file, description)| (place(folder(&name), file), listed(description)));
    Some(hashes.collect())
}

/// File names and descriptions.
fn parse<'a>(text: &'a str) -> Option<Vec<(&'a str, &'a str)>> {
    let mut lines = text.lines().map(|line| line.trim_end_matches('\r')).filter(|line| !line.trim().is_empty());
    let heads: Vec<String> = lines.next()?.split(',').map(|head| head.trim().to_ascii_lowercase()).collect();
    let column = |is: &dyn Fn(&str) -> bool| heads.iter().position(|head| is(head));
    let file = column(&|head| head.starts_with("file"))?;
    let description = column(&|head| head.starts_with("series d"))?;
    let date = column(&|head| head.contains("date"));
    let row = |line: &str| -> Option<(usize, usize)> {
        let shift = line.split(',').count().checked_sub(heads.len())?;
        // What stands behind the date is shifted by the commas in it.
        let at = |column: usize| if date.is_some_and(|date| column > date) { column + shift } else { column };
        Some((at(file), at(description)))
    };
    let cells = |line: &'a str| -> Option<(&'a str, &'a str)> {
        let (file, description) = row(line)?;
        let cell = |number| line.split(',').nth(number).map(|cell| cell.trim().trim_matches('"'));
        Some((cell(file)?, cell(description)?))
    };
    Some(lines.filter_map(cells).collect())
}

/// Compares lists with the descriptions of the files that were read, by [`place_of`]; a file that is there without one
/// (an excluded or a damaged one) says nothing.
pub(super) fn compare(listings: &[Listing], found: &HashMap<u64, u64>, inputs: &Inputs) -> Compared {
    let mut compared = Compared::default();
    if listings.is_empty() {
        return compared;
    }
    let there: HashSet<u64> = (0..inputs.readable() as u32).map(|input| place_of(&inputs.name(input))).collect();
    for (place, description) in listings.iter().flatten() {
        match found.get(place) {
            None if there.contains(place) => {}
            None => compared.absent += 1,
            Some(own) if own == description => compared.same += 1,
            Some(_) => compared.different += 1,
        }
    }
    compared
}

/// Where a file is, as a list beside it would say.
pub(super) fn place_of(name: &str) -> u64 {
    place(folder(name), name.rsplit('/').next().unwrap_or(name))
}

fn place(folder: &str, file: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (folder, file).hash(&mut hasher);
    hasher.finish()
}

fn folder(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_in_the_date_shifts_nothing() {
        let text = "filename,patient id,study date,series discription,number\r\n\
            1.dcm,X,2014-May-11,CINE_segmented_LVOT,7\n\
            2.dcm,X,May 11, 2014,CINE_segmented_SAX_b1,8\n\n\
            broken\n";
        let rows = parse(text).unwrap();
        assert_eq!(rows, [("1.dcm", "CINE_segmented_LVOT"), ("2.dcm", "CINE_segmented_SAX_b1")]);
        assert!(parse("a,b\n1,2\n").is_none());
        assert!(parse("").is_none());
    }

    #[test]
    fn listed_files_are_compared_where_they_lie() {
        assert!(is_listing("x/1_20209_2_0.zip/manifest.cvs") && is_listing("Manifest.CSV") && !is_listing("a.csv"));
        let found = HashMap::from([(place_of("z.zip/1.dcm"), listed("A")), (place_of("y.zip/2.dcm"), listed("B"))]);
        let listing = vec![(place("z.zip", "1.dcm"), listed("A ")), (place("z.zip", "2.dcm"), listed("B"))];
        assert_eq!(compare(&[listing], &found, &Inputs::default()), Compared { same: 1, different: 0, absent: 1 });
        let listing = vec![(place("y.zip", "2.dcm"), listed("A"))];
        assert_eq!(compare(&[listing], &found, &Inputs::default()), Compared { same: 0, different: 1, absent: 0 });
    }
}
