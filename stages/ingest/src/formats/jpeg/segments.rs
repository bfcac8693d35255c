//! Walks the segments of a JPEG before it is decoded: what it is, and its bytes as a plain decoder wants them.
//!
//! Writers leave bytes between segments, call components as they like and say in three ways which colours they mean.
//! libjpeg, which most readers are made of, copes with all of it; this does the same, so that the decoder need not.
//! ITU-T T.81 annex B has the segments; which colours are meant is decided as in libjpeg's jdapimin.c.

use crate::reject::{Reason, Reject};

/// The colours of a JPEG's components.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colours {
    /// One component.
    Grey,
    /// Brightness and two differences.
    Ycc,
    /// Red, green, blue.
    Rgb,
    /// Inverted inks, as Adobe writes them and Pillow reads them.
    Cmyk,
    /// Inks whose first three are stored as brightness and differences.
    Ycck,
}

/// A JPEG as a decoder wants it.
#[derive(Debug)]
pub(super) struct Plain {
    /// The segments that decoding needs, with component ids that name the colours, and an end marker.
    pub bytes: Vec<u8>,
    pub colours: Colours,
    pub width: u16,
    pub height: u16,
    /// False where the file ends without the marker that says so.
    pub ended: bool,
}

/// What was read of a frame header, and of the scans so far.
#[derive(Default)]
struct Frame {
    width: u16,
    height: u16,
    progressive: bool,
    ids: Vec<u8>,
    /// For each component a bit for each coefficient that has come in full.
    complete: [u64; 4],
}

/// What application segments say of the colours.
#[derive(Default)]
struct Said {
    jfif: bool,
    /// The transform of Adobe's segment.
    adobe: Option<u8>,
}

const SOI: u8 = 0xd8;
const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;

/// Reads the segments of `bytes`, which start with a start marker.
pub(super) fn plain(bytes: &[u8]) -> Result<Plain, Reject> {
    let (mut out, mut frame, mut said) = (Vec::with_capacity(bytes.len() + 32), None::<Frame>, Said::default());
    // Where in `out` a component's id stands, and which component it is.
    let mut ids: Vec<(usize, usize)> = Vec::new();
    let (mut at, mut scans, mut ended) = (2, 0, false);
    while let Some((code, after)) = marker(bytes, at) {
        at = after;
        match code {
            EOI => {
                ended = true;
                break;
            }
            SOI | 0x01 | 0xd0..=0xd7 => continue, // no segment follows
            _ => {}
        }
        let Some(payload) = segment(bytes, at)? else { break };
        at += 2 + payload.len();
        match code {
            0xc0..=0xc2 if frame.is_some() => return Err(damaged("two frame headers")),
            0xc0..=0xc2 => {
                let new = frame_header(code, payload)?;
                copy(&mut out, code, payload);
                ids.extend((0..new.ids.len()).map(|index| (out.len() - payload.len() + 6 + 3 * index, index)));
                frame = Some(new);
            }
            0xc3 => return Err(unsupported("a lossless JPEG")),
            0xc5..=0xc7 => return Err(unsupported("a hierarchical JPEG")),
            0xc8..=0xcf if code != 0xc4 => return Err(unsupported("a JPEG with arithmetic coding")),
            0xf7 => return Err(unsupported("a JPEG-LS picture")),
            SOS => {
                let Some(frame) = &mut frame else { return Err(damaged("a scan without a frame header")) };
                copy(&mut out, code, payload);
                let start = out.len() - payload.len();
                for (index, component) in scan(frame, payload)?.into_iter().enumerate() {
                    ids.push((start + 1 + 2 * index, component));
                }
                let data = entropy_coded(bytes, at);
                out.extend_from_slice(data);
                at += data.len();
                scans += 1;
            }
            0xc4 | 0xdb | 0xdd => copy(&mut out, code, payload), // tables, restart interval
            0xe0 => {
                said.jfif |= payload.starts_with(b"JFIF\0");
                // Frames of motion JPEG leave their Huffman tables out.
                if payload.starts_with(b"AVI1") {
                    copy(&mut out, code, payload);
                }
            }
            0xee if payload.starts_with(b"Adobe") => said.adobe = payload.get(11).copied(),
            _ => {}
        }
    }
    let frame = frame.filter(|_| scans > 0);
    let frame = frame.ok_or_else(|| if ended { damaged("no picture in it") } else { truncated() })?;
    if !ended && frame.complete[..frame.ids.len()].iter().any(|&complete| complete != u64::MAX) {
        return Err(truncated());
    }
    let colours = colours(&frame.ids, &said)?;
    for (place, index) in ids {
        out[place] = match colours {
            Colours::Rgb => b"RGB"[index],
            _ => index as u8 + 1,
        };
    }
    let mut plain = vec![0xff, SOI];
    if colours == Colours::Ycck {
        plain.extend(b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\x02");
    }
    plain.append(&mut out);
    plain.extend([0xff, EOI]);
    Ok(Plain { bytes: plain, colours, width: frame.width, height: frame.height, ended })
}

/// The next marker's code and the place after it; bytes before it and fill bytes are passed over.
fn marker(bytes: &[u8], mut at: usize) -> Option<(u8, usize)> {
    loop {
        at += bytes.get(at..)?.iter().position(|&byte| byte == 0xff)?;
        at += bytes.get(at..)?.iter().position(|&byte| byte != 0xff)?;
        let code = *bytes.get(at)?;
        at += 1;
        if code != 0 {
            return Some((code, at));
        }
    }
}

/// The payload of the segment whose length stands at `at`; none where the file ends within it.
fn segment(bytes: &[u8], at: usize) -> Result<Option<&[u8]>, Reject> {
    let Some(&[high, low]) = bytes.get(at..at + 2) else { return Ok(None) };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length < 2 {
        return Err(damaged("a segment of no length"));
    }
    Ok(bytes.get(at + 2..at + length))
}

/// The entropy-coded bytes from `at` on, up to the next marker that is no restart.
fn entropy_coded(bytes: &[u8], at: usize) -> &[u8] {
    let rest = bytes.get(at..).unwrap_or_default();
    let mut from = 0;
    while let Some(found) = rest[from..].iter().position(|&byte| byte == 0xff) {
        let mark = from + found;
        let Some(fill) = rest[mark..].iter().position(|&byte| byte != 0xff) else { return &rest[..mark] };
        match rest[mark + fill] {
            0 | 0xd0..=0xd7 => from = mark + fill + 1,
            _ => return &rest[..mark],
        }
    }
    rest
}

fn copy(out: &mut Vec<u8>, code: u8, payload: &[u8]) {
    out.extend([0xff, code]);
    out.extend((payload.len() as u16 + 2).to_be_bytes()); // it came from a length of 16 bits
    out.extend_from_slice(payload);
}

fn frame_header(code: u8, payload: &[u8]) -> Result<Frame, Reject> {
    let &[bits, h1, h0, w1, w0, count, ref components @ ..] = payload else { return Err(damaged("its frame header")) };
    if bits != 8 {
        return Err(unsupported(&format!("a JPEG of {bits} bits a sample")));
    }
    let (height, width) = (u16::from_be_bytes([h1, h0]), u16::from_be_bytes([w1, w0]));
    if height == 0 {
        return Err(unsupported("a JPEG that says its height after its pixels"));
    }
    if width == 0 || components.len() != 3 * usize::from(count) {
        return Err(damaged("its frame header"));
    }
    if !matches!(count, 1 | 3 | 4) {
        return Err(unsupported(&format!("a JPEG of {count} components")));
    }
    let ids = components.iter().step_by(3).copied().collect();
    Ok(Frame { width, height, progressive: code == 0xc2, ids, complete: [0; 4] })
}

/// The components of a scan, whose coefficients are then complete as far as it brings them.
fn scan(frame: &mut Frame, payload: &[u8]) -> Result<Vec<usize>, Reject> {
    let bad = || damaged("a scan header");
    let count = usize::from(*payload.first().ok_or_else(bad)?);
    let listed = payload.get(1..1 + 2 * count).ok_or_else(bad)?;
    let &[first, last, approximation] = payload.get(1 + 2 * count..).ok_or_else(bad)? else { return Err(bad()) };
    let mut components = Vec::with_capacity(count);
    for id in listed.iter().step_by(2) {
        // Two components of one id are told apart by their order.
        let of = |&index: &usize| frame.ids[index] == *id && !components.contains(&index);
        components.push((0..frame.ids.len()).find(of).ok_or_else(bad)?);
    }
    let whole = match (frame.progressive, approximation & 15) {
        (false, _) => u64::MAX,
        (true, 0) => (first.min(63)..=last.min(63)).fold(0, |bits, place| bits | 1 << place),
        (true, _) => 0,
    };
    components.iter().for_each(|&index| frame.complete[index] |= whole);
    Ok(components)
}

fn colours(ids: &[u8], said: &Said) -> Result<Colours, Reject> {
    Ok(match (ids, said.jfif, said.adobe) {
        ([_], ..) => Colours::Grey,
        ([_, _, _], true, _) => Colours::Ycc,
        ([_, _, _], false, Some(0)) | (b"RGB", false, None) => Colours::Rgb,
        ([_, _, _], false, _) => Colours::Ycc,
        ([_, _, _, _], _, None | Some(0)) => Colours::Cmyk,
        ([_, _, _, _], _, Some(_)) => Colours::Ycck,
        _ => return Err(damaged("its frame header")),
    })
}

pub(super) fn truncated() -> Reject {
    Reject::new(Reason::Truncated, "the JPEG ends before its picture does")
}

fn damaged(what: &str) -> Reject {
    Reject::unreadable(format!("the JPEG is damaged: {what}"))
}

fn unsupported(what: &str) -> Reject {
    Reject::unsupported(format!("{what}: convert it to PNG"))
}
