//! Tests of whole scans and archives: same bits, right counts, one scan in every format.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;

use dicom_dictionary_std::tags;
use fs_err as fs;

use crate::*;

const SMALL: Phantom = Phantom { seed: 7, hardness: 0.7, size: 32, frames: 1 };

fn plan(phantom: Phantom, subjects: u32, format: Format) -> Order {
    Order { phantom, subjects, classes: Class::ALL.to_vec(), format, mislabel: 0.0 }
}

/// Every file below `folder` by its relative path.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::read(path).unwrap());
            }
        }
    }
    found
}

#[test]
fn thread_count_changes_no_byte() {
    let folder = tempfile::tempdir().unwrap();
    for format in [Format::Png, Format::Nifti, Format::Dicom] {
        let archives = [1, 4].map(|threads| {
            let out = folder.path().join(format!("{format:?}-{threads}"));
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| generate(&plan(SMALL, 2, format), &out)).unwrap();
            contents(&out)
        });
        assert!(archives[0] == archives[1], "{format:?} differs between 1 and 4 threads");
    }
}

#[test]
fn a_scan_depends_on_its_own_seed_and_subject_alone() {
    let scan = |phantom: Phantom, subject| phantom.scan(subject, Class::La4ch).images;
    let other = Phantom { seed: 8, ..SMALL };
    assert_ne!(scan(SMALL, 0), scan(SMALL, 1));
    assert_ne!(scan(SMALL, 0), scan(other, 0));
    // the first frame is the same image, however many follow
    let cine = Phantom { frames: 3, ..SMALL };
    assert_eq!(scan(SMALL, 0)[0][0], scan(cine, 0)[0][0]);
}

#[test]
fn counts_are_paper_shaped() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("archive");
    let facts = generate(&plan(SMALL, 4, Format::Png), &out).unwrap();
    assert_eq!((facts.images, facts.files), (4 * 14 + 42, 4 * 14 + 42));
    for (class, count) in &facts.classes {
        let expected = match *class {
            "SA" => 42,
            "CINE_TAG" => 12,
            _ => 4,
        };
        assert_eq!(*count, expected, "{class}");
        assert_eq!(fs::read_dir(out.join(class)).unwrap().count() as u64, expected, "{class}");
    }
    assert_eq!(facts.classes.len(), 13);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "something partial stayed");
}

#[test]
fn end_diastole_is_told_from_every_later_frame() {
    // without noise, so that what differs is anatomy, flow or tags
    let cine = Phantom { hardness: 0.0, frames: 8, size: 96, ..SMALL };
    for class in Class::ALL {
        let scan = cine.scan(0, class);
        let frames = &scan.images[scan.images.len() / 2];
        if !class.is_cine() {
            assert_eq!(frames.len(), 1, "{class}");
            continue;
        }
        let levels: Vec<Vec<u8>> = frames.iter().map(Image::to_u8).collect();
        for (frame, later) in levels.iter().enumerate().skip(1) {
            // the frame beside t=0 may be close to it, the others may not
            let visible = if frame == 1 { 7 } else { 20 };
            let changed = levels[0].iter().zip(later).filter(|(a, b)| a.abs_diff(**b) > visible).count();
            assert!(changed > 40, "{class}: {changed} pixels change between t=0 and frame {frame}");
        }
    }
}

#[test]
fn dicom_and_nifti_hold_the_same_scan() {
    let folder = tempfile::tempdir().unwrap();
    let cine = Phantom { frames: 3, ..SMALL };
    let [nifti, dicom] = [Format::Nifti, Format::Dicom].map(|format| {
        let out = folder.path().join(format!("{format:?}"));
        generate(&plan(cine, 1, format), &out).unwrap();
        out.join("phantom-0001")
    });
    for class in Class::ALL {
        let path = nifti.join(class.nifti_name());
        let header = nifti::NiftiHeader::from_file(&path).unwrap();
        let mut bytes = Vec::new();
        let mut inflate = flate2::read::GzDecoder::new(fs::File::open(&path).unwrap());
        std::io::Read::read_to_end(&mut inflate, &mut bytes).unwrap();
        let affine = [header.srow_x, header.srow_y, header.srow_z];
        let (slices, frames) = (class.slices(0) as usize, if class.is_cine() { 3 } else { 1 });
        assert_eq!(bytes.len(), 352 + 2 * 32 * 32 * slices * frames, "{class}");

        for slice in 0..slices {
            for object in series(&dicom, &class.series_description(slice as u32)) {
                let numbers = |tag| object.element(tag).unwrap().to_multi_float32().unwrap();
                let (position, axes) =
                    (numbers(tags::IMAGE_POSITION_PATIENT), numbers(tags::IMAGE_ORIENTATION_PATIENT));
                let spacing = numbers(tags::PIXEL_SPACING);
                // column, row of the image; the same voxel in both worlds
                for (i, j) in [(0.0, 0.0), (31.0, 0.0), (0.0, 31.0)] {
                    for (axis, row) in affine.iter().enumerate() {
                        let lps = position[axis] + i * spacing[1] * axes[axis] + j * spacing[0] * axes[axis + 3];
                        let ras = row[0] * i + row[1] * j + row[2] * slice as f32 + row[3];
                        let sign = if axis == 2 { 1.0 } else { -1.0 };
                        assert!((sign * lps - ras).abs() < 0.01, "{class}, slice {slice}, axis {axis}: {lps} {ras}");
                    }
                }
                let frame = object.element(tags::INSTANCE_NUMBER).unwrap().to_int::<usize>().unwrap() - 1;
                let pixels = object.element(tags::PIXEL_DATA).unwrap().to_bytes().unwrap();
                let start = 352 + 2 * 32 * 32 * (frame * slices + slice);
                assert!(bytes[start..start + pixels.len()] == *pixels, "{class}, slice {slice}, frame {frame}");
            }
        }
    }
}

/// The DICOM files of the series with this description.
fn series(subject: &Path, description: &str) -> Vec<dicom_object::DefaultDicomObject> {
    let folder = fs::read_dir(subject).unwrap().map(|entry| entry.unwrap().path()).find(|path| {
        path.file_name().unwrap().to_str().unwrap().split_once('_').is_some_and(|(_, name)| name == description)
    });
    let files = fs::read_dir(folder.unwrap()).unwrap();
    files.map(|entry| dicom_object::open_file(entry.unwrap().path()).unwrap()).collect()
}

#[test]
fn trigger_time_follows_instance_number_and_not_the_file_name() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("archive");
    let cine = Phantom { frames: 12, size: 16, ..SMALL };
    generate(&Order { classes: vec![Class::Lvot], ..plan(cine, 1, Format::Dicom) }, &out).unwrap();
    let mut by_name = Vec::new();
    for number in 1..=12 {
        let path = out.join("phantom-0001/08_CINE_segmented_LVOT").join(format!("{number}.dcm"));
        let object = dicom_object::open_file(path).unwrap();
        let time = object.element(tags::TRIGGER_TIME).unwrap().to_float32().unwrap();
        let instance = object.element(tags::INSTANCE_NUMBER).unwrap().to_int::<u32>().unwrap();
        by_name.push((instance, time));
    }
    assert!(!by_name.is_sorted(), "file names give the time away");
    by_name.sort_by_key(|(instance, _)| *instance);
    assert_eq!(by_name[0], (1, 0.0));
    assert!(by_name.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1));
}

#[test]
fn a_full_folder_is_refused_and_an_empty_one_taken() {
    use deepmcat_stage::Failure;
    let folder = tempfile::tempdir().unwrap();
    let one = Order { classes: vec![Class::Ao], ..plan(SMALL, 1, Format::Png) };
    generate(&one, folder.path()).unwrap();
    let error = generate(&one, folder.path()).unwrap_err();
    assert!(matches!(error, Error::NotEmpty { .. }) && error.is_usage());
    assert!(error.to_string().contains("hint:"));
    let cine = Order { phantom: Phantom { frames: 2, ..SMALL }, ..one };
    let error = generate(&cine, &folder.path().join("new")).unwrap_err();
    assert!(matches!(error, Error::FramesInPng { frames: 2 }) && error.is_usage());
}
