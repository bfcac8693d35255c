//! Names of files, folders and patients: in the table of sources, and nowhere else.

use std::path::Path;
use std::process::Command;

use deepmcat_ingest::{Error, Settings};
use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};

use crate::support::{run, settings, try_run};

const NAME: &str = "DOE^JOHN";

/// A DICOM file of 4 x 4 pixels of the patient, or one whose pixels are missing.
fn dicom(path: &Path, number: u16, whole: bool) {
    let mut object = InMemDicomObject::new_empty();
    let mut put = |tag, vr, value: PrimitiveValue| {
        object.put(DataElement::new(tag, vr, value));
    };
    let uid = format!("1.2.3.{number}");
    put(tags::SOP_CLASS_UID, VR::UI, uids::MR_IMAGE_STORAGE.into());
    put(tags::SOP_INSTANCE_UID, VR::UI, uid.as_str().into());
    put(tags::STUDY_INSTANCE_UID, VR::UI, "1.2.3".into());
    put(tags::SERIES_INSTANCE_UID, VR::UI, uid.as_str().into());
    put(tags::SERIES_DESCRIPTION, VR::LO, NAME.into());
    put(tags::PATIENT_NAME, VR::PN, NAME.into());
    put(tags::PATIENT_ID, VR::LO, NAME.into());
    put(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2".into());
    for (tag, value) in [
        (tags::SAMPLES_PER_PIXEL, 1),
        (tags::ROWS, 4),
        (tags::COLUMNS, 4),
        (tags::BITS_ALLOCATED, 8),
        (tags::BITS_STORED, 8),
        (tags::HIGH_BIT, 7),
        (tags::PIXEL_REPRESENTATION, 0),
    ] {
        put(tag, VR::US, PrimitiveValue::from(value as u16));
    }
    if whole {
        let pixels: Vec<u8> = (0..16).map(|pixel| pixel * number as u8).collect();
        put(tags::PIXEL_DATA, VR::OB, PrimitiveValue::from(pixels));
    }
    let meta = FileMetaTableBuilder::new()
        .transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN)
        .media_storage_sop_class_uid(uids::MR_IMAGE_STORAGE)
        .media_storage_sop_instance_uid(uid);
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    object.with_meta(meta).unwrap().write_to_file(path).unwrap();
}

fn png(level: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 2, 2);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header().unwrap().write_image_data(&[level, 1, 2, 3]).unwrap();
    bytes
}

/// An archive whose files, folders, zips and zip members have the patient's name; good ones and bad ones.
fn archive(input: &Path) {
    let file = |name: &str, bytes: &[u8]| {
        let path = input.join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, bytes).unwrap();
    };
    dicom(&input.join("DOE^JOHN.dcm"), 1, true);
    dicom(&input.join("DOE^JOHN/a.dcm"), 2, true);
    dicom(&input.join("DOE^JOHN/torn.dcm"), 3, false);
    file("DOE^JOHN/1.png", &png(9));
    file("DOE^JOHN/DOE^JOHN.png", &png(8)[..30]);
    file("DOE^JOHN.nii.gz", b"no gzip");
    file("DOE^JOHN.txt", b"a letter");
    file("DOE^JOHN.zip", b"PK\x03\x04 not really");
    let mut zip = zip::ZipWriter::new(fs_err::File::create(input.join("all.zip")).unwrap());
    for (member, bytes) in [("DOE^JOHN.png", png(7)), ("DOE^JOHN/2.png", png(6)), ("DOE^JOHN.doc", vec![1; 99])] {
        zip.start_file(member, zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut zip, &bytes).unwrap();
    }
    zip.finish().unwrap();
}

/// The files below a folder that hold the name in clear, in their own name or in their bytes; Parquet is read as text.
fn that_name_the_patient(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in walkdir::WalkDir::new(folder).into_iter().map(Result::unwrap).filter(|e| e.file_type().is_file()) {
        let name = entry.path().strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
        let text = deepmcat_testing::content(entry.path());
        if text.contains("DOE") || text.contains("JOHN") {
            found.push(name);
        }
    }
    found
}

#[test]
fn the_sources_alone_name_anybody() {
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (folder.path().join("in"), folder.path().join("out"));
    archive(&input);
    let dataset = run(&input, &out, &settings());
    assert_eq!(dataset.summary.images, Some(5));
    assert_eq!(that_name_the_patient(&out), ["sources.parquet"]);
    let mut named = dataset.sources.source.iter().zip(&dataset.sources.member);
    assert!(named.all(|(source, member)| source.contains(NAME) || member.as_ref().unwrap().contains(NAME)));
    // Whatever is rejected can be traced by who has the sources.
    assert_eq!(dataset.rejects.input.len(), 6);
    assert!(dataset.rejects.input.iter().all(|input| dataset.sources.input.contains(input)));
    // One patient, by PatientID and by the folder's name.
    let subjects: std::collections::BTreeSet<_> = dataset.manifest.subject.iter().flatten().collect();
    assert_eq!(subjects.len(), 1);
}

#[test]
fn what_a_killed_ingest_leaves_names_nobody_either() {
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (folder.path().join("in"), folder.path().join("out"));
    archive(&input);
    // A file where a batch's folder is to be: the ingest breaks off there.
    let hurdle = out.join(".partial/batch-3");
    fs_err::create_dir_all(hurdle.parent().unwrap()).unwrap();
    fs_err::write(&hurdle, "in the way").unwrap();
    let error = try_run(&[input], &out, &Settings { batch: 1, threads: 1, ..settings() }).err().unwrap();
    assert!(!format!("{error} {error:?}").contains("DOE"), "{error}");
    let named = that_name_the_patient(&out);
    assert!(!named.is_empty() && named.iter().all(|name| name.ends_with("sources.parquet")), "{named:?}");
}

#[test]
fn errors_that_end_an_ingest_name_no_file_of_the_archive() {
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (folder.path().join("in"), folder.path().join("out"));
    fs_err::create_dir(&input).unwrap();
    fs_err::write(input.join("DOE^JOHN.txt"), b"a letter").unwrap();
    let error = try_run(&[input], &out, &settings()).err().unwrap();
    assert!(matches!(error, Error::NoImages { .. }));
    assert!(!format!("{error} {error:?}").contains("DOE"), "{error}");
    assert_eq!(that_name_the_patient(&out), ["sources.parquet"]);
}

#[cfg(unix)]
#[test]
fn the_umask_says_who_may_read_the_data_set() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    archive(&folder.path().join("in"));
    let program = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("deepmcat-ingest");
    for (umask, mode) in [("077", 0o600), ("027", 0o640), ("022", 0o644)] {
        let script = format!("umask {umask} && exec {} in --out out-{umask} -q", program.display());
        assert!(Command::new("sh").args(["-c", &script]).current_dir(folder.path()).status().unwrap().success());
        for entry in walkdir::WalkDir::new(folder.path().join(format!("out-{umask}"))).into_iter().map(Result::unwrap) {
            if entry.file_type().is_file() {
                let found = entry.metadata().unwrap().permissions().mode() & 0o777;
                assert_eq!(found, mode, "{} under umask {umask}", entry.path().display());
            }
        }
    }
}
