//! Counter-based random numbers: a draw depends on (seed, epoch, item, purpose) and on nothing else.
//!
//! So neither the thread count, nor sharding, nor a resumed run changes a draw.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// What a draw is for: two purposes never share a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Purpose {
    /// Initial weights of the network's body.
    Weights = 1,
    /// Weights of the fresh last layer of an epoch.
    Head = 2,
    /// Augmentation of a training image.
    Augment = 3,
    /// Augmentation of an image that is embedded.
    EmbedAugment = 4,
    /// Start of k-means.
    KMeans = 5,
    /// Images drawn from a cluster.
    Sample = 6,
    /// Order of the draws.
    Shuffle = 7,
    /// Dropout masks.
    Dropout = 8,
    /// The raw-pixel baseline.
    Raw = 9,
    /// The rows that stand for all of a large table.
    Some = 10,
    /// Labels that categories are made from.
    Labels = 11,
    /// Subjects drawn anew for an interval (bootstrap).
    Bootstrap = 12,
    /// Images that a person audits.
    Audit = 13,
}

/// At most `most` of `count` rows, in order: the same at every call. They are drawn, not evenly spaced, since archives
/// are regular: every tenth slice may be of the same level.
#[must_use]
pub fn some_of(count: usize, most: usize) -> Vec<usize> {
    if count <= most {
        return (0..count).collect();
    }
    let mut rows = rand::seq::index::sample(&mut generator(0, 0, 0, Purpose::Some), count, most).into_vec();
    rows.sort_unstable();
    rows
}

/// The generator for one item (an image, a cluster, a layer) of one epoch.
#[must_use]
pub fn generator(seed: u64, epoch: u32, item: u32, purpose: Purpose) -> ChaCha8Rng {
    repeated(seed, epoch, item, purpose, 0)
}

/// The generator for one of several draws of the same kind, for example the views of an image.
#[must_use]
pub fn repeated(seed: u64, epoch: u32, item: u32, purpose: Purpose, number: u32) -> ChaCha8Rng {
    let mut key = [0_u8; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..12].copy_from_slice(&epoch.to_le_bytes());
    key[12..16].copy_from_slice(&(purpose as u32).to_le_bytes());
    key[16..20].copy_from_slice(&number.to_le_bytes());
    let mut generator = ChaCha8Rng::from_seed(key);
    generator.set_stream(u64::from(item));
    generator
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::rand_core::Rng;

    #[test]
    fn some_rows_are_different_ones_in_order_from_all_over() {
        assert_eq!(some_of(3, 3), [0, 1, 2]);
        let rows = some_of(10_000, 1000);
        assert_eq!((rows.len(), &rows), (1000, &some_of(10_000, 1000)));
        assert!(rows.is_sorted_by(|a, b| a < b));
        for digit in 0..10 {
            let ends = rows.iter().filter(|&row| row % 10 == digit).count();
            let starts = rows.iter().filter(|&row| row / 1000 == digit).count();
            assert!((60..140).contains(&ends) && (60..140).contains(&starts), "{digit}: {ends} {starts}");
        }
    }

    #[test]
    fn each_part_of_the_counter_changes_the_draw() {
        let draw = |seed, epoch, item, purpose| generator(seed, epoch, item, purpose).next_u64();
        let one = draw(1, 2, 3, Purpose::Augment);
        assert_eq!(one, draw(1, 2, 3, Purpose::Augment));
        let others = [
            draw(2, 2, 3, Purpose::Augment),
            draw(1, 3, 3, Purpose::Augment),
            draw(1, 2, 4, Purpose::Augment),
            draw(1, 2, 3, Purpose::EmbedAugment),
            repeated(1, 2, 3, Purpose::Augment, 1).next_u64(),
        ];
        assert!(others.iter().all(|&other| other != one));
    }
}
