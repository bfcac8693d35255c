//! Hashes of what headers say: the same in every run and on every machine, since ties are broken by them.

/// The hash of parts in their order; an absent part is not an empty one.
pub(super) fn hash<P: AsRef<[u8]>>(parts: &[Option<P>]) -> u64 {
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
pub(super) fn mix(hashes: &[u64]) -> u64 {
    let mut hasher = blake3::Hasher::new();
    for hash in hashes {
        hasher.update(&hash.to_le_bytes());
    }
    first_eight(&hasher)
}

fn first_eight(hasher: &blake3::Hasher) -> u64 {
    let mut eight = [0; 8];
    hasher.finalize_xof().fill(&mut eight);
    u64::from_le_bytes(eight)
}
