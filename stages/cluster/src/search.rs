//! The nearest centroid of every row, again and again while centroids move: of the rows that bounds leave open.

use tch::{Device, TchError, Tensor};

use crate::assign::{Blocks, Operands, squared_lengths};
use crate::bounds::{Bound, Moved, squared_distance};
use crate::{Centroids, Error};
use deepmcat_features::{Features, each_block};

/// A search over the rows of some blocks, with what it remembers of them.
#[derive(Debug)]
pub struct Search<'b, 'a> {
    blocks: &'b mut Blocks<'a>,
    features: &'b Features<'b>,
    lengths: &'b [f32],
    /// `[n]`
    bounds: Vec<Bound>,
}

impl<'b, 'a> Search<'b, 'a> {
    /// A search that knows nothing yet. `lengths` `[n]` are the rows' squared lengths.
    #[must_use]
    pub fn new(blocks: &'b mut Blocks<'a>, features: &'b Features<'b>, lengths: &'b [f32]) -> Self {
        let bounds = vec![Bound::UNKNOWN; features.len()];
        Self { blocks, features, lengths, bounds }
    }

    /// The nearest centroid of every row `[n]`, `moved` being how far each went since the last call.
    ///
    /// On the processor only the rows that may have another one are multiplied; a graphics card takes them all.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn assign(&mut self, centroids: &Centroids, moved: Option<&Moved>) -> Result<Vec<u32>, Error> {
        let Self { blocks, features, lengths, bounds } = self;
        let device = blocks.device;
        let squares = squared_lengths(centroids);
        let widest = squares.iter().copied().fold(0.0, f32::max);
        let operands = Operands::new(centroids, device)?;
        let mut first = 0;
        let mut rest = bounds.as_mut_slice();
        let mut works = Vec::with_capacity(blocks.blocks.len());
        for block in &mut blocks.blocks {
            let (bounds, after) = rest.split_at_mut(block.size()[0] as usize);
            let count = bounds.len();
            works.push((block, operands.share(), first, bounds));
            (first, rest) = (first + count, after);
        }
        let work = |(block, operands, first, bounds): (&mut Tensor, Operands, usize, &mut [Bound])| {
            if device != Device::Cpu {
                return all_on_card(block, &operands, bounds);
            }
            let mut buffer = vec![0.0; features.dimensions()];
            let open = open_rows(bounds, moved, |place, own| {
                squared_distance(features.row(first + place, &mut buffer), centroids.row(own))
            });
            if open.is_empty() {
                return Ok(());
            }
            let products = if open.len() == bounds.len() {
                operands.products(block)?
            } else {
                operands.products(&block.f_index_select(0, &Tensor::f_from_slice(&open)?)?)?
            };
            let products = Vec::<f32>::try_from(products.f_view([-1])?)?;
            for (&place, products) in open.iter().zip(products.chunks_exact(squares.len())) {
                let (cluster, scores) = least_two(products, &squares);
                bounds[place as usize] = Bound::known(cluster, scores, lengths[first + place as usize], widest);
            }
            Ok::<(), TchError>(())
        };
        each_block(device, works, work)?;
        Ok(bounds.iter().map(|bound| bound.cluster).collect())
    }
}

/// The places of the rows that may have another nearest centroid; `squared` gives the squared distance of a row to its
/// own centroid.
fn open_rows(bounds: &mut [Bound], moved: Option<&Moved>, mut squared: impl FnMut(usize, usize) -> f32) -> Vec<i64> {
    let all = || (0..).take(bounds.len());
    let Some(moved) = moved else { return all().collect() };
    let mut open: Vec<i64> = all().collect();
    open.retain(|&place| bounds[place as usize].is_open(moved, |own| squared(place as usize, own)));
    // Where nearly all are open, copying them together costs more than multiplying the rest as well.
    if open.len() > bounds.len() / 8 * 7 { (0..).take(bounds.len()).collect() } else { open }
}

/// The nearest centroids of a whole block, found on the card itself.
fn all_on_card(block: &Tensor, operands: &Operands, bounds: &mut [Bound]) -> Result<(), TchError> {
    let nearest = operands.products(block)?.f_add_(&operands.squares)?.f_argmin(1, false)?;
    let nearest = Vec::<i64>::try_from(nearest)?;
    bounds.iter_mut().zip(nearest).for_each(|(bound, nearest)| bound.cluster = nearest as u32);
    Ok(())
}

/// The least two of the scores `products + squares` of a row `[k]`, and the first place of the least. They are found in
/// vectors and then the place, in half the time of libtorch, which carries the place along.
fn least_two(products: &[f32], squares: &[f32]) -> (u32, [f32; 2]) {
    const LANES: usize = 8;
    let less = |a: f32, b: f32| if a < b { a } else { b };
    let more = |a: f32, b: f32| if a < b { b } else { a };
    let (wide, rest) = products.as_chunks::<LANES>();
    let (wide_squares, rest_squares) = squares.as_chunks::<LANES>();
    let (mut first, mut second) = ([f32::INFINITY; LANES], [f32::INFINITY; LANES]);
    for (products, squares) in wide.iter().zip(wide_squares) {
        for lane in 0..LANES {
            let score = products[lane] + squares[lane];
            second[lane] = less(second[lane], more(first[lane], score));
            first[lane] = less(first[lane], score);
        }
    }
    let rest = rest.iter().zip(rest_squares).map(|(product, square)| product + square);
    let [least, next] = first
        .into_iter()
        .chain(second)
        .chain(rest)
        .fold([f32::INFINITY; 2], |[least, next], score| [less(score, least), less(next, more(least, score))]);
    let place = products.iter().zip(squares).position(|(product, square)| product + square == least);
    (place.unwrap_or_default() as u32, [least, next])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::assign::tests::centroids;

    #[test]
    fn rows_follow_when_centroids_move() {
        let ids: Vec<u32> = (0..5).collect();
        let values = [0.0, 0.0, 9.0, 9.0, 1.0, 0.0, 4.0, 4.0, 5.0, 6.0];
        let features = Features::from_values(&ids, 2, &values).unwrap();
        let lengths = features.squared_lengths().unwrap();
        let start = centroids(&[0.0, 1.0, 10.0, 10.0, 4.0, 5.0], 2);
        // The first centroid goes away: its rows go to the next, and the others stay.
        let later = centroids(&[90.0, 90.0, 10.0, 10.0, 4.0, 5.0], 2);
        for rows in [1, 2, 3, 100] {
            let mut blocks = Blocks::new(&features, rows, Device::Cpu).unwrap();
            let mut search = Search::new(&mut blocks, &features, &lengths);
            assert_eq!(search.assign(&start, None).unwrap(), [0, 1, 0, 2, 2], "{rows}");
            let moved = Moved::between(&start, &later);
            assert_eq!(search.assign(&later, Some(&moved)).unwrap(), [2, 1, 2, 2, 2], "{rows}");
        }
    }

    #[test]
    fn the_least_two_are_found_wherever_they_are() {
        for k in [1, 7, 8, 9, 104] {
            for place in 0..k {
                let squares: Vec<f32> = (0..k).map(|i| if i == place { -3.5 } else { 1.0 + i as f32 }).collect();
                let products = vec![0.5; k];
                let next = match (k, place) {
                    (1, _) => f32::INFINITY,
                    (_, 0) => 2.5,
                    _ => 1.5,
                };
                assert_eq!(least_two(&products, &squares), (place as u32, [-3.0, next]), "{place} of {k}");
            }
        }
    }
}
