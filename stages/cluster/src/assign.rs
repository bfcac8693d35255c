//! The rows of a feature table in blocks, and their products with centroids: `|x - c|^2 = |x|^2 - 2 x c^T + |c|^2`, never
//! `[n, k, d]`.
//!
//! A block is one matrix product on one thread, and blocks share the threads, so neither the number of threads nor
//! the block's place changes a bit of the result. Blocks lie in the memory map itself on the processor; on CUDA they
//! are copied to the device once.

use std::marker::PhantomData;

use deepmcat_schemas::features::Values;
use tch::{Device, Kind, TchError, Tensor};

use crate::{Centroids, Error};
use deepmcat_features::{Features, Part, each_block};

/// Rows of a block on `device`. 1024 rows of 4096 dimensions are 16 MiB, and enough to keep a thread's matrix product
/// busy; a card wants more.
pub(crate) fn block_rows(device: Device) -> usize {
    if device.is_cuda() { 32_768 } else { 1024 }
}

/// The rows of a feature table as blocks on a device; those on the processor borrow from the table.
#[derive(Debug)]
pub struct Blocks<'a> {
    pub(crate) blocks: Vec<Tensor>,
    pub(crate) device: Device,
    /// What the tensors borrow: libtorch does not know of it.
    features: PhantomData<Values<'a>>,
}

impl<'a> Blocks<'a> {
    /// Cuts features into blocks of at most `rows` rows on `device`.
    ///
    /// # Errors
    /// When the device has no room for them.
    pub fn new(features: &Features<'a>, rows: usize, device: Device) -> Result<Self, Error> {
        // Threads share the blocks (see above), so a product gets one. It is a setting of the whole process.
        tch::set_num_threads(1);
        let mut blocks = Vec::new();
        for part in features.parts() {
            let count = part.ids.len();
            for start in (0..count).step_by(rows.max(1)) {
                let block = view(part, start, rows.max(1).min(count - start))?;
                blocks.push(if device == Device::Cpu { block } else { block.f_to_device(device)? });
            }
        }
        Ok(Self { blocks, device, features: PhantomData })
    }

    /// The nearest and the second-nearest centroid of every row `[n]`. There are at least two centroids.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn two_nearest(&mut self, centroids: &Centroids) -> Result<Vec<[u32; 2]>, Error> {
        self.each(centroids, |mut products, squares| {
            let mut scores = products.f_add_(squares)?;
            let first = scores.f_argmin(1, true)?;
            let second = scores.f_scatter_value_(1, &first, f64::INFINITY)?.f_argmin(1, false)?;
            let first = Vec::<i64>::try_from(first.f_view([-1])?)?;
            let pairs = first.into_iter().zip(Vec::<i64>::try_from(second)?);
            Ok(pairs.map(|(first, second)| [first as u32, second as u32]).collect())
        })
    }

    /// Applies `pick` to the products `[rows, k]`, `-2 x c^T`, of every block and to `|c|^2` `[k]`, in parallel, in
    /// order.
    fn each(
        &mut self,
        centroids: &Centroids,
        pick: impl Fn(Tensor, &Tensor) -> Result<Vec<[u32; 2]>, TchError> + Send + Sync,
    ) -> Result<Vec<[u32; 2]>, Error> {
        let operands = Operands::new(centroids, self.device)?;
        let blocks = self.blocks.iter_mut().map(|block| (block, operands.share())).collect();
        let found = each_block(self.device, blocks, |(block, operands): (&mut Tensor, Operands)| {
            pick(operands.products(block)?, &operands.squares)
        })?;
        Ok(found.into_iter().flatten().collect())
    }
}

/// Centroids as a product takes them.
pub(crate) struct Operands {
    /// `[k]`: `|c|^2`
    pub(crate) squares: Tensor,
    /// `[d, k]`: `-2 c`, transposed once, so that every block's product reads it in order.
    minus_two: Tensor,
}

impl Operands {
    pub(crate) fn new(centroids: &Centroids, device: Device) -> Result<Self, Error> {
        let (k, dimensions) = (centroids.k(), centroids.dimensions());
        let minus_two = Tensor::f_from_slice(centroids.values())?.f_view([k as i64, dimensions as i64])?;
        let minus_two = minus_two.f_mul_scalar(-2.0)?.f_transpose(0, 1)?.f_contiguous()?.f_to_device(device)?;
        Ok(Self { squares: Tensor::f_from_slice(&squared_lengths(centroids))?.f_to_device(device)?, minus_two })
    }

    /// A tensor may go to another thread but not be shared by two: every block gets handles of its own.
    pub(crate) fn share(&self) -> Self {
        Self { squares: self.squares.shallow_clone(), minus_two: self.minus_two.shallow_clone() }
    }

    /// `-2 x c^T` of some rows `[rows, d]`: `[rows, k]`.
    pub(crate) fn products(&self, rows: &Tensor) -> Result<Tensor, TchError> {
        rows.f_to_kind(Kind::Float)?.f_mm(&self.minus_two)
    }
}

/// `|c|^2` of every centroid `[k]`.
pub(crate) fn squared_lengths(centroids: &Centroids) -> Vec<f32> {
    let length = |cluster| centroids.row(cluster).iter().map(|&value| f64::from(value).powi(2)).sum::<f64>() as f32;
    (0..centroids.k()).map(length).collect()
}

/// Rows `start .. start + rows` of a part as a tensor `[rows, d]` over the part's own memory.
fn view(part: &Part<'_>, start: usize, rows: usize) -> Result<Tensor, Error> {
    let d = part.dimensions;
    let range = start * d..(start + rows) * d;
    let (data, kind) = match part.values {
        Values::F32(values) => (values[range].as_ptr().cast::<u8>(), Kind::Float),
        Values::F16(values) => (values[range].as_ptr().cast::<u8>(), Kind::Half),
    };
    // SAFETY: `data` points at rows * d values of `kind`, row-major, as the slice just taken shows. They outlive the
    // tensor: it stays in a `Blocks`, whose lifetime is theirs, or is copied to another device. Nothing writes to it.
    #[allow(unsafe_code)]
    let tensor = unsafe { Tensor::f_from_blob(data, &[rows as i64, d as i64], &[d as i64, 1], kind, Device::Cpu) }?;
    Ok(tensor)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn centroids(values: &[f32], dimensions: usize) -> Centroids {
        let mut centroids = Centroids::zeros(values.len() / dimensions, dimensions);
        centroids.rows_mut().zip(values.chunks(dimensions)).for_each(|(row, values)| row.copy_from_slice(values));
        centroids
    }

    #[test]
    fn the_nearest_two_of_every_row_whatever_the_block() {
        let ids: Vec<u32> = (0..5).collect();
        let values = [0.0, 0.0, 9.0, 9.0, 1.0, 0.0, 4.0, 4.0, 5.0, 6.0];
        let features = Features::from_values(&ids, 2, &values).unwrap();
        let centroids = centroids(&[0.0, 1.0, 10.0, 10.0, 4.0, 5.0], 2);
        for rows in [1, 2, 3, 100] {
            let mut blocks = Blocks::new(&features, rows, Device::Cpu).unwrap();
            let pairs = blocks.two_nearest(&centroids).unwrap();
            assert_eq!(pairs, [[0, 2], [1, 2], [0, 2], [2, 0], [2, 1]], "{rows}");
        }
    }

    #[test]
    fn of_equal_centroids_the_first_is_nearest() {
        let features = Features::from_values(&[0], 2, &[1.0, 1.0]).unwrap();
        let mut blocks = Blocks::new(&features, 8, Device::Cpu).unwrap();
        assert_eq!(blocks.two_nearest(&centroids(&[2.0, 2.0, 0.0, 0.0, 2.0, 2.0], 2)).unwrap(), [[0, 1]]);
    }
}
