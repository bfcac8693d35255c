//! Voxel types of NIfTI and their values as f32.

use crate::raster::luminance;
use crate::reject::Reject;

/// The type of a voxel (datatype codes of nifti1.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F32,
    F64,
    /// Pairs of f32: their magnitude counts.
    Complex32,
    /// Pairs of f64: their magnitude counts.
    Complex64,
    /// Three bytes: their brightness counts.
    Rgb,
    /// Four bytes; alpha is left out.
    Rgba,
}

impl Kind {
    /// The kind of a datatype code.
    pub fn of(code: i16) -> Result<Self, Reject> {
        Ok(match code {
            2 => Self::U8,
            4 => Self::I16,
            8 => Self::I32,
            16 => Self::F32,
            32 => Self::Complex32,
            64 => Self::F64,
            128 => Self::Rgb,
            256 => Self::I8,
            512 => Self::U16,
            768 => Self::U32,
            1024 => Self::I64,
            1280 => Self::U64,
            1792 => Self::Complex64,
            2304 => Self::Rgba,
            1 | 1536 | 2048 => return Err(Reject::unsupported(format!("NIfTI voxels of datatype {code}"))),
            _ => return Err(Reject::unreadable(format!("NIfTI datatype {code} does not exist"))),
        })
    }

    /// Bytes of a voxel.
    pub fn bytes(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 => 2,
            Self::Rgb => 3,
            Self::U32 | Self::I32 | Self::F32 | Self::Rgba => 4,
            Self::U64 | Self::I64 | Self::F64 | Self::Complex32 => 8,
            Self::Complex64 => 16,
        }
    }

    /// Appends the values of the `count` voxels that lie `stride` voxels apart from voxel `first` of `bytes` on.
    pub fn gather(
        self,
        bytes: &[u8],
        big_endian: bool,
        (first, stride, count): (usize, usize, usize),
        into: &mut Vec<f32>,
    ) {
        // Within bytes by construction; no pixel is better than a panic if not.
        let from = |size: usize| bytes.get(first * size..).unwrap_or_default();
        // The type is decided once for all of them.
        macro_rules! each {
            ($size:expr, $value:expr) => {
                if stride == 1 {
                    into.extend(from($size).chunks_exact($size).take(count).map($value))
                } else {
                    into.extend(
                        from($size)
                            .chunks($size * stride)
                            .take(count)
                            .map(|step| step.get(..$size).map_or(f32::NAN, $value)),
                    )
                }
            };
        }
        macro_rules! number {
            ($type:ty, $bytes:expr) => {{
                let mut bytes = [0; size_of::<$type>()];
                bytes.copy_from_slice($bytes);
                if big_endian { <$type>::from_be_bytes(bytes) } else { <$type>::from_le_bytes(bytes) }
            }};
        }
        match self {
            Self::U8 => each!(1, |voxel: &[u8]| f32::from(voxel[0])),
            Self::I8 => each!(1, |voxel: &[u8]| f32::from(voxel[0] as i8)),
            Self::U16 => each!(2, |voxel: &[u8]| f32::from(number!(u16, voxel))),
            Self::I16 => each!(2, |voxel: &[u8]| f32::from(number!(i16, voxel))),
            Self::U32 => each!(4, |voxel: &[u8]| number!(u32, voxel) as f32),
            Self::I32 => each!(4, |voxel: &[u8]| number!(i32, voxel) as f32),
            Self::U64 => each!(8, |voxel: &[u8]| number!(u64, voxel) as f32),
            Self::I64 => each!(8, |voxel: &[u8]| number!(i64, voxel) as f32),
            Self::F32 => each!(4, |voxel: &[u8]| number!(f32, voxel)),
            Self::F64 => each!(8, |voxel: &[u8]| number!(f64, voxel) as f32),
            Self::Complex32 => each!(8, |voxel: &[u8]| number!(f32, &voxel[..4]).hypot(number!(f32, &voxel[4..]))),
            Self::Complex64 => {
                each!(16, |voxel: &[u8]| number!(f64, &voxel[..8]).hypot(number!(f64, &voxel[8..])) as f32)
            }
            Self::Rgb => each!(3, |voxel: &[u8]| f32::from(luminance(voxel[0], voxel[1], voxel[2]))),
            Self::Rgba => each!(4, |voxel: &[u8]| f32::from(luminance(voxel[0], voxel[1], voxel[2]))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_in_either_byte_order() {
        let value = |kind: Kind, bytes: &[u8], big_endian| {
            let mut values = Vec::new();
            kind.gather(bytes, big_endian, (0, 1, 1), &mut values);
            values.first().copied()
        };
        assert_eq!(value(Kind::I16, &[0xfe, 0xff], false), Some(-2.0));
        assert_eq!(value(Kind::I16, &[0xff, 0xfe], true), Some(-2.0));
        assert_eq!(value(Kind::F32, &1.5_f32.to_be_bytes(), true), Some(1.5));
        assert_eq!(value(Kind::U64, &7_u64.to_le_bytes(), false), Some(7.0));
        assert_eq!(value(Kind::U64, &[0; 7], false), None);
        let mut every_second = Vec::new();
        Kind::U8.gather(&[1, 2, 3, 4, 5, 6], false, (1, 2, 3), &mut every_second);
        assert_eq!(every_second, [2.0, 4.0, 6.0]);
        let mut pair = 3.0_f32.to_le_bytes().to_vec();
        pair.extend(4.0_f32.to_le_bytes());
        assert_eq!(value(Kind::Complex32, &pair, false), Some(5.0));
        assert_eq!(value(Kind::Rgb, &[9, 9, 9], false), Some(9.0));
    }

    #[test]
    fn codes_that_do_not_exist_are_refused() {
        assert!(Kind::of(-9510).is_err());
        assert!(Kind::of(1536).is_err());
    }
}
