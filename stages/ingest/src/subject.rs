//! Which subject (person, phantom, specimen) an input is of, by what says so. What nobody says stays unknown.
//!
//! In this order:
//! 1. PatientID (0010,0020), unless it is a placeholder such as `ANON`;
//! 2. StudyInstanceUID (0020,000D): one study is of one patient;
//! 3. the outermost folder, zip or zip's folder below INPUT whose name is an identifier: a word and a number
//!    (`Case001`, `sub-01`, `patient_7`, `P0012`), a number of at least three digits (`1001`), or a DICOM person name
//!    with `^`. UK Biobank's zips are PARTICIPANT_FIELD_VISIT_0.zip: the participant counts.
//! 4. a file name that starts with such an identifier and goes on (`1001_b3.png`, `sub-01_T1w.nii.gz`), where a bare
//!    number has at least four digits. A number alone (`000001.jpeg`) counts the files of a folder and says nothing;
//! 5. a volume (NIfTI) is of one subject, so its file stands for it. A picture has none.
//!
//! Names of sets, series and classes (`Train`, `fold1`, `T1`, `b1000`, `LA_2CH`) identify nobody.

use std::sync::LazyLock;

use regex::Regex;

/// Words before a number that make it a subject's.
const SUBJECT: &str = "sub|subj|subject|pat|patient|pt|case|person|participant|volunteer|vol|proband|id|mouse|rat|pig|phantom|specimen|donor";
/// Words before a number that number something else.
const OTHER: [&str; 46] = [
    "t", "b", "te", "ti", "tr", "e", "echo", "fold", "cv", "split", "set", "dataset", "data", "part", "batch", "group",
    "site", "center", "centre", "scanner", "ses", "session", "visit", "study", "exam", "series", "se", "st", "scan",
    "run", "acq", "img", "im", "image", "slice", "frame", "phase", "view", "class", "label", "cluster", "level", "day",
    "week", "year", "month",
];

static WORD_AND_NUMBER: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^([A-Za-z]*)[-_ ]?(\d+)$").ok());
static NAMED: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(&format!(r"(?i)^(?:{SUBJECT})[-_ ]?[A-Za-z]*\d+[A-Za-z]?$|^sub-[A-Za-z0-9]+$")).ok());
static UK_BIOBANK: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^(\d{5,8})_\d{4,6}_\d{1,2}_\d{1,3}$").ok());

/// The subject that a path below INPUT names: folders with `/` between them, zips and their folders among them.
pub(crate) fn of_path(path: &str) -> Option<String> {
    let (folders, file) = path.rsplit_once('/').unwrap_or(("", path));
    let by_folder = folders.split('/').find_map(|folder| of_folder(strip_zip(folder)));
    by_folder.or_else(|| of_file(file))
}

/// Identifies a subject by a PatientID; none where it is a placeholder.
pub(crate) fn of_patient(id: &str) -> Option<&str> {
    const PLACEHOLDERS: [&str; 12] =
        ["", "0", "anon", "anonymous", "anonymized", "anonymised", "unknown", "none", "null", "n/a", "na", "patientid"];
    let id = id.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    let bare = id.trim_matches(['^', '*', '-', '_', ' ']);
    (!PLACEHOLDERS.contains(&bare.to_ascii_lowercase().as_str())).then_some(id)
}

fn strip_zip(folder: &str) -> &str {
    let at = folder.len().saturating_sub(4);
    if folder.get(at..).is_some_and(|ending| ending.eq_ignore_ascii_case(".zip")) { &folder[..at] } else { folder }
}

fn of_folder(name: &str) -> Option<String> {
    if let Some(groups) = UK_BIOBANK.as_ref().and_then(|pattern| pattern.captures(name)) {
        return Some(groups[1].to_owned());
    }
    (name.contains('^') || is_identifier(name, 3)).then(|| name.to_owned())
}

/// The identifier that a file name begins with, where something follows it.
fn of_file(name: &str) -> Option<String> {
    let name = strip_endings(name);
    if let Some(groups) = UK_BIOBANK.as_ref().and_then(|pattern| pattern.captures(name)) {
        return Some(groups[1].to_owned());
    }
    // `sub-01_T1w` and `patient_7_b1`: the word may be parted from its number.
    let ends = name.char_indices().filter(|(_, c)| matches!(c, '_' | '.' | ' ')).map(|(at, _)| at);
    let mut starts = ends.filter(|&at| at > 0).map(|at| &name[..at]);
    let first = starts.by_ref().take(2).find(|start| is_identifier(start, 4));
    first.map(str::to_owned)
}

fn strip_endings(name: &str) -> &str {
    let end = |name: &str| name.rfind('.').filter(|&dot| dot > 0 && name.len() - dot <= 6);
    let Some(dot) = end(name) else { return name };
    let gz = name[dot..].eq_ignore_ascii_case(".gz");
    let name = &name[..dot];
    if gz && let Some(dot) = end(name) { &name[..dot] } else { name }
}

/// True for a word and a number that can be a subject's; `digits`: what a number without a word needs.
fn is_identifier(name: &str, digits: usize) -> bool {
    if NAMED.as_ref().is_some_and(|pattern| pattern.is_match(name)) {
        return true;
    }
    let Some(groups) = WORD_AND_NUMBER.as_ref().and_then(|pattern| pattern.captures(name)) else { return false };
    let (word, number) = (groups[1].to_ascii_lowercase(), groups[2].len());
    match word.as_str() {
        "" => number >= digits,
        word => number >= 2 && !OTHER.contains(&word),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_layouts_name_their_subjects() {
        for (path, subject) in [
            ("1001/sa.nii.gz", "1001"),
            ("1001/SA/b3.png", "1001"),
            ("SA/1001_b3.png", "1001"),
            ("Train/Case007/sa_ED.nii.gz", "Case007"),
            ("training/patient001/patient001_frame01.nii.gz", "patient001"),
            ("CheXpert/train/patient00001/study1/view1_frontal.jpg", "patient00001"),
            ("sub-01/ses-02/anat/sub-01_T1w.nii.gz", "sub-01"),
            ("sub-control01/anat/x.nii", "sub-control01"),
            ("images/00000013_005.png", "00000013"),
            ("flat/patient_7_b1.png", "patient_7"),
            ("1000023_20209_2_0.zip/a.dcm", "1000023"),
            ("visits/1000023_20209_3_0.ZIP/a.dcm", "1000023"),
            ("one.zip/Train/Case001/1.png", "Case001"),
            ("P0012.zip/1.dcm", "P0012"),
            ("DOE^JOHN/1.png", "DOE^JOHN"),
            ("day2/mouse 4/slice_01.tif", "mouse 4"),
        ] {
            assert_eq!(of_path(path).as_deref(), Some(subject), "{path}");
        }
    }

    #[test]
    fn classes_sets_series_and_counters_are_no_subjects() {
        for path in [
            "Hand/000001.jpeg",
            "AbdomenCT/000001.jpeg",
            "dataset.zip/Hand/1.png",
            "LA_2CH/7.png",
            "fold1/T1/3.png",
            "T1/b1000/IMG_0007.png",
            "Train/Images/12.png",
            "series 12/1.png",
            "scan_003.png",
            "top.png",
            "visit01/x.png",
            ".hidden",
        ] {
            assert_eq!(of_path(path), None, "{path}");
        }
    }

    #[test]
    fn a_placeholder_is_no_patient() {
        for id in ["", "  ", "ANON", "anonymous", "Anonymized^^", "0", "UNKNOWN\0"] {
            assert_eq!(of_patient(id), None, "{id:?}");
        }
        assert_eq!(of_patient(" 7 \0"), Some("7"));
        assert_eq!(of_patient("ANON7"), Some("ANON7"));
    }
}
