//! Pixels that are stored in odd ways: each picture is right, or there is a reject. The files and what is in them are
//! made by fixtures/make_odd_pixels.py.

use std::path::{Path, PathBuf};

use crate::support::{Dataset, all_frames, run, settings, shared};
use crate::truth::{self, Truth};

/// A line of cases.csv.
struct Case {
    name: String,
    /// Images, or the reason of the reject.
    images: Result<usize, String>,
    levels: f64,
}

/// The cases whose names start so, with their truths in a folder and their files in its `in`.
fn cases(prefixes: &[&str]) -> (tempfile::TempDir, Vec<Case>) {
    let folder = tempfile::tempdir().unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/odd_pixels.zip");
    zip::ZipArchive::new(fs_err::File::open(path).unwrap()).unwrap().extract(folder.path()).unwrap();
    let table = fs_err::read_to_string(folder.path().join("cases.csv")).unwrap();
    fs_err::create_dir(folder.path().join("in")).unwrap();
    let mut cases = Vec::new();
    for line in table.lines().skip(1) {
        let [name, images, levels] = line.split(',').collect::<Vec<_>>().try_into().unwrap();
        if !prefixes.iter().any(|prefix| name.starts_with(prefix)) {
            continue;
        }
        let name = format!("{name}.dcm");
        fs_err::rename(folder.path().join(&name), folder.path().join("in").join(&name)).unwrap();
        let images = images.parse().map_err(|_| images.to_owned());
        cases.push(Case { name, images, levels: levels.parse().unwrap() });
    }
    (folder, cases)
}

/// Checks the cases whose names start so; each of these names must have some.
fn check(prefixes: &[&str]) -> Dataset {
    let (folder, cases) = cases(prefixes);
    for prefix in prefixes {
        assert!(cases.iter().any(|case| case.name.starts_with(prefix)), "{prefix}");
    }
    let dataset = run(&folder.path().join("in"), &folder.path().join("dataset"), &all_frames());
    let read = |case: &&Case| cfg!(feature = "jpeg-ls") || !case.name.starts_with("jls");
    for case in cases.iter().filter(read) {
        let rows: Vec<usize> =
            (0..dataset.manifest.path.len()).filter(|&row| dataset.sources.source[row] == case.name).collect();
        let (images, reason) = match &case.images {
            Ok(images) => (*images, None),
            Err(reason) => (0, Some(reason.as_str())),
        };
        assert_eq!((rows.len(), dataset.reason(&case.name)), (images, reason), "{}", case.name);
        for row in rows {
            // A mosaic has its slices in one frame; each frame without a place is a slice.
            let number = dataset.sources.frame[row].max(dataset.sources.slice[row]);
            let end = if images > 1 { format!("@{number}") } else { String::new() };
            let picture = Truth::read(&folder.path().join(format!("{}{end}.npz", case.name)));
            picture.check(&dataset, row, case.levels);
            padding_is_black(&picture, &dataset, row);
        }
    }
    Dataset { temporary: Some(folder), ..dataset }
}

/// Where the truth is NaN, the pixel is black.
fn padding_is_black(picture: &Truth, dataset: &Dataset, row: usize) {
    let levels = dataset.levels(row);
    assert!(picture.values.iter().zip(levels).all(|(value, level)| !value.is_nan() || level == 0));
}

#[test]
fn big_endian_samples_keep_their_order() {
    check(&["big_", "little_32"]);
}

#[test]
fn colours_without_compression_are_what_their_length_and_name_say() {
    check(&["rgb_", "ybr_"]);
}

#[test]
fn a_length_that_contradicts_the_attributes_gives_no_picture() {
    check(&["rows_", "columns_", "frames_too_", "depth_", "samples_", "padded_"]);
}

#[test]
fn padding_stays_out_of_the_window_and_is_black() {
    check(&["padding_"]);
}

#[test]
fn a_jpeg_has_the_size_and_colours_that_it_says_itself() {
    check(&["jpeg_"]);
}

#[test]
fn a_jpeg_2000_has_the_size_and_colours_that_it_says_itself() {
    check(&["j2k_"]);
}

#[test]
fn a_jpeg_ls_has_the_size_and_colours_that_it_says_itself() {
    check(&["jls_"]);
}

#[test]
fn rle_of_any_depth_and_order_is_read() {
    check(&["rle_"]);
}

#[test]
fn frames_are_found_in_fragments_of_any_number() {
    check(&["frames_"]);
}

#[test]
fn mosaics_are_split_or_flagged() {
    let dataset = check(&["mosaic"]);
    for (source, flags) in dataset.sources.source.iter().zip(&dataset.manifest.flags) {
        let flagged = flags.as_ref().is_some_and(|flags| flags.contains("mosaic"));
        assert_eq!(flagged, source == "mosaic_untold.dcm", "{source}");
    }
}

#[test]
fn every_case_is_in_a_test() {
    let tests = [
        "big_",
        "little_32",
        "rgb_",
        "ybr_",
        "rows_",
        "columns_",
        "frames_",
        "depth_",
        "samples_",
        "padded_",
        "padding_",
        "jpeg_",
        "j2k_",
        "jls_",
        "rle_",
        "mosaic",
    ];
    for case in cases(&[""]).1 {
        assert!(tests.iter().any(|prefix| case.name.starts_with(prefix)), "{}", case.name);
    }
}

fn odd_case(name: &str) -> Option<(Dataset, PathBuf)> {
    let case = shared("odd-cases")?.join(name);
    let folder = tempfile::tempdir().unwrap();
    let dataset = run(&case.join("in"), &folder.path().join("dataset"), &settings());
    Some((Dataset { temporary: Some(folder), ..dataset }, case.join("truth")))
}

#[test]
fn d10_padding_of_a_disc() {
    let Some((dataset, folder)) = odd_case("D10") else { return };
    assert_eq!(truth::check(&dataset, &folder, 1.0), 2);
    for row in 0..2 {
        let name = format!("{}.npz", dataset.sources.source[row]);
        padding_is_black(&Truth::read(&folder.join(name)), &dataset, row);
    }
}
