//! `pacs sr`: the categories of a study's series as one Comprehensive SR (PS3.3 A.35.3) by the template TID 1500, Measurement Report
//! (PS3.16), with a measurement group (TID 1501) for each series.
//!
//! Patient and study are copied from the header of an image of the study, as far as the module of the report has them. The UIDs are
//! hashes of what the report says: the same report has the same UID, and sending it again changes nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use deepmcat_schemas::files::write_beside;
use dicom_core::VR;
use dicom_dictionary_std::{tags, uids};
use dicom_object::{FileMetaTableBuilder, OpenFileOptions, Tag};

use crate::Error;
use crate::content::{
    CONTAINS, CONTEXT, Code, MODIFIES, Object, coded, container, dcm, image, number, put, reference, sequence, text,
    uid,
};
use crate::result::{Categorized, RunSeries};

/// The scheme of codes that are no one else's.
pub(crate) const SCHEME: &str = "99DEEPMCAT";

/// What the report has of the patient and the study (PS3.3 C.7.1.1, C.7.2.1), and what an attribute is where nobody says it.
const COPIED: [(Tag, VR); 10] = [
    (tags::STUDY_DATE, VR::DA),
    (tags::STUDY_TIME, VR::TM),
    (tags::ACCESSION_NUMBER, VR::SH),
    (tags::REFERRING_PHYSICIAN_NAME, VR::PN),
    (tags::PATIENT_NAME, VR::PN),
    (tags::PATIENT_ID, VR::LO),
    (tags::PATIENT_BIRTH_DATE, VR::DA),
    (tags::PATIENT_SEX, VR::CS),
    (tags::STUDY_ID, VR::SH),
    (tags::STUDY_DESCRIPTION, VR::LO),
];

/// Codes of categories, by their names.
pub(crate) type Codes = BTreeMap<String, Code>;

/// Reads a CSV with the columns `category`, `scheme`, `code`, `meaning`.
pub(crate) fn codes(path: &Path) -> Result<Codes, Error> {
    let wrong = |why: String| Error::Codes { path: path.to_owned(), why };
    let file = fs_err::File::open(path)?;
    let mut reader = csv::Reader::from_reader(file);
    let head = reader.headers().map_err(|error| wrong(error.to_string()))?.clone();
    let column = |name: &str| {
        let found = head.iter().position(|head| head.trim() == name);
        found.ok_or_else(|| wrong(format!("no column `{name}`")))
    };
    let places = [column("category")?, column("scheme")?, column("code")?, column("meaning")?];
    let mut codes = Codes::new();
    for (number, row) in reader.records().enumerate() {
        let row = row.map_err(|error| wrong(error.to_string()))?;
        let [category, scheme, code, meaning] = places.map(|place| row.get(place).unwrap_or_default().trim());
        let short = |text: &str| (1..=16).contains(&text.chars().count()) && !text.contains('\\');
        if !short(scheme) || !short(code) || meaning.is_empty() || meaning.chars().count() > 64 {
            return Err(wrong(format!(
                "line {}: scheme and code have 1 to 16 characters, meaning 1 to 64",
                number + 2
            )));
        }
        codes.insert(category.to_owned(), Code::new(code, scheme, meaning));
    }
    Ok(codes)
}

/// The code of a category: that of the user, else one of our own scheme.
fn code_of(category: &str, codes: &Codes) -> Code {
    let own = || {
        let plain =
            category.len() <= 16 && category.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
        let value =
            if plain { category.to_owned() } else { format!("C{}", &blake3::hash(category.as_bytes()).to_hex()[..12]) };
        let meaning: String = category.replace('\\', "/").chars().take(64).collect();
        Code::new(&value, SCHEME, &meaning)
    };
    codes.get(category).cloned().unwrap_or_else(own)
}

/// A UID that is a hash of texts (PS3.5 B.2).
fn hashed(parts: &[&str]) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
    }
    let mut bytes = [0; 16];
    hasher.finalize_xof().fill(&mut bytes);
    format!("2.25.{}", u128::from_le_bytes(bytes))
}

/// What is written.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// The files.
    pub files: Vec<PathBuf>,
    /// Series in them.
    pub series: usize,
    /// Series that a person should look at first.
    pub abstained: usize,
    /// Series whose files are not where they were, so that they cannot be referred to.
    pub unread: usize,
}

/// Writes one report for each study into a folder.
pub(crate) fn write(run: &RunSeries, out: &Path, codes: &Codes) -> Result<Written, Error> {
    let mut written = Written::default();
    let now = now();
    for study in run.series.chunk_by(|a, b| a.study == b.study) {
        let (mut groups, mut evidence, mut head) = (Vec::new(), Vec::new(), None);
        let mut said = vec![study[0].study.clone()];
        for series in study {
            if series.abstain {
                written.abstained += 1;
                continue;
            }
            let images = classes(run, series, &mut head);
            if images.is_empty() {
                written.unread += 1;
                continue;
            }
            written.series += 1;
            said.extend([series.series.clone(), series.category.clone(), format!("{:.4}", series.confidence)]);
            groups.push(group(series, &images, &code_of(&series.category, codes)));
            let mut one = Object::new_empty();
            let references = images.iter().map(|(class, instance)| reference(class, instance)).collect();
            sequence(&mut one, tags::REFERENCED_SOP_SEQUENCE, references);
            put(&mut one, tags::SERIES_INSTANCE_UID, VR::UI, &series.series);
            evidence.push(one);
        }
        if groups.is_empty() {
            continue;
        }
        let said: Vec<&str> = said.iter().map(String::as_str).collect();
        let report = report(&study[0].study, head.as_ref(), groups, evidence, &hashed(&said), &now);
        let path = out.join(format!("{}.dcm", study[0].study));
        let meta = FileMetaTableBuilder::new().transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN);
        let report = report.with_meta(meta).map_err(std::io::Error::other)?;
        write_beside(&path, |file| report.write_all(file).map_err(std::io::Error::other))?;
        written.files.push(path);
    }
    Ok(written)
}

/// SOP class and instance of the images of a series; `head` becomes the header of the first image of the study.
fn classes(run: &RunSeries, series: &Categorized, head: &mut Option<Object>) -> Vec<(String, String)> {
    let mut images = Vec::new();
    for (instance, source) in &series.objects {
        let Some(path) = run.file(source) else { continue };
        // The whole header once, of the others the first elements.
        let until = if head.is_none() { tags::PIXEL_DATA } else { tags::STUDY_DATE };
        let Ok(object) = OpenFileOptions::new().read_until(until).open_file(&path) else { continue };
        let value = |tag: Tag| Some(object.get(tag)?.to_str().ok()?.trim_end_matches(['\0', ' ']).to_owned());
        let class = value(tags::SOP_CLASS_UID).filter(|class| crate::uid::is_uid(class));
        if let Some(class) = class.filter(|_| crate::uid::is_uid(instance)) {
            images.push((class, instance.clone()));
        }
        head.get_or_insert_with(|| object.into_inner());
    }
    images
}

/// A measurement group (TID 1501) of one series.
fn group(series: &Categorized, images: &[(String, String)], category: &Code) -> Object {
    let mut items = vec![
        text(CONTEXT, &dcm("112039", "Tracking Identifier"), &format!("deepmcat {}", category.meaning)),
        uid(CONTEXT, &dcm("112040", "Tracking Unique Identifier"), &hashed(&[&series.series, "tracking"])),
        text(MODIFIES, &dcm("111001", "Algorithm Name"), "deepmcat"),
        text(MODIFIES, &dcm("111003", "Algorithm Version"), env!("CARGO_PKG_VERSION")),
    ];
    let source = Code::new("260753009", "SCT", "Source");
    items.extend(images.iter().map(|(class, instance)| image(CONTAINS, &source, class, instance)));
    items.push(coded(CONTAINS, &Code::new("category", SCHEME, "Image category"), category));
    let certainty = 100.0 * f64::from(series.confidence);
    items.push(number(CONTAINS, &dcm("111012", "Certainty of Finding"), certainty, &Code::new("%", "UCUM", "Percent")));
    container(Some(CONTAINS), &dcm("125007", "Measurement Group"), Some("1501"), items)
}

/// The whole report.
fn report(
    study: &str,
    head: Option<&Object>,
    groups: Vec<Object>,
    evidence: Vec<Object>,
    uid_of: &str,
    (date, time): &(String, String),
) -> Object {
    let english = Code::new("en-US", "RFC5646", "English (United States)");
    let device = hashed(&["deepmcat", "device"]);
    let items = vec![
        coded(MODIFIES, &dcm("121049", "Language of Content Item and Descendants"), &english),
        coded(CONTEXT, &dcm("121005", "Observer Type"), &dcm("121007", "Device")),
        uid(CONTEXT, &dcm("121012", "Device Observer UID"), &device),
        text(CONTEXT, &dcm("121013", "Device Observer Name"), "deepmcat"),
        coded(MODIFIES, &dcm("121058", "Procedure reported"), &Code::new("363679005", "SCT", "Imaging procedure")),
        container(Some(CONTAINS), &dcm("126010", "Imaging Measurements"), None, groups),
    ];
    let mut object = container(None, &dcm("126000", "Imaging Measurement Report"), Some("1500"), items);
    object.convert_to_utf8();
    for (tag, vr) in COPIED {
        let value = head.and_then(|head| Some(head.get(tag)?.to_str().ok()?.into_owned()));
        put(&mut object, tag, vr, value.unwrap_or_default().trim_end_matches(['\0', ' ']));
    }
    let texts = [
        (tags::SOP_CLASS_UID, VR::UI, uids::COMPREHENSIVE_SR_STORAGE),
        (tags::SOP_INSTANCE_UID, VR::UI, uid_of),
        (tags::CONTENT_DATE, VR::DA, date),
        (tags::CONTENT_TIME, VR::TM, time),
        (tags::MODALITY, VR::CS, "SR"),
        (tags::MANUFACTURER, VR::LO, "deepmcat"),
        (tags::SERIES_DESCRIPTION, VR::LO, "Image categories"),
        (tags::STUDY_INSTANCE_UID, VR::UI, study),
        (tags::SERIES_INSTANCE_UID, VR::UI, &hashed(&[study, "series of reports"])),
        (tags::SERIES_NUMBER, VR::IS, "9700"),
        (tags::INSTANCE_NUMBER, VR::IS, "1"),
        (tags::COMPLETION_FLAG, VR::CS, "COMPLETE"),
        (tags::VERIFICATION_FLAG, VR::CS, "UNVERIFIED"),
    ];
    for (tag, vr, value) in texts {
        put(&mut object, tag, vr, value);
    }
    let mut scheme = Object::new_empty();
    put(&mut scheme, tags::CODING_SCHEME_DESIGNATOR, VR::SH, SCHEME);
    put(&mut scheme, tags::CODING_SCHEME_NAME, VR::ST, "Categories of a run of deepmcat");
    sequence(&mut object, tags::CODING_SCHEME_IDENTIFICATION_SEQUENCE, vec![scheme]);
    sequence(&mut object, tags::REFERENCED_PERFORMED_PROCEDURE_STEP_SEQUENCE, Vec::new());
    sequence(&mut object, tags::PERFORMED_PROCEDURE_CODE_SEQUENCE, Vec::new());
    let mut of_study = Object::new_empty();
    sequence(&mut of_study, tags::REFERENCED_SERIES_SEQUENCE, evidence);
    put(&mut of_study, tags::STUDY_INSTANCE_UID, VR::UI, study);
    sequence(&mut object, tags::CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE, vec![of_study]);
    object
}

/// Date and time now in UTC, as DICOM writes them.
fn now() -> (String, String) {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (date, clock) = (day(seconds / 86_400), seconds % 86_400);
    (date, format!("{:02}{:02}{:02}", clock / 3600, clock / 60 % 60, clock % 60))
}

/// `YYYYMMDD` of a day since 1970: eras of 400 years, which begin in March.
fn day(days: u64) -> String {
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (date, month) = (day - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    format!("{:04}{month:02}{date:02}", era * 400 + year + u64::from(month <= 2))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        let known =
            [(0, "19700101"), (59, "19700301"), (11_016, "20000229"), (11_017, "20000301"), (20_785, "20261128")];
        assert!(known.iter().all(|&(number, date)| day(number) == date), "{:?}", known.map(|(number, _)| day(number)));
    }

    #[test]
    fn a_category_has_one_code_and_the_users_goes_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("codes.csv");
        fs_err::write(&path, "category,scheme,code,meaning\nSA,SCT,1234,Short axis\n").unwrap();
        let codes = codes(&path).unwrap();
        assert_eq!(code_of("SA", &codes), Code::new("1234", "SCT", "Short axis"));
        assert_eq!(code_of("LVOT", &codes), Code::new("LVOT", SCHEME, "LVOT"));
        let odd = code_of("Herz, kurze Achse\\b", &codes);
        assert!(odd.value.len() == 13 && odd.meaning == "Herz, kurze Achse/b", "{odd:?}");
        fs_err::write(&path, "category,scheme,code\nSA,SCT,1234\n").unwrap();
        assert!(super::codes(&path).unwrap_err().to_string().contains("no column `meaning`"));
        fs_err::write(&path, "category,scheme,code,meaning\nSA,SCT,12345678901234567,x\n").unwrap();
        assert!(super::codes(&path).unwrap_err().to_string().contains("line 2"));
    }

    #[test]
    fn hashes_are_uids() {
        let one = hashed(&["a", "b"]);
        assert!(crate::uid::is_uid(&one) && one != hashed(&["ab", ""]), "{one}");
    }
}
