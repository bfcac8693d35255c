//! The header of a NIfTI-1 (348 bytes, by the nifti crate) or NIfTI-2 (540 bytes) file: only what slices need.
//!
//! <https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h> and nifti2.h.

use std::io::Read;

use nifti::{Endianness, NiftiHeader};

use super::voxels::Kind;
use crate::reject::{Reason, Reject};

const SIZE_1: usize = 348;
const SIZE_2: usize = 540;

/// What a header says of its voxels.
#[derive(Debug, Clone)]
pub(super) struct Header {
    /// Voxels along each of the seven axes; 1 where there is no such axis.
    pub dims: [u64; 7],
    /// Type of a voxel.
    pub kind: Kind,
    /// Byte order of header and voxels.
    pub big_endian: bool,
    /// Bytes of this header.
    pub size: u64,
    /// Where the voxels start in their file.
    pub offset: u64,
    /// scl_slope.
    pub slope: f64,
    /// scl_inter.
    pub intercept: f64,
    /// cal_min and cal_max: the intensities to show black and white; none where they are not said.
    pub window: Option<(f64, f64)>,
    /// True where the voxels are in a file of their own.
    pub pair: bool,
    /// Columns of the 3 x 3 part of the affine: mm to the patient's right, anterior, superior for a step along
    /// each axis.
    pub steps: [[f64; 3]; 3],
}

/// True for the first bytes of a NIfTI file.
pub(crate) fn is_header(head: &[u8]) -> bool {
    let at = |place: usize| head.get(place..place + 4);
    matches!(at(344), Some(b"n+1\0" | b"ni1\0")) || matches!(at(4), Some(b"n+2\0" | b"ni2\0"))
}

/// True for the first bytes of a header of a kind that came before NIfTI: 348 bytes, sizes that can be, no magic.
pub(crate) fn is_analyze(head: &[u8]) -> bool {
    let short = |place: usize, big: bool| {
        let two = head.get(place..place + 2).and_then(|two| two.try_into().ok()).unwrap_or_default();
        if big { i16::from_be_bytes(two) } else { i16::from_le_bytes(two) }
    };
    let is = |big| (1..=7).contains(&short(40, big)) && (0..4).all(|axis| short(42 + 2 * axis, big) >= 0);
    head.len() >= SIZE_1 && starts(head).is_some_and(|(size, big)| size == SIZE_1 && is(big))
}

/// True for the first bytes of a header that ends before its magic.
pub(crate) fn is_cut(head: &[u8]) -> bool {
    // NIfTI-2 has its magic at the start.
    starts(head).is_some_and(|(size, _)| head.len() < size && size == SIZE_1)
}

/// The size that a header says it has, and whether in big endian.
fn starts(head: &[u8]) -> Option<(usize, bool)> {
    let four: [u8; 4] = head.get(..4)?.try_into().ok()?;
    let sizes = [(SIZE_1, false), (SIZE_1, true), (SIZE_2, false), (SIZE_2, true)];
    let bytes =
        |(size, big): (usize, bool)| if big { (size as u32).to_be_bytes() } else { (size as u32).to_le_bytes() };
    sizes.into_iter().find(|&said| bytes(said) == four)
}

/// Reads a header and checks what can be checked without the voxels.
pub(super) fn read_header(reader: &mut dyn Read) -> Result<Header, Reject> {
    let mut head = vec![0; SIZE_1];
    read_exact(reader, &mut head)?;
    let second = matches!(head.get(4..8), Some(b"n+2\0" | b"ni2\0"));
    if second {
        head.resize(SIZE_2, 0);
        read_exact(reader, &mut head[SIZE_1..])?;
        nifti_2(&head)
    } else {
        nifti_1(&head)
    }
}

fn read_exact(reader: &mut dyn Read, into: &mut [u8]) -> Result<(), Reject> {
    reader.read_exact(into).map_err(|error| Reject::from_io(&error, "the NIfTI header cannot be read"))
}

fn nifti_1(head: &[u8]) -> Result<Header, Reject> {
    let h = NiftiHeader::from_reader(head).map_err(|_| Reject::unreadable("the NIfTI header is damaged"))?;
    // Signed 16-bit numbers in the file: a negative one becomes too large here and is refused.
    let dims = h.dim.map(|dim| if dim > i16::MAX as u16 { -1 } else { i64::from(dim) });
    let pixdim = h.pixdim.map(f64::from);
    let quaternion = [h.quatern_b, h.quatern_c, h.quatern_d].map(f64::from);
    let rows = [h.srow_x, h.srow_y, h.srow_z].map(|row| row.map(f64::from));
    Ok(Header {
        dims: check_dims(dims)?,
        kind: Kind::of(h.datatype)?,
        big_endian: h.endianness == Endianness::Big,
        size: SIZE_1 as u64,
        offset: offset(f64::from(h.vox_offset), h.magic == *b"ni1\0", SIZE_1),
        slope: f64::from(h.scl_slope),
        intercept: f64::from(h.scl_inter),
        window: display_range(f64::from(h.cal_min), f64::from(h.cal_max)),
        pair: h.magic == *b"ni1\0",
        steps: steps(h.sform_code.into(), h.qform_code.into(), rows, quaternion, pixdim, h.xyzt_units),
    })
}

fn nifti_2(head: &[u8]) -> Result<Header, Reject> {
    let big_endian = head.starts_with(&[0, 0, 2, 28]); // sizeof_hdr = 540
    let bytes = |at: usize| -> [u8; 8] {
        let mut eight = [0; 8];
        eight.copy_from_slice(&head[at..at + 8]);
        if big_endian {
            eight.reverse();
        }
        eight
    };
    let float = |at: usize| f64::from_le_bytes(bytes(at));
    let long = |at: usize| i64::from_le_bytes(bytes(at));
    let short = |at: usize| {
        let two = [head[at], head[at + 1]];
        if big_endian { i16::from_be_bytes(two) } else { i16::from_le_bytes(two) }
    };
    let int = |at: usize| {
        let four = [head[at], head[at + 1], head[at + 2], head[at + 3]];
        i64::from(if big_endian { i32::from_be_bytes(four) } else { i32::from_le_bytes(four) })
    };
    check_intent(int(504))?;
    let pair = head[4..8] == *b"ni2\0";
    let rows = [400, 432, 464].map(|row| [0, 8, 16, 24].map(|column| float(row + column)));
    let pixdim = std::array::from_fn(|axis| float(104 + 8 * axis));
    let units = u8::try_from(int(500)).unwrap_or(0);
    Ok(Header {
        dims: check_dims(std::array::from_fn(|axis| long(16 + 8 * axis)))?,
        kind: Kind::of(short(12))?,
        big_endian,
        size: SIZE_2 as u64,
        offset: offset(long(168) as f64, pair, SIZE_2),
        slope: float(176),
        intercept: float(184),
        window: display_range(float(200), float(192)),
        pair,
        steps: steps(int(348), int(344), rows, [352, 360, 368].map(float), pixdim, units),
    })
}

/// CIFTI matrices (intent codes 3000 to 3099) are NIfTI-2 files that hold no picture.
fn check_intent(code: i64) -> Result<(), Reject> {
    match code {
        3000..3100 => Err(Reject::new(Reason::NotAnImage, "a CIFTI matrix")),
        _ => Ok(()),
    }
}

/// dim[0] axes, each of at least one voxel.
fn check_dims(dim: [i64; 8]) -> Result<[u64; 7], Reject> {
    let bad = || Reject::unreadable(format!("impossible dimensions {dim:?}"));
    let rank = usize::try_from(dim[0]).ok().filter(|rank| (1..=7).contains(rank)).ok_or_else(bad)?;
    let mut dims = [1; 7];
    for (axis, slot) in dims.iter_mut().enumerate().take(rank) {
        let length = u64::try_from(dim[axis + 1]).ok().filter(|&length| length <= i32::MAX as u64).ok_or_else(bad)?;
        // A length of 0 after the third axis is a common way to write "none".
        *slot = match length {
            0 if axis < 2 => return Err(bad()),
            0 => 1,
            length => length,
        };
    }
    Ok(dims)
}

fn display_range(cal_min: f64, cal_max: f64) -> Option<(f64, f64)> {
    (cal_min < cal_max && cal_min.is_finite() && cal_max.is_finite()).then_some((cal_min, cal_max))
}

/// Single files keep at least four bytes of extension flags after the header.
fn offset(vox_offset: f64, pair: bool, size: usize) -> u64 {
    let least = if pair { 0 } else { size as u64 + 4 };
    // A negative number or NaN becomes 0.
    (vox_offset as u64).max(least)
}

/// The columns of the affine in mm, by sform, else qform, else the voxel sizes with x to the left (as nibabel).
fn steps(
    sform: i64,
    qform: i64,
    rows: [[f64; 4]; 3],
    quaternion: [f64; 3],
    pixdim: [f64; 8],
    units: u8,
) -> [[f64; 3]; 3] {
    // xyzt_units: 1 metre, 2 millimetre, 3 micrometre; unknown counts as millimetre.
    let unit = match units & 7 {
        1 => 1000.0,
        3 => 0.001,
        _ => 1.0,
    };
    let size = |axis: usize| match pixdim[axis + 1].abs() {
        size if size > 0.0 && size.is_finite() => size,
        _ => 1.0,
    };
    let by_sform = std::array::from_fn(|axis| std::array::from_fn(|row| rows[row][axis] * unit));
    if sform > 0 && is_basis(&by_sform) {
        return by_sform;
    }
    if qform > 0 {
        let rotation = rotation(quaternion);
        // pixdim[0] = -1: the third axis points the other way (qfac).
        let sign = |axis: usize| if axis == 2 && pixdim[0] < 0.0 { -1.0 } else { 1.0 };
        let by_qform =
            std::array::from_fn(|axis| std::array::from_fn(|row| rotation[row][axis] * size(axis) * sign(axis) * unit));
        if is_basis(&by_qform) {
            return by_qform;
        }
    }
    [[-size(0) * unit, 0.0, 0.0], [0.0, size(1) * unit, 0.0], [0.0, 0.0, size(2) * unit]]
}

/// The rotation matrix of a unit quaternion with parts b, c, d, and a >= 0 (nifti1.h, method 2).
fn rotation([b, c, d]: [f64; 3]) -> [[f64; 3]; 3] {
    let square = b * b + c * c + d * d;
    let norm = square.max(1.0).sqrt();
    let (a, b, c, d) = ((1.0 - square).max(0.0).sqrt(), b / norm, c / norm, d / norm);
    [
        [a * a + b * b - c * c - d * d, 2.0 * (b * c - a * d), 2.0 * (b * d + a * c)],
        [2.0 * (b * c + a * d), a * a + c * c - b * b - d * d, 2.0 * (c * d - a * b)],
        [2.0 * (b * d - a * c), 2.0 * (c * d + a * b), a * a + d * d - b * b - c * c],
    ]
}

/// True where three steps span space.
fn is_basis(steps: &[[f64; 3]; 3]) -> bool {
    let [u, v, w] = steps;
    let cross = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
    let volume = (cross[0] * w[0] + cross[1] * w[1] + cross[2] * w[2]).abs();
    let length = |step: &[f64; 3]| step.iter().map(|part| part * part).sum::<f64>().sqrt();
    let box_volume = length(u) * length(v) * length(w);
    volume.is_finite() && box_volume > 0.0 && volume > 1e-3 * box_volume
}

impl Header {
    /// Bytes of one frame: the first three axes.
    pub fn frame_bytes(&self) -> Result<u64, Reject> {
        self.product(0..3, self.kind.bytes() as u64)
    }

    /// Frames: every axis after the third.
    pub fn frames(&self) -> Result<u64, Reject> {
        self.product(3..7, 1)
    }

    fn product(&self, axes: std::ops::Range<usize>, start: u64) -> Result<u64, Reject> {
        self.dims[axes].iter().try_fold(start, |product, &length| product.checked_mul(length)).ok_or_else(|| {
            Reject::new(Reason::TooLarge, format!("dimensions {:?} are more than any memory", self.dims))
        })
    }
}
