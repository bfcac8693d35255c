//! The network in evaluation mode: images to features, with each norm folded into its convolution.
//!
//! A norm with fixed statistics is linear, so `scale * (conv(x) - mean) / sqrt(variance + eps) + shift` is one
//! convolution with other weights: the same features to rounding, in fewer passes over memory.

use deepmcat_schemas::ImageId;
use tch::{Kind, Tensor};

use crate::vgg::{Linear, NORM_EPSILON, convolve, flatten, pooled_relu};
use crate::{Error, Vgg};
use deepmcat_machine::Compute;

/// A network that only embeds.
#[derive(Debug)]
pub struct Embedder {
    convolutions: Vec<(Linear, bool)>,
    linears: Vec<Linear>,
    side: i64,
    compute: Compute,
}

impl Embedder {
    /// Folds the norms of a network, whose running statistics then stay as they are.
    ///
    /// # Errors
    /// When libtorch has no memory for the folded weights.
    pub fn new(vgg: &Vgg) -> Result<Self, Error> {
        let _frozen = tch::no_grad_guard();
        let kind = vgg.compute.kind;
        let mut convolutions = Vec::with_capacity(vgg.blocks.len());
        for block in &vgg.blocks {
            let deviation = block.variance.f_add_scalar(NORM_EPSILON)?.f_sqrt()?;
            let factor = block.scale.f_div(&deviation)?;
            // The product keeps the channels-last strides of the weight.
            let weight = block.weight.f_mul(&factor.f_view([-1, 1, 1, 1])?)?.f_to_kind(kind)?;
            let bias = block.bias.f_sub(&block.mean)?.f_mul(&factor)?.f_add(&block.shift)?.f_to_kind(kind)?;
            convolutions.push((Linear { weight, bias }, block.pool));
        }
        let mut linears = Vec::with_capacity(vgg.linears.len());
        for linear in &vgg.linears {
            linears.push(Linear { weight: linear.weight.f_to_kind(kind)?, bias: linear.bias.f_to_kind(kind)? });
        }
        Ok(Self { convolutions, linears, side: vgg.side, compute: vgg.compute })
    }

    /// The same network for another thread: weights are shared, not copied.
    #[must_use]
    pub fn share(&self) -> Self {
        let share =
            |Linear { weight, bias }: &Linear| Linear { weight: weight.shallow_clone(), bias: bias.shallow_clone() };
        Self {
            convolutions: self.convolutions.iter().map(|(convolution, pool)| (share(convolution), *pool)).collect(),
            linears: self.linears.iter().map(share).collect(),
            ..*self
        }
    }

    /// Features before normalisation, `[b, 1, s, s] -> [b, d]` in single precision: the pooled maps, or the
    /// output of the second fully connected layer before its ReLU.
    ///
    /// # Errors
    /// When the images' side is too small for five pools, or libtorch fails.
    pub fn embed(&self, images: &Tensor) -> Result<Tensor, Error> {
        let _frozen = tch::no_grad_guard();
        let mut x = images.f_to_kind(self.compute.kind)?;
        for (convolution, pooled) in &self.convolutions {
            x = pooled_relu(convolve(&x, &convolution.weight, &convolution.bias)?, *pooled)?;
        }
        x = flatten(&x, self.side)?;
        let last = self.linears.len().saturating_sub(1);
        for (number, linear) in self.linears.iter().enumerate() {
            x = x.f_linear(&linear.weight, Some(&linear.bias))?;
            if number < last {
                x = x.f_relu_()?;
            }
        }
        Ok(x.f_to_kind(Kind::Float)?)
    }
}

/// Scales every row of `[n, d]` to length 1; a row of zeros stays as it is.
///
/// # Errors
/// When a value is not finite; `image` gives the image of a row, for the message.
pub fn normalise(features: &mut [f32], dimensions: usize, image: impl Fn(usize) -> ImageId) -> Result<(), Error> {
    let finite = deepmcat_schemas::features::normalise(features, dimensions);
    finite.map_err(|row| Error::NonFinite { what: format!("the feature of image {}", image(row)) })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_unit_vectors_and_zeros_stay() {
        let mut rows = [3.0, 4.0, 0.0, 0.0, -1e-30, 0.0];
        normalise(&mut rows, 2, |row| ImageId(row as u32)).unwrap();
        assert_eq!(rows, [0.6, 0.8, 0.0, 0.0, -1.0, 0.0]);
    }

    #[test]
    fn a_nan_names_its_image() {
        let ids = [ImageId(40), ImageId(7)];
        let error = normalise(&mut [1.0, 0.0, f32::NAN, 0.0], 2, |row| ids[row]).unwrap_err();
        assert!(error.to_string().contains("image 7"), "{error}");
    }
}
