//! Stochastic gradient descent with momentum and weight decay, as `torch.optim.SGD` defines it.
//!
//! `g' = g + decay w;  v = momentum v + g';  w = w - rate v`, v from 0. Decay applies to every tensor, biases and
//! norms too, as in DeepCluster. The momentum v is part of a checkpoint: the body's SGD lives through all epochs.

use tch::Tensor;

use crate::Error;

/// The rates of an SGD.
#[derive(Debug, Clone, Copy)]
pub struct Rates {
    /// Learning rate.
    pub rate: f64,
    /// Momentum; 0: none is kept.
    pub momentum: f64,
    /// Weight decay.
    pub decay: f64,
}

/// SGD over a list of tensors.
#[derive(Debug)]
pub struct Sgd {
    rates: Rates,
    weights: Vec<Tensor>,
    velocities: Vec<Tensor>,
}

impl Sgd {
    /// An SGD over `weights`, with their momentum so far (none without momentum).
    ///
    /// # Errors
    /// When libtorch cannot bring the momentum to the weights' device.
    pub fn new(rates: Rates, weights: Vec<Tensor>, velocities: Vec<Tensor>) -> Result<Self, Error> {
        let place = |(weight, velocity): (&Tensor, &Tensor)| -> Result<_, Error> {
            // In the weight's memory format, so that the update is one linear pass.
            let mut placed = weight.f_zeros_like()?.f_detach()?;
            placed.f_copy_(velocity)?;
            Ok(placed)
        };
        let velocities = if rates.momentum == 0.0 {
            Vec::new()
        } else {
            weights.iter().zip(&velocities).map(place).collect::<Result<_, _>>()?
        };
        Ok(Self { rates, weights, velocities })
    }

    /// Goes on with another learning rate.
    pub fn set_rate(&mut self, rate: f64) {
        self.rates.rate = rate;
    }

    /// The tensors that are trained.
    pub fn weights(&self) -> &[Tensor] {
        &self.weights
    }

    /// The momentum of each tensor; empty without momentum.
    pub fn velocities(&self) -> &[Tensor] {
        &self.velocities
    }

    /// One step against `gradients`, in the order of the weights.
    ///
    /// # Errors
    /// When libtorch fails.
    pub fn step(&mut self, gradients: &[Tensor]) -> Result<(), Error> {
        let _outside = tch::no_grad_guard();
        let Rates { rate, momentum, decay } = self.rates;
        for (number, (weight, gradient)) in self.weights.iter_mut().zip(gradients).enumerate() {
            let decayed =
                if decay == 0.0 { gradient.shallow_clone() } else { weight.f_mul_scalar(decay)?.f_add_(gradient)? };
            let velocity = match self.velocities.get_mut(number) {
                Some(velocity) => velocity.f_mul_scalar_(momentum)?.f_add_(&decayed)?,
                None => decayed,
            };
            drop(weight.f_sub_(&velocity.f_mul_scalar(rate)?)?);
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn run(rates: Rates, steps: usize) -> f64 {
        let weight = Tensor::from_slice(&[1.0_f64]).set_requires_grad(true);
        let mut sgd = Sgd::new(rates, vec![weight.shallow_clone()], vec![Tensor::from_slice(&[0.0_f64])]).unwrap();
        for _ in 0..steps {
            let loss = (&weight * &weight).sum(tch::Kind::Double);
            let gradients = Tensor::run_backward(&[loss], &[&weight], false, false);
            sgd.step(&gradients).unwrap();
        }
        weight.double_value(&[0])
    }

    #[test]
    fn the_recurrence_is_the_formula() {
        let (rate, momentum, decay) = (0.1, 0.9, 0.01);
        let (mut w, mut v) = (1.0, 0.0);
        for _ in 0..5 {
            v = momentum * v + (2.0 * w + decay * w);
            w -= rate * v;
        }
        assert!((run(Rates { rate, momentum, decay }, 5) - w).abs() < 1e-12);
    }

    #[test]
    fn without_momentum_and_decay_it_is_plain_descent() {
        let found = run(Rates { rate: 0.1, momentum: 0.0, decay: 0.0 }, 3);
        assert!((found - 0.8_f64.powi(3)).abs() < 1e-12);
    }
}
