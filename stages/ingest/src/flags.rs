//! What is odd about an image: told in the manifest, dropped by nobody but the user.

/// Images with a side below this are icons and thumbnails.
const TINY: u32 = 16;
/// Images so many times longer than wide are strips: localisers of another kind, colour bars, line scans.
const LONG: u32 = 8;

/// The flags of an image: a bit for each of [`ALL`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Flags(u8);

impl Flags {
    /// Sets a flag, or takes it away.
    pub fn set(&mut self, flag: &str, is: bool) {
        let bit = ALL.into_iter().position(|known| known == flag).map_or(0, |at| 1 << at);
        self.0 = if is { self.0 | bit } else { self.0 & !bit };
    }

    /// Those that are set, in the order that the manifest lists them in.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        ALL.into_iter().enumerate().filter(move |(at, _)| self.0 & (1 << at) != 0).map(|(_, flag)| flag)
    }

    /// The flags as the manifest lists them.
    pub fn parse(listed: &str) -> Self {
        let mut flags = Self::default();
        listed.split(',').for_each(|flag| flags.set(flag, true));
        flags
    }
}

/// The flags of an image by itself; `blank`: its source has one value.
pub(crate) fn of((width, height): (u32, u32), blank: bool) -> Flags {
    let (short, long) = (width.min(height), width.max(height));
    let mut flags = Flags::default();
    for (is, flag) in [(blank, "blank"), (short < TINY, "tiny"), (long > LONG * short, "long")] {
        flags.set(flag, is);
    }
    flags
}

/// An image with the pixels of an earlier one.
pub(crate) const DUPLICATE: &str = "duplicate";
/// Every flag there is.
const ALL: [&str; 6] = ["blank", "tiny", "long", "overlay", "mosaic", DUPLICATE];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_images_are_told() {
        let of = |width, height, blank| of((width, height), blank).names().collect::<Vec<_>>();
        assert!(of(64, 500, false).is_empty());
        assert_eq!(of(64, 513, false), ["long"]);
        assert_eq!(of(15, 64, true), ["blank", "tiny"]);
        let flags = Flags::parse("tiny,overlay");
        assert_eq!(flags.names().collect::<Vec<_>>(), ["tiny", "overlay"]);
    }
}
