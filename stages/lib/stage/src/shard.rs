//! Which part of the work one of several processes does: `--shard I/N`.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// Part `index` of `count`, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: usize,
    count: usize,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
        match parts {
            Some((index, count)) if index < count => Ok(Self { index, count }),
            _ => Err("expected I/N with I from 0 to N-1, for example 2/8".to_owned()),
        }
    }
}

/// Which part of the images a process takes.
#[derive(Debug, Clone, clap::Args)]
pub struct Part {
    /// Only this part of the images, counted from 0: 2/8 writes part-2.arrow
    #[arg(long, value_name = "I/N", default_value = "0/1")]
    pub shard: Shard,
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl Shard {
    /// The rows of `rows` that are this part's: all parts together are all rows.
    ///
    /// Parts are whole batches, sizes differ by at most one: an image is in the same batch however many parts there
    /// are, since arithmetic in batches of other sizes rounds otherwise.
    #[must_use]
    pub fn rows(self, rows: usize, batch: usize) -> Range<usize> {
        let batches = rows.div_ceil(batch);
        // Not `index * batches / count`, which may overflow.
        let (size, more) = (batches / self.count, batches % self.count);
        let start = self.index * size + self.index.min(more);
        let end = start + size + usize::from(self.index < more);
        (start * batch).min(rows)..(end * batch).min(rows)
    }

    /// The number of this part.
    #[must_use]
    pub fn index(self) -> usize {
        self.index
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_all_rows_once() {
        for (count, batch) in (1..9).flat_map(|count| [1, 2, 5, 20].map(|batch| (count, batch))) {
            let parts = (0..count).map(|index| Shard { index, count }.rows(13, batch));
            assert!(parts.clone().all(|part| part.start % batch == 0 || part.is_empty()), "{count} {batch}");
            assert_eq!(parts.flatten().collect::<Vec<_>>(), (0..13).collect::<Vec<_>>(), "{count} {batch}");
        }
    }

    #[test]
    fn a_part_is_written_as_i_of_n() {
        let shard: Shard = "2/8".parse().unwrap();
        assert_eq!((shard.index(), shard.to_string()), (2, "2/8".to_owned()));
        for bad in ["8/8", "1", "a/2", "-1/2", "0/0"] {
            assert!(bad.parse::<Shard>().is_err(), "{bad}");
        }
    }
}
