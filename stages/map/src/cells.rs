//! Cells: where each cluster lies in the plane, and where in its cell an image does.

use deepmcat_features::Features;
use deepmcat_schemas::{Cells, ClusterId, Clusters};
use deepmcat_stage::random::some_of;
use rayon::prelude::*;

use crate::axes::{along, principal};
use crate::layout::layout;

/// Images of a cluster that its axes are taken from at most.
const SEEN: usize = 256;
/// Share of a cluster's images that lie within the radius of its cell.
const WITHIN: f64 = 0.95;
/// Radius of a cell, as a share of the distance to the nearest other cell: they touch at a half.
const RADIUS: f64 = 0.4;
/// Images beyond the radius lie this far out at most, in radii.
const BEYOND: f32 = 1.25;
/// Width of the map: places are 0 to this.
const WIDTH: f64 = 65_535.0;

/// Lays out the clusters that hold images. `members` `[k]` are the rows of each cluster's images, `previous` the cells of
/// an earlier map.
#[must_use]
pub fn cells(features: &Features<'_>, clusters: &Clusters, members: &[Vec<usize>], previous: Option<&Cells>) -> Cells {
    let full: Vec<usize> = (0..members.len()).filter(|&cluster| !members[cluster].is_empty()).collect();
    let centroids: Vec<f32> = full.iter().flat_map(|&cluster| &clusters.centroid[cluster]).copied().collect();
    let names: Vec<ClusterId> = full.iter().map(|&cluster| clusters.cluster[cluster]).collect();
    let start = previous.and_then(|previous| earlier(previous, &names, &centroids, features.dimensions()));
    let places = layout(&centroids, features.dimensions(), start);
    let shapes: Vec<Shape> =
        full.par_iter().map(|&cluster| Shape::of(features, &clusters.centroid[cluster], &members[cluster])).collect();
    let gap = |place: usize| {
        let others = places.iter().enumerate().filter(|&(other, _)| other != place);
        let distances = others.map(|(_, other)| (places[place][0] - other[0]).hypot(places[place][1] - other[1]));
        // One cluster alone has all the room.
        distances.reduce(f64::min).unwrap_or(1.0)
    };
    let mut cells = Cells {
        cluster: names,
        x: places.iter().map(|place| place[0]).collect(),
        y: places.iter().map(|place| place[1]).collect(),
        radius: (0..places.len()).map(|place| RADIUS * gap(place)).collect(),
        ..Cells::default()
    };
    for (shape, &cluster) in shapes.into_iter().zip(&full) {
        cells.reach.push(shape.reach);
        cells.centre.push(clusters.centroid[cluster].clone());
        let [first, second] = shape.axes;
        cells.first.push(first);
        cells.second.push(second);
    }
    cells
}

/// The places of an earlier map; a cluster that had none starts beside the one whose centroid is nearest. None where no
/// cluster had one.
fn earlier(previous: &Cells, names: &[ClusterId], centroids: &[f32], d: usize) -> Option<Vec<[f64; 2]>> {
    let place = |name: &ClusterId| {
        let before = previous.cluster.iter().position(|cluster| cluster == name)?;
        Some([previous.x[before], previous.y[before]])
    };
    let known: Vec<Option<[f64; 2]>> = names.iter().map(place).collect();
    let row = |place: usize| &centroids[place * d..(place + 1) * d];
    let squared = |one: usize, other: usize| -> f32 {
        row(one).iter().zip(row(other)).map(|(one, other)| (one - other) * (one - other)).sum()
    };
    let start = |own: usize| {
        known[own].or_else(|| {
            let others = (0..names.len()).filter(|&other| known[other].is_some());
            let nearest = others.min_by(|&one, &other| squared(own, one).total_cmp(&squared(own, other)))?;
            // Not on it: two equal places would never part.
            known[nearest].map(|[x, y]| [x + 1e-3 * (1.0 + own as f64), y])
        })
    };
    (0..names.len()).map(start).collect()
}

/// In which directions a cluster's features differ most, and how far most of them are from its centroid there.
struct Shape {
    axes: [Vec<f32>; 2],
    reach: f32,
}

impl Shape {
    fn of(features: &Features<'_>, centroid: &[f32], members: &[usize]) -> Self {
        let rows: Vec<usize> = some_of(members.len(), SEEN).into_iter().map(|place| members[place]).collect();
        let values = features.gather(&rows);
        let axes = principal(&values, centroid);
        let distance = |row: &[f32]| {
            let [x, y] = along(row, centroid, [&axes[0], &axes[1]]);
            x.hypot(y)
        };
        let mut distances: Vec<f32> = values.chunks_exact(centroid.len().max(1)).map(distance).collect();
        distances.sort_by(f32::total_cmp);
        let place = (WITHIN * (distances.len() - 1) as f64).round() as usize;
        Self { reach: distances[place], axes }
    }
}

/// From the layout's unit to the map's: the larger side is 0 to 65,535, and the other lies in the middle.
#[derive(Debug, Clone, Copy)]
pub struct Frame {
    least: [f64; 2],
    scale: f64,
}

impl Frame {
    /// The frame that holds all cells.
    #[must_use]
    pub fn of(cells: &Cells) -> Self {
        let end = |places: &[f64], sign: f64| {
            let ends =
                places.iter().zip(&cells.radius).map(|(place, radius)| place + sign * f64::from(BEYOND) * radius);
            ends.reduce(|a, b| if sign < 0.0 { a.min(b) } else { a.max(b) }).unwrap_or_default()
        };
        let [low, high] = [-1.0, 1.0].map(|sign| [end(&cells.x, sign), end(&cells.y, sign)]);
        let side = (high[0] - low[0]).max(high[1] - low[1]).max(1e-12);
        let least = [0, 1].map(|axis| f64::midpoint(low[axis], high[axis]) - side / 2.0);
        Self { least, scale: WIDTH / side }
    }

    /// The place on the map of an image in the cell number `cell`, whose feature is `row` `[d]`.
    #[must_use]
    pub fn place(&self, cells: &Cells, cell: usize, row: &[f32]) -> [u32; 2] {
        let offset = along(row, &cells.centre[cell], [&cells.first[cell], &cells.second[cell]]);
        let reach = cells.reach[cell];
        // Where all images are one, all lie in the middle.
        let mut offset = if reach > 0.0 { offset.map(|offset| offset / reach) } else { [0.0; 2] };
        let length = offset[0].hypot(offset[1]);
        if length > BEYOND {
            offset = offset.map(|offset| offset * BEYOND / length);
        }
        let middle = [cells.x[cell], cells.y[cell]];
        [0, 1].map(|axis| {
            let place = middle[axis] + f64::from(offset[axis]) * cells.radius[cell];
            ((place - self.least[axis]) * self.scale).round().clamp(0.0, WIDTH) as u32
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn clusters(centroids: &[[f32; 2]], sizes: &[u32]) -> Clusters {
        Clusters {
            cluster: (0..).map(ClusterId).take(centroids.len()).collect(),
            size: sizes.to_vec(),
            inertia: vec![0.0; centroids.len()],
            centroid: centroids.iter().map(|centroid| centroid.to_vec()).collect(),
        }
    }

    #[test]
    fn images_lie_in_their_clusters_cell_and_the_map_has_the_whole_width() {
        // Three heaps of nine and an empty cluster.
        let middles = [[0.0, 0.0], [9.0, 0.0], [0.0, 0.0], [0.0, 5.0]];
        let heap = |middle: [f32; 2]| {
            (0..9).map(move |place| [middle[0] + (place % 3) as f32 - 1.0, middle[1] + (place / 3) as f32 * 0.5 - 0.5])
        };
        let values: Vec<f32> = [0, 1, 3].into_iter().flat_map(|heap_of| heap(middles[heap_of])).flatten().collect();
        let ids: Vec<u32> = (0..27).collect();
        let features = Features::from_values(&ids, 2, &values).unwrap();
        let members = [(0..9).collect(), (9..18).collect(), Vec::new(), (18..27).collect()];
        let cells = cells(&features, &clusters(&middles, &[9, 9, 0, 9]), &members, None);
        assert_eq!(cells.cluster, [0, 1, 3].map(ClusterId));
        let frame = Frame::of(&cells);
        let places: Vec<[u32; 2]> =
            (0..27).map(|row| frame.place(&cells, row / 9, &values[2 * row..2 * row + 2])).collect();
        let [width, height] = [0, 1].map(|axis| {
            let ends = || places.iter().map(|place| place[axis]);
            ends().max().unwrap() - ends().min().unwrap()
        });
        assert!(width > 50_000 && width > height, "{width} {height}");
        let far =
            |a: [u32; 2], b: [u32; 2]| (f64::from(a[0]) - f64::from(b[0])).hypot(f64::from(a[1]) - f64::from(b[1]));
        let middle = |cell: usize| frame.place(&cells, cell, &cells.centre[cell]);
        for (row, &place) in places.iter().enumerate() {
            let nearest = (0..3).min_by(|&a, &b| far(place, middle(a)).total_cmp(&far(place, middle(b))));
            assert_eq!(nearest, Some(row / 9), "{row}: {place:?}");
        }
        // A stranger stays near the cell that it is given.
        assert!(far(frame.place(&cells, 0, &[900.0, 900.0]), places[4]) < 20_000.0);
    }

    #[test]
    fn clusters_of_an_earlier_map_start_where_they_were_and_new_ones_beside_the_nearest() {
        let previous =
            Cells { cluster: [2, 7].map(ClusterId).to_vec(), x: vec![1.0, 5.0], y: vec![2.0, 6.0], ..Cells::default() };
        // Cluster 3 is new, and its centroid nearest to that of cluster 7.
        let start = earlier(&previous, &[7, 3, 2].map(ClusterId), &[9.0, 0.0, 8.0, 0.0, 0.0, 0.0], 2).unwrap();
        assert_eq!((start[0], start[2]), ([5.0, 6.0], [1.0, 2.0]));
        assert!(start[1] != [5.0, 6.0] && (start[1][0] - 5.0).abs() < 0.01, "{start:?}");
        assert_eq!(earlier(&previous, &[ClusterId(1)], &[0.0, 0.0], 2), None);
    }

    #[test]
    fn one_image_is_a_map() {
        let features = Features::from_values(&[4], 2, &[0.6, 0.8]).unwrap();
        let cells = cells(&features, &clusters(&[[0.6, 0.8]], &[1]), &[vec![0]], None);
        assert_eq!(Frame::of(&cells).place(&cells, 0, &[0.6, 0.8]), [32_768, 32_768]);
    }
}
