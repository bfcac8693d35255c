//! Element headers, and how they are written where a file mixes explicit and implicit VR (PS3.5 7.1).
//!
//! What the file meta group says of the whole is a hint: each element shows by itself whether its kind is written.

use dicom_core::VR;
use dicom_core::dictionary::DataDictionary;
use dicom_object::{StandardDataDictionary, Tag};

/// A length field that says "up to the delimiter".
pub(super) const UNDEFINED: u32 = u32::MAX;
/// Item (PS3.5 7.5).
pub(super) const ITEM: Tag = Tag(0xFFFE, 0xE000);
/// Item Delimitation Item.
pub(super) const ITEM_END: Tag = Tag(0xFFFE, 0xE00D);
/// Sequence Delimitation Item.
pub(super) const SEQUENCE_END: Tag = Tag(0xFFFE, 0xE0DD);
/// Bytes of the longest header.
pub(super) const LONGEST: usize = 12;
/// How far to look for the next element in order to tell how this one is written.
pub(super) const WINDOW: usize = 1 << 16;

/// How the headers around are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    /// The kind (VR) is written in each header.
    pub explicit: bool,
    /// Numbers have their higher byte first.
    pub big: bool,
}

/// The header of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Element {
    /// Its tag.
    pub tag: Tag,
    /// Its kind, where it is written and known.
    pub vr: Option<VR>,
    /// Bytes of its value, or [`UNDEFINED`].
    pub length: u32,
    /// Bytes of the header.
    pub header: usize,
    /// Whether the header has a kind, known or not.
    pub explicit: bool,
}

pub(super) fn short(bytes: &[u8], at: usize, big: bool) -> Option<u16> {
    let two = [*bytes.get(at)?, *bytes.get(at + 1)?];
    Some(if big { u16::from_be_bytes(two) } else { u16::from_le_bytes(two) })
}

pub(super) fn long(bytes: &[u8], at: usize, big: bool) -> Option<u32> {
    let four = [*bytes.get(at)?, *bytes.get(at + 1)?, *bytes.get(at + 2)?, *bytes.get(at + 3)?];
    Some(if big { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) })
}

/// The tag that `bytes` starts with.
pub(super) fn tag(bytes: &[u8], big: bool) -> Option<Tag> {
    Some(Tag(short(bytes, 0, big)?, short(bytes, 2, big)?))
}

/// True for a kind whose length has 32 bits, after two that are reserved (PS3.5 7.1.2).
fn is_long(vr: VR) -> bool {
    use VR::{OB, OD, OF, OL, OV, OW, SQ, SV, UC, UN, UR, UT, UV};
    matches!(vr, OB | OD | OF | OL | OV | OW | SQ | SV | UC | UN | UR | UT | UV)
}

impl Element {
    /// The header that `bytes` starts with, written with its kind; none where that is no known kind.
    pub fn explicit(bytes: &[u8], big: bool) -> Option<Self> {
        let vr = VR::from_binary([*bytes.get(4)?, *bytes.get(5)?])?;
        let one = if is_long(vr) { Self::wide(bytes, big) } else { Self::narrow(bytes, big) };
        one.map(|one| Self { vr: Some(vr), ..one })
    }

    /// The header that `bytes` starts with, written without its kind.
    pub fn implicit(bytes: &[u8], big: bool) -> Option<Self> {
        Some(Self { tag: tag(bytes, big)?, vr: None, length: long(bytes, 4, big)?, header: 8, explicit: false })
    }

    /// With any two letters for a kind, and 16 bits of length.
    fn narrow(bytes: &[u8], big: bool) -> Option<Self> {
        let length = short(bytes, 6, big)?.into();
        Some(Self { tag: tag(bytes, big)?, vr: None, length, header: 8, explicit: true })
    }

    /// With any two letters for a kind, and 32 bits of length.
    fn wide(bytes: &[u8], big: bool) -> Option<Self> {
        Some(Self { tag: tag(bytes, big)?, vr: None, length: long(bytes, 8, big)?, header: 12, explicit: true })
    }

    /// The header in the form of those before it, where it cannot be of another; else it takes a look at what follows.
    pub fn certain(bytes: &[u8], form: Form) -> Option<Self> {
        match Self::explicit(bytes, form.big) {
            Some(explicit) => form.explicit.then_some(explicit),
            None if form.explicit || form.big => None,
            None => Self::implicit(bytes, form.big),
        }
    }

    /// The reading of a header, of all possible ones, behind which the next element follows best; none where nothing
    /// does. `window` is the look ahead, `left` what may still come.
    pub fn likely(window: &[u8], form: Form, left: u64) -> Option<Self> {
        let big = form.big;
        let explicit = Self::explicit(window, big);
        let readings = match explicit {
            Some(_) => [Self::implicit(window, big), explicit, None],
            // Kinds to come are written like UN (PS3.5 6.2.2, note), others are what faulty writers made of CS and the like.
            None => [Self::implicit(window, big), Self::wide(window, big), Self::narrow(window, big)],
        };
        let mut best: Option<(u8, Self)> = None;
        for reading in readings.into_iter().flatten() {
            let fit = reading.fit(window, big, left);
            if fit > best.map_or(0, |best| best.0) {
                best = Some((fit, reading));
            }
        }
        best.map(|best| best.1)
    }

    /// How well an element of this length fits: 0 not at all, 1 as far as can be seen, 2 with another behind it.
    fn fit(&self, window: &[u8], big: bool, left: u64) -> u8 {
        if self.length == UNDEFINED {
            let content = window.get(self.header..).and_then(|content| tag(content, big));
            return if matches!(content, Some(ITEM | SEQUENCE_END)) { 2 } else { u8::from(self.tag.0 == 0x7FE0) };
        }
        let after = self.header as u64 + u64::from(self.length);
        match after.cmp(&left) {
            std::cmp::Ordering::Greater => 0,
            std::cmp::Ordering::Equal => 2,
            std::cmp::Ordering::Less => match window.get(after as usize..).filter(|rest| rest.len() >= LONGEST) {
                Some(next) if self.is_followed_by(next, big, left - after) => 2,
                // Elements out of their order.
                Some(next) if is_known(next, big, left - after) => 1,
                // Anything may follow the pixels.
                Some(_) => u8::from(self.tag.0 >= 0x7FE0),
                None => 1,
            },
        }
    }

    /// True where the header at `next` may be that of the element behind this one.
    pub fn is_followed_by(&self, next: &[u8], big: bool, left: u64) -> bool {
        let fits = |next: &Self| next.length == UNDEFINED || u64::from(next.length) + next.header as u64 <= left;
        let Some(implicit) = Self::implicit(next, big) else { return false };
        if implicit.tag.0 == 0xFFFE {
            return matches!(implicit.tag, ITEM | ITEM_END | SEQUENCE_END);
        }
        let known = implicit.tag.0 % 2 == 1 || StandardDataDictionary.by_tag(implicit.tag).is_some();
        implicit.tag > self.tag
            && (Self::explicit(next, big).is_some_and(|next| fits(&next)) || (known && fits(&implicit)))
    }
}

/// True where the header at `next` is that of an attribute of the standard.
fn is_known(next: &[u8], big: bool, left: u64) -> bool {
    let written = Element::explicit(next, big).or_else(|| Element::implicit(next, big));
    written.is_some_and(|next| {
        let fits = next.length == UNDEFINED || u64::from(next.length) + next.header as u64 <= left;
        fits && next.tag.0 > 2 && StandardDataDictionary.by_tag(next.tag).is_some()
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const LITTLE: Form = Form { explicit: true, big: false };
    const IMPLICIT: Form = Form { explicit: false, big: false };

    #[test]
    fn a_header_in_the_other_form_is_known_by_what_follows() {
        let implicit = b"\x28\0\x10\0\x02\0\0\0\x40\0\x28\0\x11\0\x02\0\0\0\x40\0\x28\0\x12\0\0\0\0\0";
        assert_eq!(Element::certain(implicit, LITTLE), None);
        let rows = Element::likely(implicit, LITTLE, 99).unwrap();
        assert_eq!((rows.tag, rows.length, rows.header), (Tag(0x28, 0x10), 2, 8));
        let explicit = b"\x28\0\x10\0US\x02\0\x40\0\x28\0\x11\0US\x02\0\x40\0\x28\0\x12\0\0\0\0\0";
        assert_eq!(Element::certain(explicit, IMPLICIT), None);
        assert_eq!(Element::likely(explicit, IMPLICIT, 1 << 30).unwrap().vr, Some(VR::US));
    }

    #[test]
    fn kinds_that_nobody_knows_are_passed_over() {
        let narrow = b"\x28\0\x10\0ZZ\x02\0\x40\0\x28\0\x11\0US\x02\0\x40\0\x28\0\x12\0\0\0\0\0";
        assert_eq!(Element::likely(narrow, LITTLE, 99).unwrap().header, 8);
        let wide = b"\x28\0\x10\0ZZ\0\0\x02\0\0\0\x40\0\x28\0\x11\0US\x02\0\x40\0\x28\0\x12\0\0\0\0\0";
        assert_eq!(Element::likely(wide, LITTLE, 99).unwrap().header, 12);
        assert_eq!(Element::likely(b"\x28\0\x10\0\xff\xff\xff\x00\x40\0\x28\0\x11\0US\x02\0\x40\0", LITTLE, 99), None);
    }

    #[test]
    fn a_length_that_looks_like_a_kind_is_a_length_where_the_next_element_says_so() {
        // 16708 bytes: "DA\0\0".
        let mut bytes = b"\x08\0\x81\0DA\0\0".to_vec();
        bytes.extend([b'x'; 16_708]);
        bytes.extend(b"\x10\0\x10\0\x02\0\0\0A \x10\0\x20\0\0\0\0\0");
        assert_eq!(Element::likely(&bytes, IMPLICIT, bytes.len() as u64).unwrap().length, 16_708);
    }
}
