//! A square grey image and the filters the phantom needs.

use crate::random::Draw;

/// `size` x `size` pixels, row by row from the top left; 1 is white.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    /// Side, in pixels.
    pub size: usize,
    /// `[size * size]`, row-major.
    pub pixels: Vec<f32>,
}

impl Image {
    /// An image from a function of (column, row).
    #[must_use]
    pub fn from_fn(size: usize, mut value: impl FnMut(usize, usize) -> f32) -> Self {
        let pixels = (0..size * size).map(|index| value(index % size, index / size)).collect();
        Self { size, pixels }
    }

    /// Every pixel with a function of its place, both coordinates in [-1, 1].
    pub fn shade(&mut self, mut value: impl FnMut(f32, f32, f32) -> f32) {
        let size = self.size;
        let at = |index: usize| (2.0 * index as f32 + 1.0) / size as f32 - 1.0;
        for (index, pixel) in self.pixels.iter_mut().enumerate() {
            *pixel = value(at(index % size), at(index / size), *pixel);
        }
    }

    /// Convolved with a Gaussian of standard deviation `sigma` pixels; the edge pixel goes on
    /// beyond the edge.
    #[must_use]
    pub fn blurred(&self, sigma: f32) -> Self {
        let half = (3.0 * sigma).ceil() as usize;
        if half == 0 {
            return self.clone();
        }
        let mut kernel: Vec<f32> = (0..=2 * half)
            .map(|tap| {
                let distance = (tap as f32 - half as f32) / sigma;
                (-0.5 * distance * distance).exp()
            })
            .collect();
        let sum: f32 = kernel.iter().sum();
        kernel.iter_mut().for_each(|tap| *tap /= sum);
        // each pass convolves rows and transposes, so two passes do both directions
        self.convolved_transposed(&kernel).convolved_transposed(&kernel)
    }

    fn convolved_transposed(&self, kernel: &[f32]) -> Self {
        let size = self.size;
        let half = kernel.len() / 2;
        let mut out = vec![0.0; size * size];
        let mut padded = vec![0.0; size + 2 * half];
        let mut sums = vec![0.0; size];
        for (row, line) in self.pixels.chunks_exact(size).enumerate() {
            padded[..half].fill(line[0]);
            padded[half..half + size].copy_from_slice(line);
            padded[half + size..].fill(line[size - 1]);
            sums.fill(0.0);
            // tap by tap over the whole line: this order becomes vector instructions
            for (tap, weight) in kernel.iter().enumerate() {
                for (sum, value) in sums.iter_mut().zip(&padded[tap..tap + size]) {
                    *sum += weight * value;
                }
            }
            for (column, sum) in sums.iter().enumerate() {
                out[column * size + row] = *sum;
            }
        }
        Self { size, pixels: out }
    }

    /// Length of the gradient by central differences, per pixel.
    #[must_use]
    pub fn gradient(&self) -> Self {
        let last = self.size - 1;
        let at = |column: usize, row: usize| self.pixels[row * self.size + column];
        Self::from_fn(self.size, |column, row| {
            let x = at((column + 1).min(last), row) - at(column.saturating_sub(1), row);
            let y = at(column, (row + 1).min(last)) - at(column, row.saturating_sub(1));
            0.5 * x.hypot(y)
        })
    }

    /// Smooth noise of mean 0 and standard deviation 1 that varies over `sigma` pixels.
    #[must_use]
    pub fn texture(rng: &mut impl Draw, size: usize, sigma: f32) -> Self {
        let white = Self::from_fn(size, |_, _| rng.normal(0.0, 1.0));
        let mut smooth = white.blurred(sigma);
        let count = smooth.pixels.len() as f32;
        let mean = smooth.pixels.iter().sum::<f32>() / count;
        let square = |p: &f32| (p - mean) * (p - mean);
        let sd = (smooth.pixels.iter().map(square).sum::<f32>() / count).sqrt();
        let scale = 1.0 / sd.max(1e-6);
        for pixel in &mut smooth.pixels {
            *pixel = (*pixel - mean) * scale;
        }
        smooth
    }

    /// The value that `percent` of the pixels do not exceed.
    #[must_use]
    pub fn percentile(&self, percent: f32) -> f32 {
        let mut sorted = self.pixels.clone();
        let index = (percent / 100.0 * (sorted.len() - 1) as f32).round() as usize;
        let index = index.min(sorted.len() - 1);
        *sorted.select_nth_unstable_by(index, f32::total_cmp).1
    }

    /// 8-bit grey, 1.0 as 255.
    #[must_use]
    pub fn to_u8(&self) -> Vec<u8> {
        let level = |p: &f32| (p.clamp(0.0, 1.0) * 255.0).round() as u8;
        self.pixels.iter().map(level).collect()
    }

    /// 12-bit grey, 1.0 as 4095: what scanners store.
    #[must_use]
    pub fn to_u12(&self) -> Vec<u16> {
        let level = |p: &f32| (p.clamp(0.0, 1.0) * 4095.0).round() as u16;
        self.pixels.iter().map(level).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blur_keeps_a_constant_and_the_sum_of_a_dot() {
        let flat = Image::from_fn(20, |_, _| 0.5).blurred(2.0);
        assert!(flat.pixels.iter().all(|p| (p - 0.5).abs() < 1e-5));
        let dot = Image::from_fn(21, |x, y| f32::from(x == 10 && y == 10)).blurred(1.5);
        assert!((dot.pixels.iter().sum::<f32>() - 1.0).abs() < 1e-4);
        assert_eq!(dot.pixels[10 * 21 + 8], dot.pixels[8 * 21 + 10]);
    }

    #[test]
    fn percentile_counts_pixels() {
        let ramp = Image::from_fn(10, |x, y| (10 * y + x) as f32);
        assert_eq!(ramp.percentile(0.0), 0.0);
        assert_eq!(ramp.percentile(100.0), 99.0);
    }
}
