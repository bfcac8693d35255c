//! Series whose headers say little or say it wrongly: what is a time, what another image, what a copy.

use std::path::{Path, PathBuf};

use deepmcat_schemas::{Rejects, read_table};
use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};

use crate::support::{Dataset, all_frames, run, settings, shared};
use crate::truth;

/// A text attribute.
type Said<'a> = (Tag, VR, &'a str);

/// A file of 8 x 6 pixels of 16 bits for each frame; `level` tells its pixels from those of others.
fn made(path: &Path, level: u16, frames: usize, said: &[Said<'_>]) {
    let mut object = InMemDicomObject::new_empty();
    let numbers = [
        (tags::SAMPLES_PER_PIXEL, 1),
        (tags::ROWS, 6),
        (tags::COLUMNS, 8),
        (tags::BITS_ALLOCATED, 16),
        (tags::BITS_STORED, 16),
        (tags::HIGH_BIT, 15),
        (tags::PIXEL_REPRESENTATION, 0),
    ];
    for (tag, value) in numbers {
        object.put(DataElement::new(tag, VR::US, PrimitiveValue::from(value as u16)));
    }
    let unique = format!("1.2.3.{level}");
    let texts = [
        (tags::SOP_CLASS_UID, VR::UI, uids::MR_IMAGE_STORAGE),
        (tags::SOP_INSTANCE_UID, VR::UI, unique.as_str()),
        (tags::SERIES_INSTANCE_UID, VR::UI, "1.2.4"),
        (tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2"),
    ];
    let count = frames.to_string();
    let count = (frames > 1).then_some((tags::NUMBER_OF_FRAMES, VR::IS, count.as_str()));
    for &(tag, vr, value) in texts.iter().chain(&count).chain(said) {
        object.put(DataElement::new(tag, vr, PrimitiveValue::from(value)));
    }
    let pixels: Vec<u16> = (0..48 * frames as u16).map(|pixel| pixel * level % 251 * 8 + pixel).collect();
    object.put(DataElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(pixels.into())));
    let meta = FileMetaTableBuilder::new().transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN);
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    object.with_meta(meta).unwrap().write_to_file(path).unwrap();
}

const ORIENTATION: Said<'_> = (tags::IMAGE_ORIENTATION_PATIENT, VR::DS, "1\\0\\0\\0\\1\\0");

/// A file at a height.
fn placed(path: &Path, level: u16, z: usize, instance: usize, said: &[Said<'_>]) {
    let (position, instance) = (format!("0\\0\\{z}"), instance.to_string());
    let place =
        [ORIENTATION, (tags::IMAGE_POSITION_PATIENT, VR::DS, &position), (tags::INSTANCE_NUMBER, VR::IS, &instance)];
    made(path, level, 1, &[&place, said].concat());
}

/// A folder to fill, and one for the data set.
fn folders() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (folder.path().join("in"), folder.path().join("out"));
    (folder, input, out)
}

/// An odd case, with every picture compared with its truth.
fn odd(name: &str) -> Option<Dataset> {
    let case = shared(&format!("odd-cases/{name}"))?;
    let folder = tempfile::tempdir().unwrap();
    let dataset = run(&case.join("in"), &folder.path().join("out"), &settings());
    truth::check(&dataset, &case.join("truth"), 1.0);
    Some(Dataset { temporary: Some(folder), ..dataset })
}

#[test]
fn frames_of_an_old_multi_frame_object_are_what_its_vectors_say() {
    let Some(d08) = odd("D08") else { return };
    let images = |name: &str| d08.image_sources().iter().filter(|source| source.starts_with(name)).count();
    assert_eq!(["rtdose", "nm_recon", "nm_whole", "us_loop"].map(images), [6, 5, 4, 1]);
    let mut planes: Vec<u32> = (0..16)
        .filter(|&row| d08.sources.source[row].starts_with("rtdose"))
        .map(|row| d08.manifest.slice[row])
        .collect();
    planes.sort_unstable();
    assert_eq!(planes, [0, 1, 2, 3, 4, 5]);
    // The frames of the loop that became no images have a row.
    assert_eq!(d08.rejected(), ["us_loop_is_time.dcm"]);
    assert_eq!((d08.rejects.frame[0], d08.rejects.frames[0]), (Some(1), Some(4)));
    assert_eq!(d08.summary.frames["not_t0"], 4);
}

#[test]
fn patients_under_one_uid_are_not_times_or_copies_of_each_other() {
    let Some(d09) = odd("D09") else { return };
    assert_eq!((d09.summary.images, d09.rejects.input.len()), (Some(24), 0));
}

#[test]
fn a_place_that_comes_again_is_a_time_whatever_the_vr_of_its_geometry() {
    let Some(d26) = odd("D26") else { return };
    assert_eq!((d26.summary.images, d26.summary.rejects["not_t0"]), (Some(3), 9));
    assert_eq!(d26.image_sources(), ["s0_t0.dcm", "s1_t0.dcm", "s2_t0.dcm"]);
}

#[test]
fn stations_side_by_side_are_other_places() {
    let Some(d30) = odd("D30") else { return };
    assert_eq!((d30.summary.images, d30.rejects.input.len()), (Some(8), 0));
}

/// Two patients in folders of their own, each with 3 places at 4 times.
fn two_patients(input: &Path, said: impl Fn(u16) -> Vec<Said<'static>>, times: bool) {
    for patient in 0..2_u16 {
        for file in 0..12_u16 {
            let path = input.join(format!("p{patient}/{file}.dcm"));
            let (trigger, mut said) = (format!("{}", file % 4 * 30), said(patient));
            if times {
                said.push((tags::TRIGGER_TIME, VR::DS, &trigger));
            }
            placed(&path, patient * 12 + file + 1, usize::from(file / 4), usize::from(file), &said);
        }
    }
}

#[test]
fn without_a_series_uid_folder_and_facts_make_the_series() {
    for (times, uid) in [(true, ""), (true, "ANONYMIZED"), (false, ""), (true, "1.2.9"), (false, "1.2.9")] {
        let (_folder, input, out) = folders();
        // Neither patient nor study is told: the folders alone tell two patients apart.
        two_patients(&input, |_| vec![(tags::SERIES_INSTANCE_UID, VR::UI, uid)], times);
        let dataset = run(&input, &out, &settings());
        assert_eq!((dataset.summary.images, dataset.summary.rejects["not_t0"]), (Some(6), 18), "{uid} {times}");
        let series: std::collections::BTreeSet<_> = dataset.manifest.series.iter().collect();
        assert_eq!(series.len(), 2, "{uid} {times}");
    }
}

#[test]
fn stills_without_a_place_are_images_whatever_their_clocks_say() {
    let (_folder, input, out) = folders();
    for still in 1..6_u16 {
        let (time, number) = (format!("1200{still:02}"), still.to_string());
        let said = [
            (tags::MODALITY, VR::CS, "US"),
            (tags::ACQUISITION_TIME, VR::TM, time.as_str()),
            (tags::CONTENT_TIME, VR::TM, &time),
            (tags::INSTANCE_NUMBER, VR::IS, &number),
        ];
        made(&input.join(format!("{still}.dcm")), still, 1, &said);
    }
    assert_eq!(run(&input, &out, &settings()).summary.images, Some(5));
}

#[test]
fn pages_are_images_and_loops_are_times() {
    let (_folder, input, out) = folders();
    made(&input.join("pages.dcm"), 1, 3, &[(tags::MODALITY, VR::CS, "OT")]);
    made(
        &input.join("loop.dcm"),
        2,
        3,
        &[(tags::MODALITY, VR::CS, "XA"), (tags::FRAME_TIME_VECTOR, VR::DS, "0\\33\\33")],
    );
    let dataset = run(&input, &out, &settings());
    let images = |name: &str| dataset.image_sources().iter().filter(|source| **source == name).count();
    assert_eq!((images("pages.dcm"), images("loop.dcm")), (3, 1));
}

#[test]
fn a_copy_has_the_same_pixels() {
    let (_folder, input, out) = folders();
    let object = [(tags::SOP_INSTANCE_UID, VR::UI, "1.2.3.99")];
    placed(&input.join("a/original.dcm"), 1, 0, 1, &object);
    placed(&input.join("b/copy.dcm"), 1, 0, 1, &object);
    placed(&input.join("b/other.dcm"), 2, 0, 1, &object);
    let dataset = run(&input, &out, &settings());
    assert_eq!(dataset.image_sources(), ["a/original.dcm", "b/other.dcm"]);
    assert_eq!(dataset.reason("b/copy.dcm"), Some("duplicate"));
}

#[test]
fn a_copy_of_a_damaged_file_gives_its_first_time_alone() {
    let (_folder, input, out) = folders();
    let said = [(tags::FRAME_TIME, VR::DS, "33"), (tags::SOP_INSTANCE_UID, VR::UI, "1.2.3.99")];
    for name in ["a.dcm", "b.dcm", "c.dcm"] {
        made(&input.join(name), 1, 4, &said);
    }
    let whole = fs_err::read(input.join("a.dcm")).unwrap();
    fs_err::write(input.join("a.dcm"), &whole[..whole.len() - 9]).unwrap();
    let dataset = run(&input, &out, &settings());
    assert_eq!((dataset.image_sources(), dataset.sources.frame[0]), (vec!["b.dcm"], 0));
    let reasons = ["a.dcm", "b.dcm", "c.dcm"].map(|name| dataset.reason(name).unwrap());
    assert_eq!(reasons, ["truncated", "not_t0", "duplicate"]);
    // With every time wanted, the copy gives all of them.
    assert_eq!(run(&input, &out, &all_frames()).summary.images, Some(4));
}

/// A NIfTI-1 file of 4 x 4 x 2 voxels of 8 bits at several times.
fn nifti(path: &Path, times: i16) {
    let mut bytes = vec![0_u8; 352];
    bytes[..4].copy_from_slice(&348_i32.to_le_bytes());
    for (at, value) in [(40, 4), (42, 4), (44, 4), (46, 2), (48, times), (70, 2), (72, 8)] {
        bytes[at..at + 2].copy_from_slice(&i16::to_le_bytes(value));
    }
    bytes[108..112].copy_from_slice(&352_f32.to_le_bytes());
    bytes[344..348].copy_from_slice(b"n+1\0");
    bytes.extend((0..32 * times as usize).map(|voxel| (voxel % 199) as u8));
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    fs_err::write(path, bytes).unwrap();
}

#[test]
fn every_time_of_a_volume_that_becomes_no_image_has_a_row() {
    let (_folder, input, out) = folders();
    nifti(&input.join("cine.nii"), 5);
    nifti(&input.join("still.nii"), 1);
    let rows = |dataset: &Dataset| {
        let frames = dataset.rejects.frame.iter().zip(&dataset.rejects.frames);
        let rows = frames.zip(dataset.rejected()).map(|((first, count), of)| (of.to_owned(), *first, *count));
        rows.collect::<Vec<_>>()
    };
    let told = [("cine.nii".to_owned(), Some(1), Some(4))];
    let dataset = run(&input, &out, &settings());
    assert_eq!((dataset.summary.images, rows(&dataset)), (Some(4), told.to_vec()));
    assert_eq!(dataset.rejects.reason, ["not_t0"]);
    // Taken over by the next ingest, whether nothing or something has changed.
    nifti(&input.join("more.nii"), 1);
    let more = run(&input, &out, &settings());
    assert_eq!((more.summary.images, rows(&more)), (Some(6), told.to_vec()));
    assert_eq!(run(&input, &out, &settings()).summary.frames, more.summary.frames);
    let all = run(&input, &out, &all_frames());
    assert_eq!((all.summary.images, all.rejects.input.len()), (Some(14), 0));
    let rejects: Rejects = read_table(&out.join("rejects.parquet")).unwrap();
    assert!(rejects.frame.is_empty());
}
