//! The last layers: linear, new at each epoch or kept from the one before, with an SGD of their own without momentum.
//!
//! `logits = x W^T + b`, `[b, d] -> [b, h, k]`, W `[h, k, d]` from N(0, 0.01), b from 0 (DeepCluster), one layer for each of
//! the h clusterings (as the heads of SeLa, Asano et al., 2020, and of DeepCluster-v2). DeepCluster needs a new layer
//! because clusters are numbered at random; ours keep their numbers, so the layer can be kept.

use deepmcat_stage::random::Purpose;
use tch::{Device, Reduction, Tensor};

use crate::{Error, fill};

/// Standard deviation of the fresh weights.
const SPREAD: f64 = 0.01;

/// The last layers.
#[derive(Debug)]
pub struct Head {
    /// `[h, k, d]`
    pub weight: Tensor,
    /// `[h, k]`
    pub bias: Tensor,
}

impl Head {
    /// Draws the layers of an epoch for h clusterings of k clusters each and features of `dimensions`.
    ///
    /// # Errors
    /// When libtorch has no memory for it.
    pub fn draw([h, k]: [i64; 2], dimensions: i64, seed: u64, epoch: u32, device: Device) -> Result<Self, Error> {
        let weight = fill::normal(&[h, k, dimensions], SPREAD, (seed, epoch, 0, Purpose::Head))?;
        let bias = Tensor::f_zeros([h, k], (tch::Kind::Float, Device::Cpu))?;
        let place = |tensor: Tensor| -> Result<_, Error> { Ok(tensor.f_to_device(device)?.f_set_requires_grad(true)?) };
        Ok(Self { weight: place(weight)?, bias: place(bias)? })
    }

    /// These layers for as many clusters as `drawn` has: rows that they lack are taken from there, and all where it is
    /// for another number of clusterings.
    ///
    /// # Errors
    /// When the layers are of different features, or libtorch fails.
    pub fn grown(self, drawn: Self) -> Result<Self, Error> {
        let _outside = tch::no_grad_guard();
        if self.weight.size()[0] != drawn.weight.size()[0] {
            return Ok(drawn);
        }
        let join = |own: Tensor, drawn: Tensor| -> Result<_, Error> {
            let rows = own.size()[1];
            let more = drawn.size()[1] - rows;
            let own = own.f_to_device(drawn.device())?;
            let whole = if more > 0 { Tensor::f_cat(&[own, drawn.f_narrow(1, rows, more)?], 1)? } else { own };
            Ok(whole.f_detach()?.f_set_requires_grad(true)?)
        };
        Ok(Self { weight: join(self.weight, drawn.weight)?, bias: join(self.bias, drawn.bias)? })
    }

    /// Its tensors, for an SGD.
    #[must_use]
    pub fn weights(&self) -> Vec<Tensor> {
        vec![self.weight.shallow_clone(), self.bias.shallow_clone()]
    }

    /// Mean multinomial logistic loss of a batch (paper eq. 1): features `[b, d]`, pseudo-labels `[b, h]` (i64).
    ///
    /// # Errors
    /// When a pseudo-label is not below k, or libtorch fails.
    pub fn loss(&self, features: &Tensor, labels: &Tensor) -> Result<Tensor, Error> {
        let (weight, bias) = (self.weight.f_flatten(0, 1)?, self.bias.f_flatten(0, 1)?);
        let logits = features.f_linear(&weight, Some(&bias))?.f_view([-1, self.weight.size()[1]])?;
        Ok(logits.f_cross_entropy_loss(&labels.f_flatten(0, -1)?, None::<Tensor>, Reduction::Mean, -100, 0.0)?)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn draw(h: i64, k: i64) -> Head {
        Head::draw([h, k], 3, 1, 0, Device::Cpu).unwrap()
    }

    #[test]
    fn the_loss_is_the_mean_over_the_clusterings() {
        let head = draw(2, 4);
        let features = Tensor::from_slice(&[1.0_f32, 2.0, -1.0, 0.5, 0.0, 3.0]).view([2, 3]);
        let labels = Tensor::from_slice(&[0_i64, 3, 2, 1]).view([2, 2]);
        let loss = head.loss(&features, &labels).unwrap().double_value(&[]);
        let of_one = |clustering| {
            let weight = head.weight.narrow(0, clustering, 1).detach();
            let one = Head { weight, bias: head.bias.narrow(0, clustering, 1).detach() };
            one.loss(&features, &labels.narrow(1, clustering, 1)).unwrap().double_value(&[])
        };
        assert!((loss - 0.5 * (of_one(0) + of_one(1))).abs() < 1e-6);
    }

    #[test]
    fn a_kept_layer_grows_in_every_clustering() {
        let grown = draw(2, 4).grown(Head::draw([2, 5], 3, 2, 1, Device::Cpu).unwrap()).unwrap();
        assert_eq!((grown.weight.size(), grown.bias.size()), (vec![2, 5, 3], vec![2, 5]));
        assert!(grown.weight.narrow(1, 0, 4).equal(&draw(2, 4).weight));
        assert!(draw(1, 4).grown(draw(2, 4)).unwrap().weight.equal(&draw(2, 4).weight));
    }
}
