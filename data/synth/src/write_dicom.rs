//! DICOM form: SUBJECT/SERIES/N.dcm, one MR image a slice and frame, described as UK Biobank ships
//! them. File names say nothing of time: readers have to go by the tags.

use std::io::Write;
use std::path::Path;

use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};
use fs_err as fs;
use rand::seq::SliceRandom;
use rand::{Rng, RngExt};

use crate::archive::Mislabelled;
use crate::class::Class;
use crate::error::Error;
use crate::plane::THICKNESS;
use crate::random::{ALL, Place, Purpose, stream};
use crate::scan::{Scan, subject_name};

/// Writes the scan, a folder a series; returns how many files. The headers of a share of the series, `mislabel`, say that
/// they are of another class; folders do not. These go to `mislabelled`.
///
/// # Errors
/// When a file cannot be written.
pub fn write(
    scan: &Scan,
    seed: u64,
    mislabel: f64,
    folder: &Path,
    mislabelled: &mut Vec<Mislabelled>,
) -> Result<u64, Error> {
    let folder = folder.join(subject_name(scan.subject));
    let mut files = 0;
    for (slice, frames) in (0_u32..).zip(&scan.images) {
        let mut series = Series::new(scan, seed, slice);
        let folder = folder.join(format!("{:02}_{}", series.number, series.description));
        fs::create_dir_all(&folder)?;
        if let Some(header) = series.other_description(mislabel) {
            series.description = header.clone();
            mislabelled.push(Mislabelled {
                series_uid: uid(seed, series.place(ALL)),
                class: scan.class.name(),
                header,
            });
        }
        for ((frame, image), name) in (0_u32..).zip(frames).zip(series.file_numbers()) {
            let path = folder.join(format!("{name}.dcm"));
            series.write(frame, &image.to_u12(), fs::File::create(&path)?, &path)?;
            files += 1;
        }
    }
    Ok(files)
}

/// What the images of one series share.
#[derive(Debug, Clone)]
pub(crate) struct Series<'a> {
    scan: &'a Scan,
    seed: u64,
    slice: u32,
    /// SeriesNumber (0020,0011), which also says when it was acquired.
    pub number: u32,
    /// SeriesDescription (0008,103E).
    pub description: String,
    /// SOPClassUID (0008,0016).
    pub sop_class: &'static str,
    /// What tells its unique identifiers from those of other series: the class, if it is of one.
    pub code: u32,
    /// Slice of the scan that its identifiers are drawn for; two views may share a series.
    pub place: u32,
}

impl<'a> Series<'a> {
    pub fn new(scan: &'a Scan, seed: u64, slice: u32) -> Self {
        let description = scan.class.series_description(slice);
        Self {
            scan,
            seed,
            slice,
            number: series_number(scan.class, slice),
            description,
            sop_class: uids::MR_IMAGE_STORAGE,
            code: scan.class.code(),
            place: slice,
        }
    }

    fn place(&self, frame: u32) -> Place {
        Place { subject: self.scan.subject, class: self.code, slice: self.place, frame }
    }

    /// The description of a class that it is not of, for a share of the series.
    fn other_description(&self, share: f64) -> Option<String> {
        let mut random = stream(self.seed, self.place(ALL), Purpose::Mislabel);
        let wrong = random.random_bool(share);
        let others: Vec<Class> = Class::ALL.into_iter().filter(|&class| class != self.scan.class).collect();
        wrong.then(|| others[random.random_range(0..others.len())].series_description(0))
    }

    /// Names of the files of frame 0, 1, ...: the numbers 1 to F in no order.
    pub fn file_numbers(&self) -> Vec<u32> {
        let mut numbers: Vec<u32> = (1..=self.scan.frames()).collect();
        numbers.shuffle(&mut stream(self.seed, self.place(ALL), Purpose::FileOrder));
        numbers
    }

    /// Writes the file of one frame to `target`, which `path` names in errors; `pixels` are 12-bit.
    pub fn write(&self, frame: u32, pixels: &[u16], target: impl Write, path: &Path) -> Result<(), Error> {
        let meta = FileMetaTableBuilder::new().transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN);
        let object = self.object(frame, pixels).with_meta(meta);
        let object = object.map_err(|source| Error::DicomMeta { path: path.to_owned(), source: Box::new(source) })?;
        object.write_all(target).map_err(|source| Error::Dicom { path: path.to_owned(), source: Box::new(source) })
    }

    /// The data set of one frame; `pixels` are 12-bit.
    fn object(&self, frame: u32, pixels: &[u16]) -> InMemDicomObject {
        let mut object = InMemDicomObject::new_empty();
        let mut put = |tag: Tag, vr: VR, value: PrimitiveValue| {
            object.put(DataElement::new(tag, vr, value));
        };
        for (tag, vr, value) in self.texts(frame) {
            put(tag, vr, PrimitiveValue::from(value));
        }
        let size = self.scan.size() as u16;
        for (tag, value) in [
            (tags::SAMPLES_PER_PIXEL, 1),
            (tags::ROWS, size),
            (tags::COLUMNS, size),
            (tags::BITS_ALLOCATED, 16),
            (tags::BITS_STORED, 12),
            (tags::HIGH_BIT, 11),
            (tags::PIXEL_REPRESENTATION, 0),
        ] {
            put(tag, VR::US, PrimitiveValue::from(value));
        }
        put(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(pixels.into()));
        object
    }

    /// The elements that are text.
    fn texts(&self, frame: u32) -> Vec<(Tag, VR, String)> {
        let scan = self.scan;
        let subject = subject_name(scan.subject);
        let mut texts = vec![
            (tags::IMAGE_TYPE, VR::CS, image_type(scan.class).into()),
            (tags::SOP_CLASS_UID, VR::UI, self.sop_class.into()),
            (tags::SOP_INSTANCE_UID, VR::UI, uid(self.seed, self.place(frame))),
            (tags::STUDY_DATE, VR::DA, DATE.into()),
            (tags::ACQUISITION_DATE, VR::DA, DATE.into()),
            (tags::STUDY_TIME, VR::TM, "090000".into()),
            (tags::ACQUISITION_TIME, VR::TM, self.acquisition_time()),
            (tags::ACCESSION_NUMBER, VR::SH, String::new()),
            (tags::MODALITY, VR::CS, "MR".into()),
            (tags::MANUFACTURER, VR::LO, "deepmcat-synth".into()),
            (tags::REFERRING_PHYSICIAN_NAME, VR::PN, String::new()),
            (tags::STUDY_DESCRIPTION, VR::LO, "Synthetic heart".into()),
            (tags::SERIES_DESCRIPTION, VR::LO, self.description.clone()),
            (tags::PATIENT_NAME, VR::PN, subject.replace('-', "^")),
            (tags::PATIENT_ID, VR::LO, subject),
            (tags::PATIENT_BIRTH_DATE, VR::DA, String::new()),
            (tags::PATIENT_SEX, VR::CS, String::new()),
            (tags::SCANNING_SEQUENCE, VR::CS, "GR".into()),
            (tags::SEQUENCE_VARIANT, VR::CS, "NONE".into()),
            (tags::SCAN_OPTIONS, VR::CS, String::new()),
            (tags::MR_ACQUISITION_TYPE, VR::CS, "2D".into()),
            (tags::ECHO_TIME, VR::DS, String::new()),
            (tags::ECHO_TRAIN_LENGTH, VR::IS, String::new()),
            (tags::PATIENT_POSITION, VR::CS, "HFS".into()),
            (tags::SERIES_NUMBER, VR::IS, self.number.to_string()),
            (tags::INSTANCE_NUMBER, VR::IS, (frame + 1).to_string()),
            (tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2".into()),
        ];
        let study = Place { subject: scan.subject, class: ALL, slice: ALL, frame: 0 };
        let space = Place { frame: 1, ..study };
        texts.extend([
            (tags::STUDY_INSTANCE_UID, VR::UI, uid(self.seed, study)),
            (tags::FRAME_OF_REFERENCE_UID, VR::UI, uid(self.seed, space)),
            (tags::SERIES_INSTANCE_UID, VR::UI, uid(self.seed, self.place(ALL))),
            (tags::STUDY_ID, VR::SH, "1".into()),
            (tags::POSITION_REFERENCE_INDICATOR, VR::LO, String::new()),
        ]);
        if scan.class.is_cine() {
            texts.extend([
                (tags::TRIGGER_TIME, VR::DS, decimal(frame as f32 * scan.frame_ms)),
                (tags::NOMINAL_INTERVAL, VR::IS, scan.beat_ms.round().to_string()),
                (tags::CARDIAC_NUMBER_OF_IMAGES, VR::IS, scan.frames().to_string()),
            ]);
        }
        if scan.class == Class::ShmolliT1map {
            texts.push((tags::IMAGE_COMMENTS, VR::LT, "T1 Map".into()));
        }
        texts.extend(self.geometry());
        texts
    }

    /// Where the slice lies in the patient (PS3.3 C.7.6.2), in mm.
    fn geometry(&self) -> Vec<(Tag, VR, String)> {
        let scan = self.scan;
        let plane = scan.stack.plane(self.slice);
        let corner = plane.pixel(0, 0, scan.size());
        let axis = |direction: crate::Vec3| direction.to_lps_mm().map(|mm| mm / 10.0);
        let axes = [axis(plane.right), axis(plane.down)].concat();
        let spacing = scan.pixel_mm();
        let mut geometry = vec![
            (tags::SLICE_THICKNESS, VR::DS, decimal(10.0 * THICKNESS)),
            (tags::IMAGE_POSITION_PATIENT, VR::DS, decimals(&corner.to_lps_mm())),
            (tags::IMAGE_ORIENTATION_PATIENT, VR::DS, decimals(&axes)),
            (tags::SLICE_LOCATION, VR::DS, decimal(10.0 * corner.dot(plane.normal()))),
            (tags::PIXEL_SPACING, VR::DS, decimals(&[spacing, spacing])),
        ];
        if scan.stack.slices > 1 {
            geometry.push((tags::SPACING_BETWEEN_SLICES, VR::DS, decimal(scan.slice_mm())));
        }
        geometry
    }

    /// One series after the other, 40 s each.
    fn acquisition_time(&self) -> String {
        let seconds = 40 * self.number;
        format!("{:02}{:02}{:02}.000000", 9 + seconds / 3600, seconds / 60 % 60, seconds % 60)
    }
}

/// A day on which no subject was scanned.
const DATE: &str = "20000101";

/// Series are numbered in the order of the classes, with room for the slices of a stack.
fn series_number(class: Class, slice: u32) -> u32 {
    let before = Class::ALL.iter().take_while(|&&other| other != class);
    let room = |class: &Class| if *class == Class::Sa { 20 } else { class.slices(0) };
    1 + before.map(room).sum::<u32>() + slice
}

fn image_type(class: Class) -> &'static str {
    match class {
        Class::FlowPha => "ORIGINAL\\PRIMARY\\P",
        Class::ShmolliT1map | Class::ShmolliFitpar => "DERIVED\\PRIMARY\\M",
        _ => "ORIGINAL\\PRIMARY\\M",
    }
}

/// A unique identifier under the root for random numbers (PS3.5 B.2), drawn from its place.
fn uid(seed: u64, place: Place) -> String {
    let mut rng = stream(seed, place, Purpose::Identifier);
    let number = u128::from(rng.next_u64()) << 64 | u128::from(rng.next_u64());
    format!("2.25.{number}")
}

/// A decimal string (at most 16 characters).
fn decimal(value: f32) -> String {
    let text = format!("{value:.6}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".into() } else { text.into() }
}

fn decimals(values: &[f32]) -> String {
    values.iter().map(|&value| decimal(value)).collect::<Vec<_>>().join("\\")
}
