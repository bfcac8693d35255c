//! Bilinear sampling of an image under an affine map, as PyTorch's `affine_grid` and `grid_sample` define it.
//!
//! Positions are normalised: -1 and 1 are the outer edges of the first and the last pixel (`align_corners=False`).
//! What lies outside the image is 0 (`padding_mode="zeros"`), as torchvision's rotation fills it.

/// `[x, y] -> [xx x + xy y + x0, yx x + yy y + y0]`: where an output position lies in the source.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Affine {
    /// Row of x: factors of x and y, and offset.
    pub x: [f32; 3],
    /// Row of y: factors of x and y, and offset.
    pub y: [f32; 3],
}

impl Affine {
    /// The whole image.
    pub const IDENTITY: Self = Self { x: [1.0, 0.0, 0.0], y: [0.0, 1.0, 0.0] };

    /// Rotation of the image about its centre by `angle` radians, then a crop about `centre` with half-sides `half`.
    #[must_use]
    pub fn rotate_then_crop(angle: f64, centre: [f64; 2], half: [f64; 2]) -> Self {
        let (sin, cos) = angle.sin_cos();
        let row = |a: f64, b: f64| [(a * half[0]) as f32, (b * half[1]) as f32, (a * centre[0] + b * centre[1]) as f32];
        Self { x: row(cos, -sin), y: row(sin, cos) }
    }
}

/// Samples `source` `[from, from]` into `target` `[to, to]`, as values 0 to 1.
pub fn sample(source: &[u8], from: usize, affine: &Affine, to: usize, target: &mut [f32]) {
    let scale = from as f32 / 2.0;
    let position = |index: usize| (2 * index + 1) as f32 / to as f32 - 1.0;
    // In source pixels: normalised -1 .. 1 becomes -0.5 .. from - 0.5.
    let pixels = |row: [f32; 3]| [row[0] * scale, row[1] * scale, (row[2] + 1.0) * scale - 0.5];
    let (rx, ry) = (pixels(affine.x), pixels(affine.y));
    let inner = from.saturating_sub(1) as f32;
    for (line, values) in target.chunks_exact_mut(to).enumerate() {
        let v = position(line);
        let (x0, y0) = (rx[1] * v + rx[2], ry[1] * v + ry[2]);
        for (column, value) in values.iter_mut().enumerate() {
            let u = position(column);
            let (x, y) = (rx[0] * u + x0, ry[0] * u + y0);
            *value = if x >= 0.0 && y >= 0.0 && x < inner && y < inner {
                inside(source, from, x, y)
            } else {
                at_the_edge(source, from, x, y)
            } / 255.0;
        }
    }
}

/// Four neighbours, all inside.
fn inside(source: &[u8], from: usize, x: f32, y: f32) -> f32 {
    let (column, row) = (x as usize, y as usize);
    let (fx, fy) = (x - column as f32, y - row as f32);
    let at = row * from + column;
    let line = |at: usize| {
        let (left, right) = (f32::from(source[at]), f32::from(source[at + 1]));
        left + (right - left) * fx
    };
    let (top, bottom) = (line(at), line(at + from));
    top + (bottom - top) * fy
}

/// Four neighbours, of which those outside are 0.
fn at_the_edge(source: &[u8], from: usize, x: f32, y: f32) -> f32 {
    let (left, top) = (x.floor(), y.floor());
    let (fx, fy) = (x - left, y - top);
    let pixel = |x: f32, y: f32| {
        let side = from as f32;
        if x < 0.0 || y < 0.0 || x >= side || y >= side {
            0.0
        } else {
            f32::from(source[y as usize * from + x as usize])
        }
    };
    let line = |y: f32| pixel(left, y) * (1.0 - fx) + pixel(left + 1.0, y) * fx;
    line(top) * (1.0 - fy) + line(top + 1.0) * fy
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::FRAC_PI_2;

    fn gradient(side: usize) -> Vec<u8> {
        (0..side * side).map(|i| (i * 37 % 256) as u8).collect()
    }

    #[test]
    fn the_identity_at_the_same_size_copies() {
        let source = gradient(9);
        let mut target = vec![0.0; 81];
        sample(&source, 9, &Affine::IDENTITY, 9, &mut target);
        for (found, &expected) in target.iter().zip(&source) {
            assert!((found * 255.0 - f32::from(expected)).abs() < 1e-2);
        }
    }

    #[test]
    fn a_quarter_turn_permutes_pixels() {
        let source = gradient(8);
        let mut target = vec![0.0; 64];
        sample(&source, 8, &Affine::rotate_then_crop(FRAC_PI_2, [0.0; 2], [1.0; 2]), 8, &mut target);
        for row in 0..8 {
            for column in 0..8 {
                // (u, v) comes from (-v, u).
                let expected = f32::from(source[column * 8 + (7 - row)]);
                assert!((target[row * 8 + column] * 255.0 - expected).abs() < 0.05);
            }
        }
    }

    #[test]
    fn far_outside_is_black() {
        let affine = Affine { x: [1.0, 0.0, 5.0], y: [0.0, 1.0, -1e9] };
        let mut target = vec![1.0; 16];
        sample(&[255; 16], 4, &affine, 4, &mut target);
        assert_eq!(target, [0.0; 16]);
    }
}
