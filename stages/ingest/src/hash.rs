//! Hashes of what headers say: the same in every run and on every machine, since ties are broken by them.

use std::hash::{DefaultHasher, Hash, Hasher};

/// The hash of parts in their order; an absent part is not an empty one.
pub(crate) fn hash<P: AsRef<[u8]>>(parts: &[Option<P>]) -> u64 {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        match part {
            Some(part) => hasher.update(&(part.as_ref().len() as u64 + 1).to_le_bytes()).update(part.as_ref()),
            None => hasher.update(&[0; 8]),
        };
    }
    first_eight(&hasher)
}

/// The hash of hashes.
pub(crate) fn mix(hashes: &[u64]) -> u64 {
    let mut hasher = blake3::Hasher::new();
    for hash in hashes {
        hasher.update(&hash.to_le_bytes());
    }
    first_eight(&hasher)
}

/// The hash of a description as lists of files are compared by; within one run only.
pub(crate) fn listed(description: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    description.trim().hash(&mut hasher);
    hasher.finish()
}

fn first_eight(hasher: &blake3::Hasher) -> u64 {
    let mut eight = [0; 8];
    hasher.finalize_xof().fill(&mut eight);
    u64::from_le_bytes(eight)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_the_same_for_ever() {
        // Python: blake3(struct.pack("<Q", 4) + b"1.2" + struct.pack("<Q", 0)), its first 8 bytes.
        assert_eq!(hash(&[Some("1.2"), None]), 0xd4af_9176_5f3e_7d7c);
        assert_ne!(hash(&[Some("1.2"), None]), hash(&[Some("1.2"), Some("")]));
        assert_ne!(hash(&[Some("1"), Some("2")]), hash(&[Some("12"), Some("")]));
    }
}
