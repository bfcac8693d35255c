//! The two directions in which rows differ most: their first principal axes.

/// Rounds of orthogonal iteration. Directions of nearly equal spread do not part in so few, and need not.
const ROUNDS: usize = 30;

/// The first two principal axes of rows `[n, d]` about `centre` `[d]`, each of length 1, or 0 where rows do not differ so.
/// The sign is that of the largest value, so that equal rows give equal axes.
#[must_use]
pub fn principal(rows: &[f32], centre: &[f32]) -> [Vec<f32>; 2] {
    let d = centre.len().max(1);
    let differences: Vec<f32> =
        rows.chunks_exact(d).flat_map(|row| row.iter().zip(centre).map(|(value, centre)| value - centre)).collect();
    let rows = || differences.chunks_exact(d);
    // Starts at the row that is farthest, and at what is farthest from that line.
    let farthest = |besides: Option<&[f32]>| -> Vec<f32> {
        let without = |row: &[f32]| {
            let mut row = row.to_vec();
            besides.into_iter().for_each(|axis| subtract(&mut row, axis));
            row
        };
        let longest = |best: Vec<f32>, row: Vec<f32>| if dot(&row, &row) > dot(&best, &best) { row } else { best };
        let mut axis = rows().map(without).fold(vec![0.0; centre.len()], longest);
        normalise(&mut axis);
        axis
    };
    let first = farthest(None);
    let second = farthest(Some(&first));
    let mut axes = [first, second];
    for _ in 0..ROUNDS {
        let mut next = [vec![0.0; centre.len()], vec![0.0; centre.len()]];
        for row in rows() {
            for (next, axis) in next.iter_mut().zip(&axes) {
                let along = dot(row, axis);
                next.iter_mut().zip(row).for_each(|(next, value)| *next += along * value);
            }
        }
        let [first, second] = &mut next;
        normalise(first);
        // Twice: what rounding left of the first would grow.
        subtract(second, first);
        normalise(second);
        subtract(second, first);
        normalise(second);
        axes = next;
    }
    axes.map(|axis| {
        let largest =
            axis.iter().copied().fold(0.0_f32, |most, value| if value.abs() > most.abs() { value } else { most });
        if largest < 0.0 { axis.iter().map(|value| -value).collect() } else { axis }
    })
}

/// Where a row lies along two axes, from `centre`.
#[must_use]
pub fn along(row: &[f32], centre: &[f32], axes: [&[f32]; 2]) -> [f32; 2] {
    // (x - c) u = x u - c u, without a copy of x - c.
    axes.map(|axis| dot(row, axis) - dot(centre, axis))
}

fn subtract(row: &mut [f32], axis: &[f32]) {
    let along = dot(row, axis);
    row.iter_mut().zip(axis).for_each(|(value, axis)| *value -= along * axis);
}

fn normalise(row: &mut [f32]) {
    let length = dot(row, row).sqrt();
    // What is so short is rounding.
    let scale = if length > 1e-12 { length.recip() } else { 0.0 };
    row.iter_mut().for_each(|value| *value *= scale);
}

/// `a b`, summed in vectors.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let (wide_a, rest_a) = a.as_chunks::<LANES>();
    let (wide_b, rest_b) = b.as_chunks::<LANES>();
    let mut lanes = [0.0_f32; LANES];
    for (a, b) in wide_a.iter().zip(wide_b) {
        for lane in 0..LANES {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = rest_a.iter().zip(rest_b).map(|(a, b)| a * b).sum();
    lanes.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_follow_the_spread_whatever_the_sign_of_rows() {
        // Long in (1, 1, 0) / sqrt 2, less so in (0, 0, 1), hardly in the third direction.
        let rows: Vec<f32> = (0..60)
            .flat_map(|row| {
                let (a, b, c) = ((row % 6) as f32 - 2.5, (row / 6 % 5) as f32 - 2.0, (row / 30) as f32 - 0.5);
                [5.0 + 3.0 * a + 0.1 * c, 1.0 + 3.0 * a - 0.1 * c, b]
            })
            .collect();
        let [first, second] = principal(&rows, &[5.0, 1.0, 0.0]);
        let half = 0.5_f32.sqrt();
        for (axis, expected) in [(first, [half, half, 0.0]), (second, [0.0, 0.0, 1.0])] {
            assert!(axis.iter().zip(expected).all(|(value, expected)| (value - expected).abs() < 1e-3), "{axis:?}");
        }
    }

    #[test]
    fn rows_that_do_not_differ_have_no_axes() {
        assert_eq!(principal(&[2.0, 3.0, 2.0, 3.0], &[2.0, 3.0]), [vec![0.0; 2], vec![0.0; 2]]);
        let [first, second] = principal(&[0.0, 0.0, 4.0, 0.0], &[2.0, 0.0]);
        assert_eq!((first, second), (vec![1.0, 0.0], vec![0.0, 0.0]));
        assert_eq!(along(&[4.0, 1.0], &[2.0, 0.0], [&[1.0, 0.0], &[0.0, 0.0]]), [2.0, 0.0]);
    }
}
