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

    /// The value of a voxel of `self.bytes()` bytes.
    pub fn value(self, voxel: &[u8], big_endian: bool) -> f32 {
        macro_rules! number {
            ($type:ty, $bytes:expr) => {{
                let mut bytes = [0; size_of::<$type>()];
                bytes.copy_from_slice($bytes);
                if big_endian { <$type>::from_be_bytes(bytes) } else { <$type>::from_le_bytes(bytes) }
            }};
        }
        match self {
            Self::U8 => f32::from(voxel[0]),
            Self::I8 => f32::from(voxel[0] as i8),
            Self::U16 => f32::from(number!(u16, voxel)),
            Self::I16 => f32::from(number!(i16, voxel)),
            Self::U32 => number!(u32, voxel) as f32,
            Self::I32 => number!(i32, voxel) as f32,
            Self::U64 => number!(u64, voxel) as f32,
            Self::I64 => number!(i64, voxel) as f32,
            Self::F32 => number!(f32, voxel),
            Self::F64 => number!(f64, voxel) as f32,
            Self::Complex32 => number!(f32, &voxel[..4]).hypot(number!(f32, &voxel[4..])),
            Self::Complex64 => number!(f64, &voxel[..8]).hypot(number!(f64, &voxel[8..])) as f32,
            Self::Rgb | Self::Rgba => f32::from(luminance(voxel[0], voxel[1], voxel[2])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_in_either_byte_order() {
        assert_eq!(Kind::I16.value(&[0xfe, 0xff], false), -2.0);
        assert_eq!(Kind::I16.value(&[0xff, 0xfe], true), -2.0);
        assert_eq!(Kind::F32.value(&1.5_f32.to_be_bytes(), true), 1.5);
        assert_eq!(Kind::U64.value(&7_u64.to_le_bytes(), false), 7.0);
        let mut pair = 3.0_f32.to_le_bytes().to_vec();
        pair.extend(4.0_f32.to_le_bytes());
        assert_eq!(Kind::Complex32.value(&pair, false), 5.0);
        assert_eq!(Kind::Rgb.value(&[9, 9, 9], false), 9.0);
    }

    #[test]
    fn codes_that_do_not_exist_are_refused() {
        assert!(Kind::of(-9510).is_err());
        assert!(Kind::of(1536).is_err());
    }
}
