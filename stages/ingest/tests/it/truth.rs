//! The right pixels of odd cases (`../shared/data/odd-cases`): numpy archives, against the PNGs that were made.

use std::io::Read;
use std::path::Path;

use crate::support::Dataset;

/// An array of numbers as numpy saved it.
pub struct Truth {
    pub shape: Vec<usize>,
    pub values: Vec<f64>,
}

impl Truth {
    /// Reads `arr_0` of an `.npz` file.
    pub fn read(path: &Path) -> Self {
        let mut archive = zip::ZipArchive::new(fs_err::File::open(path).unwrap()).unwrap();
        let mut npy = Vec::new();
        archive.by_name("arr_0.npy").unwrap().read_to_end(&mut npy).unwrap();
        Self::parse(&npy)
    }

    /// Numpy's format 1.0: magic bytes, two of version, the length of a header that is a Python dictionary, values.
    fn parse(npy: &[u8]) -> Self {
        assert!(npy.starts_with(b"\x93NUMPY\x01\x00"));
        let (header, values) = npy[10..].split_at(usize::from(u16::from_le_bytes([npy[8], npy[9]])));
        let header = std::str::from_utf8(header).unwrap();
        assert!(header.contains("'fortran_order': False"), "{header}");
        let between =
            |start: &str, end: &str| header.split_once(start).unwrap().1.split_once(end).unwrap().0.to_owned();
        let shape = between("'shape': (", ")");
        let shape: Vec<usize> = shape.split(',').filter_map(|size| size.trim().parse().ok()).collect();
        let values: Vec<f64> = match between("'descr': '", "'").as_str() {
            "|u1" => values.iter().map(|&byte| byte.into()).collect(),
            "<u2" => values.as_chunks().0.iter().map(|&two| u16::from_le_bytes(two).into()).collect(),
            "<i2" => values.as_chunks().0.iter().map(|&two| i16::from_le_bytes(two).into()).collect(),
            "<f4" => values.as_chunks().0.iter().map(|&four| f32::from_le_bytes(four).into()).collect(),
            "<f8" => values.as_chunks().0.iter().map(|&eight| f64::from_le_bytes(eight)).collect(),
            other => panic!("numbers of kind {other}"),
        };
        assert_eq!(values.len(), shape.iter().product::<usize>());
        Self { shape, values }
    }

    /// The same as intensities, where the file has a RescaleSlope and RescaleIntercept: the window is in these.
    #[allow(dead_code, reason = "not every case has a slope")]
    pub fn rescaled(self, slope: f64, intercept: f64) -> Self {
        Self { values: self.values.iter().map(|value| value * slope + intercept).collect(), ..self }
    }

    /// Fails where the PNG of `row` is not this picture under the window in the manifest, but for `tolerance` levels.
    /// Where the truth is NaN anything goes.
    pub fn check(&self, dataset: &Dataset, row: usize, tolerance: f64) {
        let what = &dataset.sources.source[row];
        let size = [dataset.manifest.height[row] as usize, dataset.manifest.width[row] as usize];
        assert_eq!(size[..], self.shape[..], "{what}: rows and columns");
        let (low, high) = (dataset.manifest.window_low[row].into(), dataset.manifest.window_high[row].into());
        let levels = dataset.levels(row);
        assert_eq!(levels.len(), self.values.len(), "{what}: 8 bits a pixel");
        let (least, most) = (levels.iter().min().unwrap(), levels.iter().max().unwrap());
        // A window far from the values would make any two pictures equal.
        assert!(most - least > 64, "{what}: levels {least} to {most}");
        for (pixel, (&level, &value)) in levels.iter().zip(&self.values).enumerate() {
            let right = level_of(value, low, high);
            let off = (f64::from(level) - right).abs();
            assert!(value.is_nan() || off <= tolerance, "{what}: pixel {pixel} is {level}, not {right:.1} ({value})");
        }
    }
}

/// The exact level of an intensity under a window; MONOCHROME1 has one whose low bound is above its high one.
fn level_of(value: f64, low: f64, high: f64) -> f64 {
    ((value - low) / (high - low)).clamp(0.0, 1.0) * 255.0
}

/// Compares each image of a case with its truth in `folder`: `NAME.npz`, or `NAME@FRAME.npz` where a file has several
/// images, with `__` for `/`. Gives the number of images.
pub fn check(dataset: &Dataset, folder: &Path, tolerance: f64) -> usize {
    // Images come first in the sources, in their order.
    let images = dataset.manifest.image_id.len();
    for row in 0..images {
        let member = dataset.sources.member[row].as_ref();
        let name = member.unwrap_or(&dataset.sources.source[row]).replace('/', "__");
        let frame = folder.join(format!("{name}@{}.npz", dataset.sources.frame[row]));
        let path = if frame.exists() { frame } else { folder.join(format!("{name}.npz")) };
        Truth::read(&path).check(dataset, row, tolerance);
    }
    images
}

#[test]
fn another_picture_is_noticed() {
    assert_eq!(level_of(5.0, 0.0, 10.0), 127.5);
    assert_eq!(level_of(7.5, 10.0, 0.0), 63.75);
    let mut npy = b"\x93NUMPY\x01\x00\x3c\x00{'descr': '<u2', 'fortran_order': False, 'shape': (1, 2), } \n".to_vec();
    npy[8] = (npy.len() - 10) as u8;
    npy.extend([1, 0, 0, 2]);
    let truth = Truth::parse(&npy);
    assert_eq!((truth.shape, truth.values), (vec![1, 2], vec![1.0, 512.0]));
}
