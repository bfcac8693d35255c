//! Rows in blocks: each a matrix product on one thread, so that neither the number of threads nor a block's place changes a
//! bit of the result.

use rayon::prelude::*;
use tch::{Device, TchError, Tensor};

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
