//! Lists the members of a zip. Names in it are only names: nothing is ever written by them.
//!
//! A zip is bounded before a byte of it is inflated: in the number of its members, in what a member may inflate to, and
//! in that no two members share bytes (which is how a small zip claims petabytes).

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use fs_err::File;
use zip::{CompressionMethod, ZipArchive};

use crate::nifti_file;
use crate::place::{Member, Place};
use crate::reject::{Reason, Reject};
use crate::walk::lossless;

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

/// A member's name, `/` between its parts, and where it is or why it is not read.
pub(crate) type Listed = (String, Result<Place, Reject>);

/// True for the first bytes of a zip, an empty one too.
pub(crate) fn is_zip(head: &[u8]) -> bool {
    head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06")
}

/// Whether a file is a zip by its first bytes; false where it cannot be read, which is told later.
pub(crate) fn is_zip_file(path: &Path) -> bool {
    let mut head = [0; 4];
    File::open(path).and_then(|mut file| file.read_exact(&mut head)).is_ok() && is_zip(&head)
}

/// The members of a zip that are files, in the order of their names.
pub(crate) fn list(path: &Path, limits: ZipLimits) -> Result<Vec<Listed>, Reject> {
    let file = File::open(path).map_err(|error| Reject::from_io(&error, "cannot be opened"))?;
    let length = file.metadata().map_err(|error| Reject::from_io(&error, "cannot be opened"))?.len();
    let damaged =
        |error: &dyn std::error::Error| Reject::unreadable(format!("not readable as a zip: {}", short(error)));
    let mut archive = ZipArchive::new(io::BufReader::new(file)).map_err(|error| damaged(&error))?;
    if archive.len() > limits.members {
        let message = format!("a zip of {} members, more than the {} of --max-members", archive.len(), limits.members);
        return Err(Reject::new(Reason::TooLarge, message));
    }
    if archive.has_duplicate_names() {
        return Err(Reject::new(Reason::Unsafe, "a zip with two members of one name: which is meant cannot be told"));
    }
    let zip: Arc<Path> = path.into();
    let (mut listed, mut packed) = (Vec::with_capacity(archive.len()), 0_u64);
    for number in 0..archive.len() {
        let member = archive.by_index_raw(number).map_err(|error| damaged(&error))?;
        packed = packed.saturating_add(member.compressed_size());
        let name = lossless(member.name_raw());
        if name.ends_with('/') || member.is_dir() {
            continue;
        }
        let place = place(&member, &name, &zip, limits);
        listed.push((name, place));
    }
    if packed > length {
        return Err(Reject::new(Reason::Unsafe, "a zip whose members share bytes: a bomb"));
    }
    listed.sort_by(|a, b| a.0.cmp(&b.0));
    pair(&mut listed);
    Ok(listed)
}

/// Tells the two files of a NIfTI pair of each other; `listed` is sorted by name.
fn pair(listed: &mut [Listed]) {
    let member = |name: &String| {
        let index = listed.binary_search_by(|(listed, _)| listed.cmp(name)).ok()?;
        if let Ok(Place::Member(member)) = &listed[index].1 { Some(Arc::new(member.clone())) } else { None }
    };
    let partners: Vec<_> = listed.iter().map(|(name, _)| nifti_file::partners(name).iter().find_map(member)).collect();
    for ((_, place), partner) in listed.iter_mut().zip(partners) {
        if let Ok(Place::Member(member)) = place {
            member.partner = partner;
        }
    }
}

fn place<R: Read>(
    member: &zip::read::ZipFile<'_, R>,
    name: &str,
    zip: &Arc<Path>,
    limits: ZipLimits,
) -> Result<Place, Reject> {
    if name.starts_with(['/', '\\'])
        || name.split(['/', '\\']).any(|part| part == "..")
        || name.get(1..3) == Some(":\\")
    {
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
        other => return Err(Reject::unsupported(format!("a member packed by {other}"))),
    };
    let (size, packed) = (member.size(), member.compressed_size());
    if size > FREE && size / packed.max(1) > limits.ratio {
        let message = format!("a member that inflates {} times, more than --max-ratio", size / packed.max(1));
        return Err(Reject::new(Reason::TooLarge, message));
    }
    let Some(start) = member.data_start() else {
        return Err(Reject::unreadable("a member without a place in the zip"));
    };
    Ok(Place::Member(Member {
        zip: Arc::clone(zip),
        start,
        packed,
        size,
        crc: member.crc32(),
        deflated,
        partner: None,
    }))
}

fn short(error: &dyn std::error::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().chars().take(160).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

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
        for (_, place) in &mut list {
            if let Ok(place) = place {
                let read = place.open().and_then(|mut bytes| bytes.read_to_end(&mut Vec::new()));
                assert!(read.is_ok_and(|read| read == 3));
            }
        }
        Ok(list)
    }

    fn reason(members: &[Raw], overlap: bool) -> Reason {
        match listed(&zip(members, overlap)) {
            Err(reject) => reject.reason,
            Ok(list) => list.into_iter().find_map(|(_, place)| place.err()).unwrap().reason,
        }
    }

    #[test]
    fn members_are_listed_by_name_and_read_in_place() {
        let members = [stored("b/2.dcm", b"two"), stored("a.dcm", b"one"), stored("b/", b"")];
        let names: Vec<String> = listed(&zip(&members, false)).unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["a.dcm", "b/2.dcm"]);
        assert!(listed(&zip(&[], false)).unwrap().is_empty());
    }

    #[test]
    fn what_means_harm_is_refused() {
        for name in ["../a", "/etc/a", "b/../../a", "..\\a", "C:\\a"] {
            assert_eq!(reason(&[stored(name, b"abc")], false), Reason::Unsafe, "{name}");
        }
        assert_eq!(reason(&[Raw { mode: 0o120_777, ..stored("link", b"abc") }], false), Reason::Unsafe);
        assert_eq!(reason(&[Raw { flags: 1, ..stored("secret", b"abc") }], false), Reason::Unsupported);
        assert_eq!(reason(&[Raw { method: 14, ..stored("lzma", b"abc") }], false), Reason::Unsupported);
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
        assert_eq!(listed(&whole[..whole.len() - 9]).unwrap_err().reason, Reason::Unreadable);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.zip");
        // A flipped bit in the member's bytes, and a size that is not true.
        let mut flipped = whole.clone();
        flipped[35] ^= 1;
        let longer = zip(&[Raw { method: 8, size: 9, ..stored("a", b"\x03\x00") }], false);
        for bytes in [flipped, longer] {
            fs_err::write(&path, bytes).unwrap();
            let place = list(&path, LIMITS).unwrap().remove(0).1.unwrap();
            let error = place.open().and_then(|mut bytes| bytes.read_to_end(&mut Vec::new())).unwrap_err();
            assert!(error.to_string().contains("CRC-32"), "{error}");
        }
    }
}
