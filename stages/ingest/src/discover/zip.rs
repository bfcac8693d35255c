//! Lists the members of a zip. Names in it are only names: nothing is ever written by them.
//!
//! A zip is bounded before a byte of it is inflated: in the number of its members, in what a member may inflate to, and
//! in that no two members share bytes (which is how a small zip claims petabytes).

use std::collections::{HashMap, HashSet};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use fs_err::File;
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use crate::inputs::lossless;
use crate::pairs;
use crate::place::Member;
use crate::reject::{Reason, Reject};

/// What a zip may be.
#[derive(Debug, Clone, Copy)]
pub struct ZipLimits {
    /// Members.
    pub members: usize,
    /// Bytes that a member inflates to, for each byte of it in the zip. Only members above 64 MiB are judged.
    pub ratio: u64,
}

/// Members up to this many bytes may inflate from however few: a black image does.
const FREE: u64 = 64 << 20;

/// A member of a zip that is a file.
#[derive(Debug)]
pub(crate) struct Listed {
    /// Its name, `/` between its parts.
    pub name: String,
    /// Where it is, or why it is not read.
    pub place: Result<Member, Reject>,
    /// The other file of a NIfTI pair, by its place in the list.
    pub partner: Option<usize>,
}

/// True for the first bytes of a zip, an empty one too.
pub(crate) fn is_zip(head: &[u8]) -> bool {
    head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06")
}

/// Whether the first bytes of a file are those of a zip. False where it cannot be read: `sniff` reports that.
pub(crate) fn is_zip_file(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(64).read_to_end(&mut head));
    // An Office document is a zip too, but no archive of images.
    read.is_ok() && is_zip(&head) && !is_office(&head)
}

/// Documents that are zips: their pictures are no archive's. By the name of their first member (APPNOTE.TXT 4.3.7).
pub(crate) fn is_office(head: &[u8]) -> bool {
    let first = head.get(30..).unwrap_or_default();
    let names: [&[u8]; 6] =
        [b"[Content_Types].xml", b"_rels/.rels", b"docProps/", b"mimetypeapplication/", b"word/", b"xl/"];
    head.starts_with(b"PK\x03\x04") && names.iter().any(|name| first.starts_with(name))
}

/// The members of a zip that are files, in the order of their names.
pub(crate) fn list(path: &Path, limits: ZipLimits) -> Result<Vec<Listed>, Reject> {
    let file = File::open(path).map_err(|error| Reject::from_io(&error, "cannot be opened"))?;
    let length = file.metadata().map_err(|error| Reject::from_io(&error, "cannot be opened"))?.len();
    let mut archive = ZipArchive::new(io::BufReader::new(file)).map_err(|error| {
        let whole = has_end(path, length).unwrap_or(true);
        let cut = || Reject::new(Reason::Truncated, "a zip that ends before its directory does: copy it again");
        if whole { damaged(&error) } else { cut() }
    })?;
    if archive.len() > limits.members {
        let message = format!("a zip of {} members, more than the {} of --max-members", archive.len(), limits.members);
        return Err(Reject::new(Reason::TooLarge, message));
    }
    let doubled = if archive.has_duplicate_names() { doubled_names(path, &archive)? } else { HashSet::new() };
    let zip: Arc<Path> = path.into();
    let (mut listed, mut packed) = (Vec::with_capacity(archive.len()), 0_u64);
    for number in 0..archive.len() {
        let member = archive.by_index_raw(number).map_err(|error| damaged(&error))?;
        packed = packed.saturating_add(member.compressed_size());
        let raw = member.name_raw();
        if raw.ends_with(b"/") || raw.ends_with(b"\\") || member.is_dir() {
            continue;
        }
        let place = if doubled.contains(raw) { Err(is_doubled()) } else { place(&member, raw, &zip, limits) };
        listed.push(Listed { name: name(raw), place, partner: None });
    }
    if packed > length {
        return Err(Reject::new(Reason::Unsafe, "a zip whose members share bytes: a bomb"));
    }
    listed.sort_by(|a, b| a.name.cmp(&b.name));
    // Names that differ in their separators alone are one name here.
    for at in 1..listed.len() {
        if listed[at - 1].name == listed[at].name {
            listed[at - 1].place = Err(is_doubled());
            listed[at].place = Err(is_doubled());
        }
    }
    listed.dedup_by(|a, b| a.name == b.name);
    pair(&mut listed);
    Ok(listed)
}

fn is_doubled() -> Reject {
    Reject::new(Reason::Unsafe, "two members of the zip have this name: which is meant cannot be told")
}

/// A member's name as text, with `/` between its parts: programs on Windows write `\`.
fn name(raw: &[u8]) -> String {
    let parts: Vec<String> = raw.split(|byte| is_separator(*byte)).map(lossless).collect();
    parts.join("/")
}

fn is_separator(byte: u8) -> bool {
    byte == b'/' || byte == b'\\'
}

/// The names that more than one entry of the zip's directory has (APPNOTE.TXT 4.3.12), which the zip crate hides.
fn doubled_names<R: Read + Seek>(path: &Path, archive: &ZipArchive<R>) -> Result<HashSet<Vec<u8>>, Reject> {
    let read = || -> io::Result<HashSet<Vec<u8>>> {
        let mut file = io::BufReader::new(File::open(path)?);
        file.seek(SeekFrom::Start(archive.central_directory_start()))?;
        let (mut seen, mut doubled) = (HashSet::new(), HashSet::new());
        loop {
            let mut entry = [0; 46];
            if file.read_exact(&mut entry).is_err() || !entry.starts_with(b"PK\x01\x02") {
                return Ok(doubled);
            }
            let short = |at: usize| usize::from(u16::from_le_bytes([entry[at], entry[at + 1]]));
            let mut name = vec![0; short(28)];
            file.read_exact(&mut name)?;
            file.seek_relative((short(30) + short(32)) as i64)?; // extra field, comment
            if !seen.insert(name.clone()) {
                doubled.insert(name);
            }
        }
    };
    read().map_err(|error| Reject::from_io(&error, "the zip's directory cannot be read"))
}

/// Whether a zip has the record that ends it (APPNOTE.TXT 4.3.16), which one that was cut has not.
fn has_end(path: &Path, length: u64) -> io::Result<bool> {
    const RECORD: usize = 22;
    let mut file = File::open(path)?;
    // A comment of 16 bits' length may follow it.
    file.seek(SeekFrom::Start(length.saturating_sub(RECORD as u64 + u64::from(u16::MAX))))?;
    let mut tail = Vec::new();
    file.take(1 << 17).read_to_end(&mut tail)?;
    Ok(tail.windows(RECORD).any(|record| record.starts_with(b"PK\x05\x06")))
}

/// Why a zip cannot be opened.
fn damaged(error: &ZipError) -> Reject {
    match error {
        ZipError::Io(error) => Reject::from_io(error, "the zip cannot be read"),
        ZipError::UnsupportedArchive(_) => Reject::unsupported("a zip of a kind that is not read: unpack it first"),
        _ => Reject::unreadable("a zip whose directory is damaged"),
    }
}

/// Tells the two files of a NIfTI pair of each other; `listed` is sorted by name.
fn pair(listed: &mut [Listed]) {
    let exact = |name: &str| listed.binary_search_by(|listed| listed.name.as_str().cmp(name)).ok();
    let mut spelled: HashMap<String, Vec<usize>> = HashMap::new();
    let of_pairs: Vec<usize> = (0..listed.len()).filter(|&index| pairs::stem(&listed[index].name).is_some()).collect();
    for &index in &of_pairs {
        spelled.entry(listed[index].name.to_ascii_lowercase()).or_default().push(index);
    }
    let any_case = |name: &str| {
        let of = |other: String| spelled.get(&other.to_ascii_lowercase());
        let alike: Vec<usize> = pairs::partners(name).into_iter().filter_map(of).flatten().copied().collect();
        let found = pairs::partner_among(name, alike.iter().map(|&index| listed[index].name.as_str()))?;
        exact(found)
    };
    let partner = |name: &str| {
        let index = pairs::partners(name).iter().find_map(|name| exact(name)).or_else(|| any_case(name));
        index.filter(|&index| listed[index].place.is_ok())
    };
    let partners: Vec<_> = of_pairs.iter().map(|&index| (index, partner(&listed[index].name))).collect();
    for (index, partner) in partners {
        listed[index].partner = partner;
    }
}

fn place<R: Read>(
    member: &zip::read::ZipFile<'_, R>,
    raw: &[u8],
    zip: &Arc<Path>,
    limits: ZipLimits,
) -> Result<Member, Reject> {
    let drive =
        matches!(raw, [letter, b':', separator, ..] if letter.is_ascii_alphabetic() && is_separator(*separator));
    let climbs = raw.split(|byte| is_separator(*byte)).any(|part| part == b"..");
    if drive || climbs || raw.first().is_some_and(|byte| is_separator(*byte)) {
        return Err(Reject::new(Reason::Unsafe, "a member whose name leads out of the zip"));
    }
    if member.is_symlink() {
        return Err(Reject::new(Reason::Unsafe, "a member that is a link"));
    }
    if member.encrypted() {
        return Err(Reject::unsupported("a member with a password"));
    }
    let deflated = match member.compression() {
        CompressionMethod::Stored => false,
        CompressionMethod::Deflated => true,
        other => {
            let how = method(other);
            return Err(Reject::unsupported(format!(
                "a member packed by {how}: unpack the zip, or pack it by deflate"
            )));
        }
    };
    let (size, packed) = (member.size(), member.compressed_size());
    if size > FREE && size / packed.max(1) > limits.ratio {
        let message = format!("a member that inflates {} times, more than --max-ratio", size / packed.max(1));
        return Err(Reject::new(Reason::TooLarge, message));
    }
    let Some(start) = member.data_start() else {
        return Err(Reject::unreadable("a member without a place in the zip"));
    };
    Ok(Member { zip: Arc::clone(zip), start, packed, size, crc: member.crc32(), deflated, partner: None })
}

/// What a method of compression is called (APPNOTE.TXT 4.4.5).
fn method(method: CompressionMethod) -> String {
    const NAMES: [(u16, &str); 8] = [
        (1, "shrink"),
        (6, "implode"),
        (9, "Deflate64"),
        (12, "bzip2"),
        (14, "LZMA"),
        (93, "zstd"),
        (95, "xz"),
        (98, "PPMd"),
    ];
    #[allow(deprecated)] // the crate has no other way to a number that it does not know
    let number = method.to_u16();
    let known = NAMES.iter().find(|(known, _)| *known == number);
    known.map_or_else(|| format!("method {number}"), |(_, name)| (*name).to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::place::Place;

    const LIMITS: ZipLimits = ZipLimits { members: 9, ratio: 100 };

    /// A member as its headers say.
    #[derive(Clone, Copy)]
    struct Raw<'a> {
        name: &'a str,
        bytes: &'a [u8],
        /// Method, flags, size, mode.
        method: u16,
        flags: u16,
        size: u32,
        mode: u32,
    }

    fn stored<'a>(name: &'a str, bytes: &'a [u8]) -> Raw<'a> {
        Raw { name, bytes, method: 0, flags: 0, size: bytes.len() as u32, mode: 0o100_644 }
    }

    /// A zip of `members`, whatever they are; with `overlap` all share the first one's bytes.
    fn zip(members: &[Raw], overlap: bool) -> Vec<u8> {
        let (mut file, mut directory) = (Vec::new(), Vec::new());
        for member in members {
            let at = if overlap { 0 } else { file.len() as u32 };
            let mut crc = flate2::Crc::new();
            crc.update(member.bytes);
            let mut head = Vec::new();
            for value in [20, member.flags, member.method, 0, 0x21] {
                head.extend(u16::to_le_bytes(value));
            }
            for value in [crc.sum(), member.bytes.len() as u32, member.size] {
                head.extend(value.to_le_bytes());
            }
            head.extend((member.name.len() as u16).to_le_bytes());
            head.extend([0, 0]);
            if file.is_empty() || !overlap {
                file.extend(b"PK\x03\x04");
                file.extend(&head);
                file.extend(member.name.as_bytes());
                file.extend(member.bytes);
            }
            directory.extend(b"PK\x01\x02\x14\x03");
            directory.extend(&head);
            directory.extend([0; 6]);
            directory.extend((member.mode << 16).to_le_bytes());
            directory.extend(at.to_le_bytes());
            directory.extend(member.name.as_bytes());
        }
        let (start, count) = (file.len() as u32, members.len() as u16);
        file.extend(&directory);
        file.extend(b"PK\x05\x06\0\0\0\0");
        file.extend([count.to_le_bytes(), count.to_le_bytes()].concat());
        file.extend([(directory.len() as u32).to_le_bytes(), start.to_le_bytes()].concat());
        file.extend([0, 0]);
        file
    }

    fn listed(bytes: &[u8]) -> Result<Vec<Listed>, Reject> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.zip");
        fs_err::write(&path, bytes).unwrap();
        assert!(is_zip_file(&path));
        let mut list = list(&path, LIMITS)?;
        // Read while the file is there.
        for listed in &mut list {
            if let Ok(member) = &listed.place {
                let read =
                    Place::Member(member.clone()).open().and_then(|mut bytes| bytes.read_to_end(&mut Vec::new()));
                assert!(read.is_ok_and(|read| read == 3));
            }
        }
        Ok(list)
    }

    fn reason(members: &[Raw], overlap: bool) -> Reason {
        match listed(&zip(members, overlap)) {
            Err(reject) => reject.reason,
            Ok(list) => list.into_iter().find_map(|listed| listed.place.err()).unwrap().reason,
        }
    }

    #[test]
    fn members_are_listed_by_name_and_read_in_place() {
        let members = [stored("b/2.dcm", b"two"), stored("a.dcm", b"one"), stored("b/", b"")];
        let names: Vec<String> = listed(&zip(&members, false)).unwrap().into_iter().map(|listed| listed.name).collect();
        assert_eq!(names, ["a.dcm", "b/2.dcm"]);
        assert!(listed(&zip(&[], false)).unwrap().is_empty());
    }

    #[test]
    fn one_doubled_name_keeps_nothing_else_out() {
        let members = [stored("a/1", b"one"), stored("b", b"two"), stored("b", b"six"), stored("c\\2", b"ten")];
        let list = listed(&zip(&members, false)).unwrap();
        let names: Vec<(&str, bool)> = list.iter().map(|listed| (listed.name.as_str(), listed.place.is_ok())).collect();
        assert_eq!(names, [("a/1", true), ("b", false), ("c/2", true)]);
        // Two names that are one once `\` is a separator.
        let members = [stored("c/2", b"one"), stored("c\\2", b"two"), stored("d", b"two")];
        let list = listed(&zip(&members, false)).unwrap();
        let names: Vec<(&str, bool)> = list.iter().map(|listed| (listed.name.as_str(), listed.place.is_ok())).collect();
        assert_eq!(names, [("c/2", false), ("d", true)]);
    }

    #[test]
    fn names_that_are_no_text_are_read_and_stay_apart() {
        let mut bytes = zip(&[stored("?bersicht", b"one"), stored("!x9abersicht", b"two")], false);
        for byte in &mut bytes {
            if *byte == b'?' {
                *byte = 0x9a;
            }
        }
        let list = listed(&bytes).unwrap();
        assert!(list.iter().all(|listed| listed.place.is_ok()));
        assert_eq!(list[1].name, "\\x9abersicht");
    }

    #[test]
    fn a_pair_finds_itself_whatever_the_case_of_its_names() {
        let members = ["P.HDR", "P.IMG", "q.Hdr", "q.iMg", "r.img", "R.hdr"].map(|name| stored(name, b"abc"));
        for listed in listed(&zip(&members, false)).unwrap() {
            assert!(listed.place.is_ok() && listed.partner.is_some(), "{}", listed.name);
        }
    }

    #[test]
    fn what_means_harm_is_refused() {
        for name in ["../a", "/etc/a", "b/../../a", "..\\a", "C:\\a"] {
            assert_eq!(reason(&[stored(name, b"abc")], false), Reason::Unsafe, "{name}");
        }
        assert_eq!(reason(&[Raw { mode: 0o120_777, ..stored("link", b"abc") }], false), Reason::Unsafe);
        assert_eq!(reason(&[Raw { flags: 1, ..stored("secret", b"abc") }], false), Reason::Unsupported);
        assert_eq!(reason(&[Raw { method: 14, ..stored("lzma", b"abc") }], false), Reason::Unsupported);
        let list = listed(&zip(&[Raw { method: 9, ..stored("large", b"abc") }], false)).unwrap();
        assert!(list[0].place.as_ref().unwrap_err().message.contains("Deflate64"));
        let bomb = Raw { method: 8, size: 1 << 30, ..stored("bomb", b"abc") };
        assert_eq!(reason(&[bomb], false), Reason::TooLarge);
        assert_eq!(reason(&[stored("a", b"abc"), stored("a", b"abd")], false), Reason::Unsafe);
        let names = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
        assert_eq!(reason(&names.map(|name| stored(name, b"abc")), false), Reason::TooLarge);
        let same = [7; 4000];
        assert_eq!(reason(&["a", "b", "c"].map(|name| stored(name, &same)), true), Reason::Unsafe);
    }

    #[test]
    fn damage_is_told() {
        let whole = zip(&[stored("a.dcm", b"one")], false);
        assert_eq!(listed(&whole[..whole.len() - 9]).unwrap_err().reason, Reason::Truncated);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.zip");
        // A flipped bit in the member's bytes, and a size that is not true.
        let mut flipped = whole.clone();
        flipped[35] ^= 1;
        let longer = zip(&[Raw { method: 8, size: 9, ..stored("a", b"\x03\x00") }], false);
        for bytes in [flipped, longer] {
            fs_err::write(&path, bytes).unwrap();
            let member = list(&path, LIMITS).unwrap().remove(0).place.unwrap();
            let error =
                Place::Member(member).open().and_then(|mut bytes| bytes.read_to_end(&mut Vec::new())).unwrap_err();
            assert!(error.to_string().contains("CRC-32"), "{error}");
        }
    }
}
