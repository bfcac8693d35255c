//! Real archives, where they are: counts and pixels that were established with pydicom and nibabel.

use deepmcat_ingest::{Error, Settings};

use crate::support::{Dataset, all_frames, run, settings, shared, try_run};

fn ingested(name: &str, settings: &Settings) -> Option<Dataset> {
    let archive = shared(name)?;
    let folder = tempfile::tempdir().unwrap();
    let mut dataset = run(&archive, &folder.path().join("dataset"), settings);
    dataset.temporary = Some(folder);
    Some(dataset)
}

#[test]
fn a_cine_gives_each_position_at_its_smallest_trigger_time() {
    let Some(pig) = ingested("pig-ep-cmr", &settings()) else { return };
    // pydicom: for each ImagePositionPatient the file of the smallest TriggerTime.
    let files = ["I0081", "I0141", "I0201", "I0261", "I0321"].map(|name| format!("E774S5-shortAxis/{name}.dcm"));
    let long = ["I0001", "I0061", "I0121", "I0181"].map(|name| format!("E774S6-longAxis/{name}.dcm"));
    assert_eq!(pig.image_sources(), [&files[..], &long[..]].concat());
    assert_eq!(pig.manifest.slice, [4, 3, 2, 1, 0, 3, 2, 1, 0]);
    assert_eq!(pig.summary.rejects["not_t0"], 171);
    // blake3 over width, height (u32, little endian) and pixels of: a = pydicom's pixel_array;
    // a[a == 0] = nan, the PixelPaddingValue; lo, hi = np.nanpercentile(a, [0.5, 99.5]); floor(clip((a - lo) / (hi - lo), 0, 1) * 255 + 0.5)
    assert_eq!(pig.manifest.pixels, GOLDEN_PIG);
}

const GOLDEN_PIG: [&str; 9] = [
    "3c773c8c290ef14b",
    "0bf38f4635025b61",
    "1253a513dd20e883",
    "4f07698777f307e4",
    "9a7625d9e6416d1c",
    "ec63d61cd76e7f7c",
    "9869982f9ab0c358",
    "5d6354b55dd86556",
    "0f28bdbd502411ff",
];

#[test]
fn every_frame_of_the_philips_sequences_is_an_image_on_request() {
    let folders = Settings { rules: "folders".to_owned(), ..all_frames() };
    let Some(mr) = ingested("mr-sequences-philips", &folders) else { return };
    assert_eq!(mr.summary.images, Some(1016));
    assert_eq!(mr.summary.labels.len(), 9);
    assert_eq!(mr.summary.labels["BOLD_fMRI"], 189);
    assert_eq!(mr.reason("SOURCE.txt"), Some("not_an_image"));
}

#[test]
fn folders_of_jpeg_are_classes() {
    let folders = Settings { rules: "folders".to_owned(), ..settings() };
    let Some(mnist) = ingested("medical-mnist-dev", &folders) else { return };
    assert_eq!(mnist.summary.images, Some(3000));
    assert!(mnist.summary.labels.values().all(|&count| count == 500) && mnist.summary.labels.len() == 6);
    // Files are numbered in each class folder: that says nothing of patients.
    assert!(mnist.manifest.subject.iter().all(Option::is_none));
}

#[test]
fn all_axis_orders_of_a_volume_give_the_same_images() {
    let Some(fixtures) = shared("nifti-fixtures/orientations") else { return };
    let folder = tempfile::tempdir().unwrap();
    let volumes = run(&fixtures, &folder.path().join("dataset"), &settings());
    let mut by_file: Vec<Vec<&String>> = vec![Vec::new()];
    let rows = volumes.sources.source.iter().zip(&volumes.manifest.pixels);
    let mut last = None;
    for (source, pixels) in rows {
        if last.is_some_and(|last| last != source) {
            by_file.push(Vec::new());
        }
        by_file.last_mut().unwrap().push(pixels);
        last = Some(source);
    }
    assert!(by_file.len() > 4);
    assert!(by_file.iter().all(|file| *file == by_file[0]));
}

#[test]
fn dicom_and_the_nifti_made_of_it_look_the_same() {
    let Some(pairs) = ingested("dicom-nifti-pairs", &settings()) else { return };
    let slices = |below: &str, format: &str| {
        let rows = 0..pairs.manifest.key.len();
        let mut found: Vec<(u32, &String)> = rows
            .filter(|&row| pairs.sources.source[row].starts_with(below) && pairs.manifest.format[row] == format)
            .map(|row| (pairs.manifest.slice[row], &pairs.manifest.pixels[row]))
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    };
    assert_eq!(slices("hitachi/anatomical/001", "dicom").len(), 4);
    assert_eq!(slices("hitachi/anatomical/001", "dicom"), slices("hitachi/anatomical/001", "nifti"));
}

#[test]
fn an_enhanced_mr_gives_the_slices_of_its_first_time() {
    let (Some(dicom), Some(nifti)) =
        (ingested("dicom-fixtures/multiframe", &settings()), ingested("nifti-fixtures", &settings()))
    else {
        return;
    };
    let pixels = |dataset: &Dataset, source: &str| {
        let rows = dataset.sources.source.iter().zip(&dataset.manifest.pixels);
        let mut pixels: Vec<String> = rows.filter(|(of, _)| *of == source).map(|(_, pixels)| pixels.clone()).collect();
        pixels.sort_unstable();
        pixels
    };
    // dcm2niix's files of the same scans; the field map holds magnitude and phase.
    assert_eq!(pixels(&dicom, "6_1.dcm"), pixels(&nifti, "Siemens_REST1_w_SMS_PF7-8_6.nii"));
    assert_eq!(dicom.reason("6_2.dcm"), Some("not_t0"));
    let mut both = pixels(&nifti, "Philips_WIP_B0_NS_801_e1.nii");
    both.extend(pixels(&nifti, "Philips_WIP_B0_NS_801_e2_fieldmaphz.nii"));
    both.sort_unstable();
    assert_eq!(pixels(&dicom, "IM_0027_fMAP.dcm"), both);
}

#[test]
fn a_copy_stands_in_for_a_damaged_file() {
    let Some(fixtures) = ingested("dicom-fixtures", &settings()) else { return };
    // The truncated file and the copies have one SOPInstanceUID.
    assert_eq!(fixtures.reason("corrupt-or-odd/MR_truncated.dcm"), Some("truncated"));
    assert!(fixtures.sources.source.contains(&"corrupt-or-odd/zipMR.gz".to_owned()));
    assert_eq!(fixtures.reason("syntax-uncompressed/MR_small.dcm"), Some("duplicate"));
    assert!(!fixtures.summary.rejects.contains_key("decoder_panic"));
}

/// The hashes of a file's images by slice and frame, as the tables of fixtures list them.
fn pixels(dataset: &Dataset) -> String {
    let mut rows: Vec<usize> = (0..dataset.manifest.key.len()).collect();
    rows.sort_unstable_by_key(|&row| (dataset.sources.slice[row], dataset.sources.frame[row]));
    rows.iter().map(|&row| dataset.manifest.pixels[row].as_str()).collect::<Vec<_>>().join("+")
}

/// `fixtures/*_fixtures.csv`, made by `fixtures/compare_with_readers.py`, which compares every pixel with pydicom's and
/// nibabel's. Each file is ingested by itself, as there.
fn check_against(table: &str, archive: &str) -> Option<usize> {
    let archive = shared(archive)?;
    let (mut equal, mut other) = (0, Vec::new());
    for line in table.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let [file, syntax, _, ours, verdict, expected, _, windowed] = cells[..] else { panic!("{line}") };
        let folder = tempfile::tempdir().unwrap();
        let dataset = try_run(&[archive.join(file)], &folder.path().join("dataset"), &settings());
        let jpeg_ls = cfg!(feature = "jpeg-ls") || !syntax.starts_with("JPEG-LS");
        match dataset {
            Ok(dataset) => {
                if pixels(&dataset) != expected {
                    other.push(file.to_owned());
                }
                if !windowed.is_empty() {
                    let own = Settings { own_window: true, ..settings() };
                    let dataset = run(&archive.join(file), &folder.path().join("windowed"), &own);
                    assert_eq!(pixels(&dataset), windowed, "{file} by its own window");
                }
            }
            Err(Error::NoImages { inputs: 1, reasons }) if jpeg_ls => {
                if reasons != format!("1 {ours}") {
                    other.push(format!("{file}: {reasons}"));
                }
            }
            Err(Error::NoImages { inputs: 1, reasons }) => assert_eq!(reasons, "1 unsupported", "{file}"),
            Err(other) => panic!("{file}: {other}"),
        }
        equal += usize::from(verdict == "equal");
    }
    assert!(other.is_empty(), "{other:#?}");
    Some(equal)
}

#[test]
fn dicom_files_give_what_was_compared_with_pydicom() {
    let equal = check_against(include_str!("../../fixtures/dicom_fixtures.csv"), "dicom-fixtures");
    assert!(equal.is_none_or(|equal| equal >= 77), "{equal:?}");
}

#[test]
fn nifti_files_give_what_was_compared_with_nibabel() {
    let equal = check_against(include_str!("../../fixtures/nifti_fixtures.csv"), "nifti-fixtures");
    assert!(equal.is_none_or(|equal| equal >= 53), "{equal:?}");
}
