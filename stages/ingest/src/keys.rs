//! Keyed hashes: what names images, subjects and series in tables that may be shared.

use std::path::Path;

use crate::Error;

/// Fewer bytes than this in a key file are a mistake.
const LEAST_KEY: usize = 16;

/// A secret (or, without a key file, a constant) that turns identities into numbers.
#[derive(Clone)]
pub struct Keys([u8; 32]);

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(..)") // a secret stays out of logs
    }
}

impl Keys {
    /// The key that everybody knows: the same tables everywhere, but no secret. Identities of few digits can be found
    /// by trying all.
    #[must_use]
    pub fn public() -> Self {
        Self(blake3::derive_key("deepmcat ingest: image, subject and series keys that are no secret", &[]))
    }

    /// A key from the bytes of a file.
    ///
    /// # Errors
    /// When the file cannot be read or is too short to be a secret.
    pub fn from_file(path: &Path) -> Result<Self, Error> {
        let bad = |found: String| Error::KeyFile { path: path.to_owned(), found };
        let bytes = fs_err::read(path).map_err(|error| bad(error.kind().to_string()))?;
        if bytes.len() < LEAST_KEY {
            return Err(bad(format!("{} bytes", bytes.len())));
        }
        Ok(Self(blake3::derive_key("deepmcat ingest: image, subject and series keys from a file", &bytes)))
    }

    /// A name for the key itself, 16 hex digits: equal where two data sets have the same key.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{:016x}", self.hash("key", &[]))
    }

    /// The hash of an input: where it is, relative to the input folder, so stable when that is moved.
    #[must_use]
    pub fn input(&self, source: &str, member: Option<&str>) -> u64 {
        self.hash("input", &[source.as_bytes(), &in_zip(member)])
    }

    /// The key of `parts` for one purpose. Parts are length-prefixed, so no two lists of parts run together.
    fn hash(&self, purpose: &str, parts: &[&[u8]]) -> u64 {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        for part in std::iter::once(purpose.as_bytes()).chain(parts.iter().copied()) {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        let mut eight = [0; 8];
        hasher.finalize_xof().fill(&mut eight);
        u64::from_be_bytes(eight)
    }

    /// The key of an image: where it came from, relative to the input, so stable when the archive is moved.
    #[must_use]
    pub fn image(&self, source: &str, member: Option<&str>, frame: u32, slice: u32) -> u64 {
        self.hash("image", &[source.as_bytes(), &in_zip(member), &frame.to_le_bytes(), &slice.to_le_bytes()])
    }

    /// The hash of a subject.
    #[must_use]
    pub fn subject(&self, identity: &str) -> u64 {
        self.hash("subject", &[identity.as_bytes()])
    }

    /// The hash of a series.
    #[must_use]
    pub fn series(&self, identity: &str) -> u64 {
        self.hash("series", &[identity.as_bytes()])
    }
}

/// A member's name, told from the absence of one.
fn in_zip(member: Option<&str>) -> Vec<u8> {
    member.map(|member| [&[1], member.as_bytes()].concat()).unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn keys_depend_on_key_purpose_and_every_part() {
        let keys = Keys::public();
        let other = Keys(blake3::derive_key("another", &[]));
        assert_eq!(keys.subject("a"), Keys::public().subject("a"));
        assert_ne!(keys.subject("a"), other.subject("a"));
        assert_ne!((keys.name(), keys.input("a", None)), (other.name(), other.input("a", None)));
        assert_ne!(keys.input("a", None), keys.input("a", Some("")));
        assert_ne!(keys.subject("a"), keys.series("a"));
        let one = keys.image("a/b.nii", None, 0, 0);
        let others = [
            keys.image("a/b.nii", Some(""), 0, 0),
            keys.image("a/b.nii", None, 1, 0),
            keys.image("a/b.nii", None, 0, 1),
            keys.image("a/c.nii", None, 0, 0),
        ];
        assert!(others.iter().all(|&other| other != one));
    }

    #[test]
    fn a_short_key_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs_err::write(&path, "short").unwrap();
        assert!(Keys::from_file(&path).unwrap_err().to_string().contains("5 bytes"));
        fs_err::write(&path, [7; 32]).unwrap();
        assert!(!format!("{:?}", Keys::from_file(&path).unwrap()).contains('7'));
    }
}
