//! UK Biobank's form: a zip a subject and field, PARTICIPANT_FIELD_2_0.zip, of flat DICOM files and `manifest.cvs`.
//!
//! With what such zips hold besides: the scout, results that the scanner drew, maps of the abdomen, acquisitions that
//! were done again, and now and then the three long-axis views in one series. Participants are made up.

use std::io::{Cursor, Write};
use std::path::Path;

use dicom_dictionary_std::uids;
use fs_err as fs;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::class::Class;
use crate::error::Error;
use crate::image::Image;
use crate::scan::Scan;
use crate::write_dicom::Series;

/// A bulk field: its number and the classes in it.
pub const FIELDS: [(u32, &[Class]); 8] = [
    (20207, &[]),
    (20208, &[Class::La2ch, Class::La3ch, Class::La4ch]),
    (20209, &[Class::Sa]),
    (20210, &[Class::Ao]),
    (20211, &[Class::CineTag]),
    (20212, &[Class::Lvot]),
    (20213, &[Class::Flow, Class::FlowMag, Class::FlowPha]),
    (20214, &[Class::Shmolli, Class::ShmolliFitpar, Class::ShmolliT1map]),
];

/// Images that ShMOLLI takes at different times after the inversion.
const INVERSIONS: u32 = 7;
/// Frames of one view in a series of three.
const ROOM: u32 = 1000;
/// Identifiers of decoys are numbered above those of the classes.
const DECOY: u32 = 1000;

/// True for subjects whose long-axis views are in one series, `CINE_segmented_LAX`, which names no view.
#[must_use]
pub const fn is_mixed(subject: u32) -> bool {
    subject % 8 == 5
}

/// True for subjects whose two-chamber view was acquired twice; the first, mirrored, is not meant.
#[must_use]
pub const fn is_repeated(subject: u32) -> bool {
    subject % 4 == 2
}

/// The participant's number of a subject: seven digits, different for each.
#[must_use]
pub fn participant(seed: u64, subject: u32) -> u64 {
    // Multiplication by a number below a prime permutes what is below the prime.
    const PRIME: u64 = 8_999_993;
    1_000_000 + (u64::from(subject) * 3_141_593 + seed % PRIME * 2_718_281) % PRIME
}

/// One file of a zip.
struct Entry<'a> {
    series: Series<'a>,
    frame: u32,
    pixels: Vec<u16>,
}

/// Writes the zip of one field; `scans` are those of its classes, `scout` one that the decoys are made of. Gives the
/// number of files in it.
///
/// # Errors
/// When the zip cannot be written.
pub fn write(field: u32, scans: &[Scan], scout: &Scan, seed: u64, folder: &Path) -> Result<u64, Error> {
    let mut entries = Vec::new();
    for scan in scans {
        entries.extend(own(scan, seed));
    }
    entries.extend(decoys(field, scans, scout, seed));
    let subject = scout.subject;
    let path = folder.join(format!("{}_{field}_2_0.zip", participant(seed, subject)));
    let mut zip = ZipWriter::new(fs::File::create(&path)?.into_parts().0);
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    let failed = |source| Error::Zip { path: path.clone(), source };
    let mut list = String::from("filename,patientid,studydate,series discription,image number\n");
    for (number, entry) in (1..).zip(&entries) {
        let name = format!("{field}.{number:04}.dcm");
        let mut file = Cursor::new(Vec::new());
        entry.series.write(entry.frame, &entry.pixels, &mut file, &path)?;
        zip.start_file(&name, options).map_err(failed)?;
        zip.write_all(file.get_ref())?;
        // The comma in the date is UK Biobank's.
        list.push_str(&format!("{name},made up,Jan 01, 2000,{},{number}\n", entry.series.description));
    }
    zip.start_file("manifest.cvs", options).map_err(failed)?;
    zip.write_all(list.as_bytes())?;
    zip.finish().map_err(failed)?;
    Ok(entries.len() as u64 + 1)
}

/// The files of a class.
fn own(scan: &Scan, seed: u64) -> Vec<Entry<'_>> {
    let mut entries = Vec::new();
    for (slice, frames) in (0_u32..).zip(&scan.images) {
        let mut series = Series::new(scan, seed, slice);
        let mut first = 0;
        if is_mixed(scan.subject) && is_long_axis(scan.class) {
            series.description = "CINE_segmented_LAX".to_owned();
            // One series: its identifier is drawn for all three views, whose frames are numbered on.
            (series.code, series.number) = (DECOY, 0);
            first = ROOM * (scan.class.code() - Class::La2ch.code());
        }
        for (frame, image) in (first..).zip(frames) {
            entries.push(Entry { series: series.clone(), frame, pixels: image.to_u12() });
        }
        if scan.class == Class::Shmolli {
            // The first is the image; the others are darker or brighter.
            let more = (1..INVERSIONS).filter_map(|frame| Some((frame, frames.first()?)));
            entries.extend(more.map(|(frame, image)| {
                let pixels = image.to_u12().into_iter().map(|value| value / 8 * (frame as u16 + 1)).collect();
                Entry { series: series.clone(), frame, pixels }
            }));
        }
    }
    entries
}

const fn is_long_axis(class: Class) -> bool {
    matches!(class, Class::La2ch | Class::La3ch | Class::La4ch)
}

/// What must be kept out.
fn decoys<'a>(field: u32, scans: &'a [Scan], scout: &'a Scan, seed: u64) -> Vec<Entry<'a>> {
    let Some(image) = scout.images.first().and_then(|frames| frames.first()) else { return Vec::new() };
    let decoy = |scan: &'a Scan, description: &str, number: u32| {
        let mut series = Series::new(scan, seed, 0);
        series.description = description.to_owned();
        (series.code, series.number) = (DECOY + number, number);
        series
    };
    let entry = |series, image: &Image| Entry { series, frame: 0, pixels: image.to_u12() };
    match field {
        20207 => vec![entry(decoy(scout, "Thorax_Cor_Tra", 90), image)],
        20208 => {
            let again = scans.iter().find(|scan| scan.class == Class::La2ch && is_repeated(scan.subject));
            let again = again.filter(|scan| !is_mixed(scan.subject));
            let mirrored = |scan: &'a Scan| {
                let first = scan.images.first()?.first()?;
                // Earlier than all others.
                let series = decoy(scan, &Class::La2ch.series_description(0), 0);
                Some(Entry { series, frame: 0, pixels: mirror(&first.to_u12(), first.size) })
            };
            again.and_then(mirrored).into_iter().collect()
        }
        20209 => {
            let mut drawn = decoy(scout, "CINE_segmented_SAX_InlineVF", 91);
            drawn.sop_class = uids::SECONDARY_CAPTURE_IMAGE_STORAGE;
            vec![entry(drawn, image), entry(decoy(scout, "CINE_segmented_SAX_b3_Inline_VF_Results", 92), image)]
        }
        20214 => ["ShMOLLI_192i", "ShMOLLI_192i_liver", "ShMOLLI_192i_FITPARAMS", "ShMOLLI_192i_T1MAP"]
            .into_iter()
            .zip(93..)
            .map(|(description, number)| entry(decoy(scout, description, number), image))
            .collect(),
        _ => Vec::new(),
    }
}

fn mirror(pixels: &[u16], size: usize) -> Vec<u16> {
    pixels.chunks_exact(size).flat_map(|row| row.iter().rev().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn participants_are_seven_digits_and_different() {
        let mut all: Vec<u64> = (0..20_000).map(|subject| participant(7, subject)).collect();
        assert!(all.iter().all(|number| (1_000_000..10_000_000).contains(number)));
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 20_000);
    }

    #[test]
    fn every_class_is_in_one_field() {
        let mut classes: Vec<Class> = FIELDS.iter().flat_map(|(_, classes)| *classes).copied().collect();
        classes.sort_unstable();
        assert_eq!(classes, Class::ALL);
    }
}
