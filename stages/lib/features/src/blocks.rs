//! Rows in blocks: each a matrix product on one thread, so that neither the number of threads nor a block's place changes a
//! bit of the result.

use rayon::prelude::*;
use tch::{Device, Kind, TchError, Tensor};

use crate::Features;

/// Does `work` on every block: on the processor in parallel; a card has one thread, since it takes one product after the
/// other. Products get one thread each by `tch::set_num_threads(1)`, which is the caller's to say.
///
/// # Errors
/// As `work`.
pub fn each_block<T: Send, R: Send>(
    device: Device,
    blocks: Vec<T>,
    work: impl Fn(T) -> Result<R, TchError> + Send + Sync,
) -> Result<Vec<R>, TchError> {
    if device.is_cuda() { blocks.into_iter().map(work).collect() } else { blocks.into_par_iter().map(work).collect() }
}

/// Rows of the features as a tensor `[rows, d]`.
///
/// # Errors
/// When memory runs out.
pub fn tensor(features: &Features<'_>, rows: &[usize]) -> Result<Tensor, TchError> {
    Tensor::f_from_slice(&features.gather(rows))?.f_view([rows.len() as i64, features.dimensions() as i64])
}

/// What rows are compared with, on a device: `|x - c|^2 = |x|^2 - 2 x c + |c|^2`, by products of blocks of rows.
#[derive(Debug)]
pub struct Among {
    /// `[d, a]`: -2 c.
    minus_two: Tensor,
    /// `[a]`: |c|^2.
    squares: Tensor,
    device: Device,
}

/// A block of rows against all of [`Among`].
#[derive(Debug)]
pub struct Compared<'r> {
    /// The place of the first of them.
    pub start: usize,
    /// The rows `[b]`.
    pub rows: &'r [usize],
    /// `-2 x c + |c|^2` `[b, a]`: the squared distance but for the row's own length, which orders the others as well.
    pub scores: Tensor,
    /// `|x|^2` `[b, 1]`.
    pub own: Tensor,
    /// A handle of what goes with each block.
    pub beside: Tensor,
}

impl Among {
    /// `all` `[a, d]`.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn new(all: &Tensor, device: Device) -> Result<Self, TchError> {
        // Blocks share the threads, so a product gets one.
        tch::set_num_threads(1);
        let all = all.f_to_device(device)?;
        let squares = lengths(&all, false)?;
        Ok(Self { minus_two: all.f_mul_scalar(-2.0)?.f_transpose(0, 1)?, squares, device })
    }

    /// Does `work` on blocks of `size` rows; what it gives, in the order of the rows. A tensor that `work` needs comes as
    /// `beside`, since threads cannot share one.
    ///
    /// # Errors
    /// As `work`, or when memory runs out.
    pub fn each<R: Send>(
        &self,
        features: &Features<'_>,
        rows: &[usize],
        size: usize,
        beside: &Tensor,
        work: impl Fn(Compared<'_>) -> Result<Vec<R>, TchError> + Send + Sync,
    ) -> Result<Vec<R>, TchError> {
        let device = self.device;
        let handles = |(number, rows)| {
            let shared = [&self.minus_two, &self.squares, beside].map(Tensor::shallow_clone);
            (number * size, rows, shared)
        };
        let blocks: Vec<(usize, &[usize], [Tensor; 3])> = rows.chunks(size).enumerate().map(handles).collect();
        let found = each_block(device, blocks, |(start, rows, [minus_two, squares, beside])| {
            let block = tensor(features, rows)?.f_to_device(device)?;
            let own = lengths(&block, true)?;
            let scores = block.f_mm(&minus_two)?.f_add_(&squares)?;
            work(Compared { start, rows, scores, own, beside })
        })?;
        Ok(found.into_iter().flatten().collect())
    }
}

/// The squared length of each row `[rows]`, or `[rows, 1]` as a column.
fn lengths(rows: &Tensor, column: bool) -> Result<Tensor, TchError> {
    rows.f_mul(rows)?.f_sum_dim_intlist(&[1_i64][..], column, Kind::Float)
}
