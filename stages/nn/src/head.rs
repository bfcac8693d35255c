//! The last layer: linear, new at each epoch or kept from the one before, with an SGD of its own without momentum.
//!
//! `logits = x W^T + b`, `[b, d] -> [b, k]`, W `[k, d]` from N(0, 0.01), b from 0 (DeepCluster). DeepCluster needs a
//! new layer because clusters are numbered at random; ours keep their numbers, so the layer can be kept.

use deepmcat_common::random::Purpose;
use tch::{Device, Reduction, Tensor};

use crate::{Error, fill};

/// Standard deviation of the fresh weights.
const SPREAD: f64 = 0.01;

/// The last layer.
#[derive(Debug)]
pub struct Head {
    /// `[k, d]`
    pub weight: Tensor,
    /// `[k]`
    pub bias: Tensor,
}

impl Head {
    /// Draws the layer of an epoch for `k` clusters and features of `d` dimensions.
    ///
    /// # Errors
    /// When libtorch has no memory for it.
    pub fn draw(clusters: i64, dimensions: i64, seed: u64, epoch: u32, device: Device) -> Result<Self, Error> {
        let weight = fill::normal(&[clusters, dimensions], SPREAD, (seed, epoch, 0, Purpose::Head))?;
        let bias = Tensor::f_zeros([clusters], (tch::Kind::Float, Device::Cpu))?;
        let place = |tensor: Tensor| -> Result<_, Error> { Ok(tensor.f_to_device(device)?.f_set_requires_grad(true)?) };
        Ok(Self { weight: place(weight)?, bias: place(bias)? })
    }

    /// This layer for `clusters` clusters and the features of `drawn`: rows that it lacks are taken from there.
    ///
    /// # Errors
    /// When the layers are of different features, or libtorch fails.
    pub fn grown(self, drawn: Self) -> Result<Self, Error> {
        let _outside = tch::no_grad_guard();
        let join = |own: Tensor, drawn: Tensor| -> Result<_, Error> {
            let rows = own.size()[0];
            let more = drawn.size()[0] - rows;
            let own = own.f_to_device(drawn.device())?;
            let whole = if more > 0 { Tensor::f_cat(&[own, drawn.f_narrow(0, rows, more)?], 0)? } else { own };
            Ok(whole.f_detach()?.f_set_requires_grad(true)?)
        };
        Ok(Self { weight: join(self.weight, drawn.weight)?, bias: join(self.bias, drawn.bias)? })
    }

    /// Its tensors, for an SGD.
    #[must_use]
    pub fn weights(&self) -> Vec<Tensor> {
        vec![self.weight.shallow_clone(), self.bias.shallow_clone()]
    }

    /// Mean multinomial logistic loss of a batch (paper eq. 1): features `[b, d]`, pseudo-labels `[b]` (i64).
    ///
    /// # Errors
    /// When a pseudo-label is not below k, or libtorch fails.
    pub fn loss(&self, features: &Tensor, labels: &Tensor) -> Result<Tensor, Error> {
        let logits = features.f_linear(&self.weight, Some(&self.bias))?;
        Ok(logits.f_cross_entropy_loss(labels, None::<Tensor>, Reduction::Mean, -100, 0.0)?)
    }
}
