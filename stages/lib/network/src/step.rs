//! A training step of several processes, each with a part of the batch: the loss and gradients of the whole batch.
//!
//! A norm's statistics are of the whole batch, and its gradient needs sums over the whole batch, in the midst of the
//! backward pass. libtorch's own norm over processes is for CUDA alone, so the pass is cut at every norm. With the
//! statistics given, as in evaluation, its gradient is `dx = s g`, s its scale over the standard deviation; that the
//! statistics depend on x adds `- s (sum g + x^ sum(g x^)) / n` (Ioffe and Szegedy, 2015). The two sums are the
//! gradients of its shift and scale, which have to be added up anyway.

use tch::{Kind, Tensor};

use crate::vgg::{self, Block, Dropout, NORM_EPSILON, NORM_MOMENTUM};
use crate::{Error, Head, Vgg};
use deepmcat_machine::Ranks;

/// A block's convolution and what follows it, cut apart for the backward pass.
struct Cut {
    /// What the block takes, cut from the block before.
    input: Tensor,
    /// What the convolution gives, still in its graph.
    convolved: Tensor,
    /// The same, cut from it.
    normed: Tensor,
    /// What the block gives, in the graph from `normed` on.
    output: Tensor,
    statistics: Statistics,
}

/// Mean and variance of every channel over the whole batch.
struct Statistics {
    /// `[c]`
    mean: Tensor,
    /// `[c]`, not corrected for the mean.
    variance: Tensor,
    /// Values a channel.
    count: f64,
}

impl Vgg {
    /// The mean loss of the whole batch, its gradients in the order of [`Vgg::trained`] and [`Head::weights`], and the
    /// features of this process's part.
    ///
    /// `images` `[b, 1, s, s]` and `labels` `[b, h]` are this process's part of a batch of `whole` images; every process
    /// calls this at the same time. Norms update their running statistics as [`Vgg::forward`] does.
    ///
    /// # Errors
    /// When libtorch fails.
    pub fn gradients_together(
        &mut self,
        head: &Head,
        (images, labels): (&Tensor, &Tensor),
        dropout: Dropout,
        whole: usize,
        ranks: &Ranks,
    ) -> Result<(f64, Vec<Tensor>, Tensor), Error> {
        let kind = self.compute.kind;
        let mut cuts = Vec::with_capacity(self.blocks.len());
        let mut x = images.f_to_kind(kind)?;
        for block in &mut self.blocks {
            let cut = Cut::forward(block, x, kind, ranks)?;
            x = leaf(&cut.output)?;
            cuts.push(cut);
        }
        let passed = self.tail(&x, dropout, (ranks.rank(), ranks.count()))?;
        let share = labels.size()[0] as f64 / whole as f64;
        let loss = head.loss(&passed.activated, labels)?.f_mul_scalar(share)?;

        let mut sum = [loss.f_double_value(&[])?];
        ranks.sum(&mut sum);
        let linears = self.linears.iter().flat_map(|linear| [&linear.weight, &linear.bias]);
        let inputs: Vec<Tensor> =
            std::iter::once(&x).chain(linears).chain([&head.weight, &head.bias]).map(Tensor::shallow_clone).collect();
        let mut tail = Tensor::f_run_backward(&[&loss], &inputs, false, false)?.into_iter();
        // There are as many gradients as inputs.
        let mut above = tail.next().unwrap_or_default();
        let mut blocks = Vec::with_capacity(cuts.len());
        for (block, cut) in self.blocks.iter().zip(cuts).rev() {
            let (own, below) = cut.backward(block, &above, kind, ranks)?;
            blocks.push(own);
            above = below;
        }
        let mut gradients: Vec<Tensor> = blocks.into_iter().rev().flatten().collect();
        for gradient in tail {
            gradients.push(ranks.sum_of(&gradient)?);
        }
        Ok((sum[0], gradients, passed.features))
    }
}

impl Cut {
    fn forward(block: &mut Block, input: Tensor, kind: Kind, ranks: &Ranks) -> Result<Self, Error> {
        let convolved = vgg::convolve(&input, &block.weight.f_to_kind(kind)?, &block.bias.f_to_kind(kind)?)?;
        let normed = leaf(&convolved)?;
        let statistics = Statistics::of(&normed, ranks)?;
        statistics.remember(block)?;
        let given = (Some(&statistics.mean), Some(&statistics.variance));
        let output = normed.f_batch_norm(
            Some(&block.scale),
            Some(&block.shift),
            given.0,
            given.1,
            false,
            NORM_MOMENTUM,
            NORM_EPSILON,
            true,
        )?;
        let output = vgg::pooled_relu(output, block.pool)?;
        Ok(Self { input, convolved, normed, output, statistics })
    }

    /// The gradients of weight, bias, scale and shift over the whole batch, and that of the block's input.
    fn backward(
        self,
        block: &Block,
        above: &Tensor,
        kind: Kind,
        ranks: &Ranks,
    ) -> Result<([Tensor; 4], Tensor), Error> {
        let [direct, scale, shift] = gradients(&self.output, above, [&self.normed, &block.scale, &block.shift])?;
        let (scale, shift) = (ranks.sum_of(&scale)?, ranks.sum_of(&shift)?);
        let through = self.statistics.gradient(block, &self.normed, &direct, &scale, &shift, kind)?;
        // The first block's images are no leaf; its weight stands in, and nobody asks for that gradient.
        let input = if self.input.requires_grad() { &self.input } else { &block.weight };
        let [below, weight, bias] = gradients(&self.convolved, &through, [input, &block.weight, &block.bias])?;
        Ok(([ranks.sum_of(&weight)?, ranks.sum_of(&bias)?, scale, shift], below))
    }
}

impl Statistics {
    /// Of `x` `[b, c, h, w]`, this process's part. Added up in double precision: mean and mean square of every part.
    fn of(x: &Tensor, ranks: &Ranks) -> Result<Self, Error> {
        let _outside = tch::no_grad_guard();
        let x = x.f_to_kind(Kind::Float)?;
        let channels = x.size()[1];
        let own = (x.numel() as i64 / channels) as f64;
        let dims: &[i64] = &[0, 2, 3];
        let (variance, mean) = x.f_var_mean_correction(dims, 0, false)?;
        let (variance, mean) = (Vec::<f64>::try_from(variance)?, Vec::<f64>::try_from(mean)?);
        let mut sums: Vec<f64> = mean.iter().map(|mean| own * mean).collect();
        sums.extend(mean.iter().zip(&variance).map(|(mean, variance)| own * (variance + mean * mean)));
        sums.push(own);
        ranks.sum(&mut sums);
        let count = sums.pop().unwrap_or(own);
        let (sum, squares) = sums.split_at(mean.len());
        let mean: Vec<f32> = sum.iter().map(|sum| (sum / count) as f32).collect();
        let variance: Vec<f32> = sum
            .iter()
            .zip(squares)
            .map(|(sum, squares)| (squares / count - (sum / count).powi(2)).max(0.0) as f32)
            .collect();
        let tensor = |values: &[f32]| Tensor::f_from_slice(values)?.f_to_device(x.device());
        Ok(Self { mean: tensor(&mean)?, variance: tensor(&variance)?, count })
    }

    /// Into the norm's running statistics, the variance corrected as PyTorch does.
    fn remember(&self, block: &mut Block) -> Result<(), Error> {
        let _outside = tch::no_grad_guard();
        let corrected = self.variance.f_mul_scalar(self.count / (self.count - 1.0).max(1.0))?;
        for (running, now) in [(&mut block.mean, &self.mean), (&mut block.variance, &corrected)] {
            drop(running.f_mul_scalar_(1.0 - NORM_MOMENTUM)?.f_add_(&now.f_mul_scalar(NORM_MOMENTUM)?)?);
        }
        drop(block.batches.f_add_scalar_(1)?);
        Ok(())
    }

    /// The gradient of the norm's input, from `direct`, the one under given statistics.
    fn gradient(
        &self,
        block: &Block,
        x: &Tensor,
        direct: &Tensor,
        scale: &Tensor,
        shift: &Tensor,
        kind: Kind,
    ) -> Result<Tensor, Error> {
        let _outside = tch::no_grad_guard();
        let inverse = self.variance.f_add_scalar(NORM_EPSILON)?.f_rsqrt()?;
        let factor = block.scale.f_mul(&inverse)?.f_div_scalar(self.count)?;
        let slope = factor.f_mul(&inverse)?.f_mul(scale)?;
        let offset = factor.f_mul(shift)?.f_sub(&slope.f_mul(&self.mean)?)?;
        let over_channels = |values: Tensor| values.f_view([1, -1, 1, 1]);
        let through = x.f_mul(&over_channels(slope)?)?.f_add(&over_channels(offset)?)?;
        Ok(direct.f_sub(&through)?.f_to_kind(kind)?)
    }
}

/// The same values outside the graph, as what gradients are asked of.
fn leaf(tensor: &Tensor) -> Result<Tensor, Error> {
    Ok(tensor.f_detach()?.f_set_requires_grad(true)?)
}

/// The gradients of `inputs`, where `above` is the gradient of `output`: that of `sum(output * above)`.
fn gradients(output: &Tensor, above: &Tensor, inputs: [&Tensor; 3]) -> Result<[Tensor; 3], Error> {
    let product = output.f_mul(above)?.f_sum(Kind::Float)?;
    let found = Tensor::f_run_backward(&[product], &inputs, false, false)?;
    <[Tensor; 3]>::try_from(found).map_err(|_| Error::Torch("gradients are missing".to_owned()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use deepmcat_machine::Compute;
    use deepmcat_schemas::jobs::{FeatureLayer, Network};

    /// The cut pass against libtorch's own norms and one backward pass.
    #[test]
    fn the_cut_pass_gives_the_gradients_of_the_whole() {
        let network = Network { width: 0.125, input: 32, pool: 1, features: FeatureLayer::Fc, fc: Some(16) };
        let draw = || Vgg::draw(&network, (3, 0), Compute::cpu()).unwrap();
        let head = Head::draw([2, 5], 16, 3, 0, tch::Device::Cpu).unwrap();
        let pixels: Vec<f32> = (0..6 * 32 * 32).map(|i| ((i * 7919 % 1013) as f32 / 500.0) - 1.0).collect();
        let images = vgg::images(&pixels, 6, 32, tch::Device::Cpu).unwrap();
        let labels = Tensor::from_slice(&[0_i64, 1, 2, 3, 4, 0, 1, 1, 3, 2, 0, 4]).view([6, 2]);
        let dropout = Dropout { rate: 0.5, seed: 3, epoch: 0, step: 0 };

        let mut whole = draw();
        let passed = whole.forward(&images, dropout).unwrap();
        let loss = head.loss(&passed.activated, &labels).unwrap();
        let trained: Vec<Tensor> =
            whole.trained().map(|(_, tensor)| tensor.shallow_clone()).chain(head.weights()).collect();
        let expected = Tensor::run_backward(&[&loss], &trained, false, false);

        let mut cut = draw();
        let (found_loss, found, features) =
            cut.gradients_together(&head, (&images, &labels), dropout, 6, &Ranks::alone()).unwrap();
        assert!((found_loss - loss.double_value(&[])).abs() < 1e-6);
        assert_eq!(found.len(), expected.len());
        assert!((&features - &passed.features).abs().max().double_value(&[]) < 1e-5);
        assert!((features.relu() - &passed.activated).abs().max().double_value(&[]) < 1e-5);
        for (number, (found, expected)) in found.iter().zip(&expected).enumerate() {
            // A bias before a norm has no effect, and its gradient is rounding alone.
            let scale = expected.abs().max().double_value(&[]).max(1e-5);
            let apart = (found - expected).abs().max().double_value(&[]);
            assert!(apart < 1e-3 * scale, "{number}: {apart} of {scale}");
        }
        for ((entry, found), (_, expected)) in cut.tensors().zip(whole.tensors()) {
            assert!((found - expected).abs().max().double_value(&[]) < 1e-5, "{}", entry.name);
        }
    }
}
