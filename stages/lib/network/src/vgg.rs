//! VGG-16 with batch norm: its weights, and its forward pass in training.
//!
//! `forward: [b, 1, s, s] -> [b, d]`. Tensors are kept channels-last, which is what oneDNN works in: a training
//! step takes two thirds of the time.

use deepmcat_schemas::jobs::Network;
use deepmcat_stage::random::{Purpose, generator};
use rand::RngExt;
use tch::{Device, Kind, Tensor};

use crate::{Error, fill};
use deepmcat_architecture::{Convolution, Entry, Role, convolutions, entries};
use deepmcat_machine::Compute;

/// Share of a batch's statistics in a norm's running ones (PyTorch's default).
const NORM_MOMENTUM: f64 = 0.1;
/// Added to a norm's variance (PyTorch's default).
pub(crate) const NORM_EPSILON: f64 = 1e-5;

/// Convolution, norm, ReLU and perhaps a maximum pool.
#[derive(Debug)]
pub(crate) struct Block {
    pub weight: Tensor,
    pub bias: Tensor,
    pub scale: Tensor,
    pub shift: Tensor,
    pub mean: Tensor,
    pub variance: Tensor,
    pub batches: Tensor,
    pub pool: bool,
}

/// A fully connected layer.
#[derive(Debug)]
pub(crate) struct Linear {
    pub weight: Tensor,
    pub bias: Tensor,
}

/// The network's body: everything but the last layer.
#[derive(Debug)]
pub struct Vgg {
    pub(crate) blocks: Vec<Block>,
    pub(crate) linears: Vec<Linear>,
    pub(crate) side: i64,
    pub(crate) compute: Compute,
    entries: Vec<Entry>,
    tensors: Vec<Tensor>,
}

/// How many values a step drops, and which.
#[derive(Debug, Clone, Copy)]
pub struct Dropout {
    /// Share of the values that are dropped after the first fully connected layer.
    pub rate: f64,
    /// The run's seed.
    pub seed: u64,
    /// The epoch.
    pub epoch: u32,
    /// The step in the epoch.
    pub step: u32,
}

impl Vgg {
    /// Draws the initial weights of the network that is trained from `epoch` on.
    ///
    /// # Errors
    /// When libtorch has no memory for them.
    pub fn draw(network: &Network, (seed, epoch): (u64, u32), compute: Compute) -> Result<Self, Error> {
        let draw = |(item, entry)| fill::start(entry, (seed, epoch), item);
        let tensors = entries(network).iter().enumerate().map(draw).collect::<Result<_, _>>()?;
        Self::new(network, tensors, compute)
    }

    /// Makes the network of `tensors` in the order of [`entries`].
    ///
    /// # Errors
    /// When libtorch cannot move them to the device.
    pub fn new(network: &Network, tensors: Vec<Tensor>, compute: Compute) -> Result<Self, Error> {
        let entries = entries(network);
        let place = |(entry, tensor)| place(entry, tensor, compute.device);
        let tensors = entries.iter().zip(&tensors).map(place).collect::<Result<Vec<_>, _>>()?;
        let mut next = tensors.iter().map(Tensor::shallow_clone);
        let mut take = || next.next().ok_or_else(|| Error::Torch("too few tensors for the network".to_owned()));
        let block = |Convolution { pool, .. }| {
            let (weight, bias, scale, shift) = (take()?, take()?, take()?, take()?);
            let (mean, variance, batches) = (take()?, take()?, take()?);
            Ok(Block { weight, bias, scale, shift, mean, variance, batches, pool })
        };
        let blocks = convolutions(network.width).into_iter().map(block).collect::<Result<_, Error>>()?;
        let linear = |_| Ok(Linear { weight: take()?, bias: take()? });
        let linears = deepmcat_architecture::linears(network).into_iter().map(linear).collect::<Result<_, Error>>()?;
        Ok(Self { blocks, linears, side: i64::from(network.pool), compute, entries, tensors })
    }

    /// Every tensor with its entry, in the order of [`entries`].
    pub fn tensors(&self) -> impl Iterator<Item = (&Entry, &Tensor)> {
        self.entries.iter().zip(&self.tensors)
    }

    /// The trained tensors with their entries, in the order of [`entries`].
    pub fn trained(&self) -> impl Iterator<Item = (&Entry, &Tensor)> {
        self.tensors().filter(|(entry, _)| entry.role.is_trained())
    }

    /// One training pass of images `[b, 1, s, s]`: what the last layer works on `[b, d]`.
    ///
    /// Norms use the batch's statistics and update their running ones.
    ///
    /// # Errors
    /// When the images' side is too small for five pools, or libtorch fails.
    pub fn forward(&mut self, images: &Tensor, dropout: Dropout) -> Result<Tensor, Error> {
        let kind = self.compute.kind;
        let mut x = images.f_to_kind(kind)?;
        for block in &mut self.blocks {
            x = convolve(&x, &block.weight.f_to_kind(kind)?, &block.bias.f_to_kind(kind)?)?;
            x = x.f_batch_norm(
                Some(&block.scale),
                Some(&block.shift),
                Some(&block.mean),
                Some(&block.variance),
                true,
                NORM_MOMENTUM,
                NORM_EPSILON,
                true,
            )?;
            drop(tch::no_grad(|| block.batches.f_add_scalar_(1))?);
            x = pooled_relu(x, block.pool)?;
        }
        let mut activated = flatten(&x, self.side)?;
        for (number, linear) in self.linears.iter().enumerate() {
            let (weight, bias) = (linear.weight.f_to_kind(kind)?, linear.bias.f_to_kind(kind)?);
            activated = activated.f_linear(&weight, Some(&bias))?.f_relu()?;
            if number == 0 && dropout.rate > 0.0 {
                activated = activated.f_mul(&mask(&activated, dropout)?)?;
            }
        }
        Ok(activated.f_to_kind(Kind::Float)?)
    }

    /// Refuses weights that training has driven out of the finite numbers: no later epoch could mend them.
    ///
    /// # Errors
    /// When a weight or a running statistic is not finite.
    pub fn check_finite(&self) -> Result<(), Error> {
        for (Entry { name, .. }, tensor) in self.tensors() {
            if tensor.f_isfinite()?.f_all()?.f_int64_value(&[])? == 0 {
                return Err(Error::NonFinite { what: format!("the tensor {name} after training") });
            }
        }
        Ok(())
    }

    /// Where its weights are.
    #[must_use]
    pub fn device(&self) -> Device {
        self.compute.device
    }
}

/// Moves a tensor to the device, convolutions channels-last, trained ones with gradients.
fn place(entry: &Entry, tensor: &Tensor, device: Device) -> Result<Tensor, Error> {
    let tensor = tensor.f_to_device(device)?;
    let tensor = if let [_, _, _, _] = entry.shape[..] { channels_last(&tensor)? } else { tensor };
    Ok(tensor.f_detach()?.f_set_requires_grad(entry.role.is_trained() && entry.role != Role::Batches)?)
}

/// `[a, c, h, w]` with the same values, stored as `[a, h, w, c]`.
fn channels_last(tensor: &Tensor) -> Result<Tensor, Error> {
    Ok(tensor.f_permute([0, 2, 3, 1])?.f_contiguous()?.f_permute([0, 3, 1, 2])?)
}

/// Images `[b * s * s]` as a channels-last tensor `[b, 1, s, s]` on the device. A card fetches them behind what it computes
/// now: from pinned memory, which nobody waits for.
///
/// # Errors
/// When `pixels` does not hold b images or libtorch fails.
pub fn images(pixels: &[f32], count: usize, side: usize, device: Device) -> Result<Tensor, Error> {
    let (count, side) = (count as i64, side as i64);
    let tensor = Tensor::f_from_slice(pixels)?.f_view([count, side, side, 1])?.f_permute([0, 3, 1, 2])?;
    if device.is_cuda() {
        return Ok(tensor.f_pin_memory(device)?.f_to_device_(device, Kind::Float, true, false)?);
    }
    Ok(tensor)
}

/// A 3x3 convolution with padding 1.
pub(crate) fn convolve(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor, Error> {
    Ok(x.f_conv2d(weight, Some(bias), [1, 1], [1, 1], [1, 1], 1)?)
}

/// The ReLU of a block and its maximum pool of 2, where there is one. The pool goes first: the same values and gradients,
/// with a ReLU of a quarter as many.
pub(crate) fn pooled_relu(x: Tensor, pool: bool) -> Result<Tensor, Error> {
    let mut x = if pool { x.f_max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], false)? } else { x };
    Ok(x.f_relu_()?)
}

/// Adaptive average pool to `side` x `side`, flattened channel by channel as PyTorch does: `[b, c * side * side]`.
pub(crate) fn flatten(x: &Tensor, side: i64) -> Result<Tensor, Error> {
    let overlap = x.size().iter().skip(2).any(|size| size % side != 0);
    // Where windows overlap, a card adds up their gradients in whatever order they come: other bits at each run.
    let pooled =
        if x.device().is_cuda() && overlap { average(x, side)? } else { x.f_adaptive_avg_pool2d([side, side])? };
    Ok(pooled.f_flatten(1, -1)?)
}

/// The adaptive average pool of maps `[b, c, h, w]` as two matrix products, `[side, h] x [h, w] x [w, side]`, whose
/// gradients are matrix products too.
fn average(x: &Tensor, side: i64) -> Result<Tensor, Error> {
    let [height, width] = [2, 3].map(|axis| windows(x.size()[axis], side));
    let place = |weights: Result<Tensor, Error>| -> Result<_, Error> { Ok(weights?.f_to_device(x.device())?) };
    let rows = place(height)?.f_matmul(&x.f_to_kind(Kind::Float)?)?;
    Ok(rows.f_matmul(&place(width)?.f_transpose(0, 1)?)?.f_to_kind(x.f_kind()?)?)
}

/// `[side, size]`: row i is the mean over places floor(i size / side) to ceil((i + 1) size / side), PyTorch's windows.
fn windows(size: i64, side: i64) -> Result<Tensor, Error> {
    let mut weights = Vec::with_capacity(usize::try_from(side * size).unwrap_or_default());
    for window in 0..side {
        let (start, end) = (window * size / side, ((window + 1) * size + side - 1) / side);
        let weight = |place| if (start..end).contains(&place) { 1.0 / (end - start) as f32 } else { 0.0 };
        weights.extend((0..size).map(weight));
    }
    Ok(Tensor::f_from_slice(&weights)?.f_view([side, size])?)
}

/// A dropout mask for `x` `[b, d]`: 0, or 1 / (1 - rate). Drawn by counter, so alike on every device and thread count.
fn mask(x: &Tensor, Dropout { rate, seed, epoch, step }: Dropout) -> Result<Tensor, Error> {
    let mut random = generator(seed, epoch, step, Purpose::Dropout);
    let keep = 1.0 / (1.0 - rate) as f32;
    let values: Vec<f32> =
        (0..x.numel()).map(|_| if random.random::<f32>() < rate as f32 { 0.0 } else { keep }).collect();
    Ok(Tensor::f_from_slice(&values)?.f_view(&x.size()[..])?.f_to_device(x.device())?.f_to_kind(x.f_kind()?)?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use deepmcat_schemas::jobs::FeatureLayer;

    #[test]
    fn dropout_masks_are_reproducible_and_keep_the_mean() {
        let x = Tensor::ones([64, 1000], (Kind::Float, Device::Cpu));
        let at = |step| mask(&x, Dropout { rate: 0.25, seed: 1, epoch: 2, step }).unwrap();
        assert!(at(3).equal(&at(3)));
        assert!(!at(3).equal(&at(4)));
        let mean = at(3).mean(Kind::Float).double_value(&[]);
        assert!((mean - 1.0).abs() < 0.01, "{mean}");
    }

    /// What a card computes where windows overlap, on the processor: values and gradients.
    #[test]
    fn the_average_by_products_is_pytorchs() {
        let x = Tensor::arange(2 * 3 * 8 * 11, (Kind::Float, Device::Cpu)).sin().view([2, 3, 8, 11]);
        for side in [1, 3, 5, 7, 8] {
            let both = [average as fn(&Tensor, i64) -> _, |x, side| Ok(x.f_adaptive_avg_pool2d([side, side])?)];
            let [(value, gradient), (expected, expected_gradient)] = both.map(|pool| {
                let x = x.copy().set_requires_grad(true);
                let pooled = pool(&x, side).unwrap();
                let sum = (&pooled * &pooled * &pooled).sum(Kind::Float);
                (pooled, Tensor::run_backward(&[sum], &[&x], false, false).remove(0))
            });
            assert!(value.allclose(&expected, 1e-5, 1e-6, false), "{side}");
            assert!(gradient.allclose(&expected_gradient, 1e-5, 1e-6, false), "{side}");
        }
    }

    #[test]
    fn initial_weights_have_the_spread_of_the_reference_and_depend_on_the_seed() {
        let network = Network { width: 0.25, input: 32, pool: 1, features: FeatureLayer::Fc, fc: Some(64) };
        let draw = |seed| Vgg::draw(&network, (seed, 0), Compute::cpu()).unwrap();
        let (one, again, other) = (draw(1), draw(1), draw(2));
        for ((entry, tensor), (_, same)) in one.tensors().zip(again.tensors()) {
            assert!(tensor.equal(same), "{}", entry.name);
            if let Role::Weight { sd } = entry.role {
                let found = tensor.std(true).double_value(&[]);
                let tolerance = 4.0 * sd / (2.0 * tensor.numel() as f64).sqrt();
                assert!((found - sd).abs() < tolerance, "{}: {found} {sd}", entry.name);
            }
        }
        let first = |vgg: &Vgg| vgg.tensors().next().unwrap().1.shallow_clone();
        assert!(!first(&one).equal(&first(&other)));
    }
}
