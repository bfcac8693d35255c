//! Starting values of tensors, drawn from counter-based generators.

use deepmcat_stage::random::{Purpose, generator};
use rand::RngExt;
use rand_distr::StandardNormal;
use tch::Tensor;

use crate::Error;
use deepmcat_architecture::{Entry, Role};

/// A tensor of `shape` with values N(0, sd); a draw depends on (seed, epoch, item, purpose) alone.
///
/// # Errors
/// When libtorch has no memory for it.
pub fn normal(shape: &[i64], sd: f64, (seed, epoch, item, purpose): (u64, u32, u32, Purpose)) -> Result<Tensor, Error> {
    let mut random = generator(seed, epoch, item, purpose);
    let count = usize::try_from(shape.iter().product::<i64>()).unwrap_or_default();
    let values: Vec<f32> = (0..count).map(|_| sd as f32 * random.sample::<f32, _>(StandardNormal)).collect();
    Ok(Tensor::f_from_slice(&values)?.f_view(shape)?)
}

/// The starting value of the network's tensor number `item`.
pub(crate) fn start(entry: &Entry, (seed, epoch): (u64, u32), item: usize) -> Result<Tensor, Error> {
    let item = u32::try_from(item).unwrap_or(u32::MAX);
    let options = (tch::Kind::Float, tch::Device::Cpu);
    Ok(match entry.role {
        Role::Weight { sd } => normal(&entry.shape, sd, (seed, epoch, item, Purpose::Weights))?,
        Role::Bias | Role::Mean => Tensor::f_zeros(&entry.shape, options)?,
        Role::Scale | Role::Variance => Tensor::f_ones(&entry.shape, options)?,
        Role::Batches => Tensor::f_zeros(&entry.shape, (tch::Kind::Int64, tch::Device::Cpu))?,
    })
}

/// Zeros for the momentum of a trained tensor.
pub(crate) fn zeros(entry: &Entry) -> Result<Tensor, Error> {
    Ok(Tensor::f_zeros(&entry.shape, (tch::Kind::Float, tch::Device::Cpu))?)
}
