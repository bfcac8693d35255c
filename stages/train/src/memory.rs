//! Features of the next epoch from the training of this one, without a pass over all images (the memory bank of
//! DeepCluster-v2, Caron et al., 2020).
//!
//! At each of its draws an image keeps a share `m` of its feature and takes the rest from what the network makes of it,
//! `f <- m f + (1 - m) z`: a mean over the last views and epochs, so pseudo-labels change little.

use std::collections::HashMap;
use std::path::Path;

use deepmcat_network::inference::normalise;
use deepmcat_network::{Error, Item};
use deepmcat_schemas::ImageId;
use deepmcat_schemas::features::{FeatureTable, parts};
use tch::Tensor;

use crate::Order;

/// Features `[n * d]` of the images of `ids`, in their order, from a feature table folder.
///
/// # Errors
/// When the folder holds no feature table of width `dimensions`, or none of an image.
pub fn read(folder: &Path, ids: &[ImageId], dimensions: usize) -> Result<Vec<f32>, Error> {
    let other = |reason: String| Error::OtherFeatures { path: folder.to_owned(), reason };
    let mut row_of: HashMap<u32, usize> = ids.iter().enumerate().map(|(row, id)| (id.0, row)).collect();
    let mut values = vec![0.0; ids.len() * dimensions];
    for part in parts(folder)? {
        let table = FeatureTable::open(&part)?;
        if table.dimensions() != dimensions {
            return Err(other(format!("{} dimensions, the network gives {dimensions}", table.dimensions())));
        }
        for (place, id) in table.image_ids().iter().enumerate() {
            let row = row_of.remove(id).ok_or_else(|| other(format!("image {id} is not in the manifest, or twice")))?;
            table.values().read(place, &mut values[row * dimensions..][..dimensions]);
        }
    }
    match row_of.keys().min() {
        Some(id) => Err(other(format!("holds no feature of image {id}"))),
        None => Ok(values),
    }
}

/// The features while an epoch is trained.
#[derive(Debug)]
pub struct Memory {
    dimensions: usize,
    /// `[n * d]`: the sums so far.
    values: Vec<f32>,
    /// What a draw's feature counts in the end.
    shares: HashMap<u32, f32>,
}

impl Memory {
    /// Starts from `features` `[n * d]`, of which an image keeps the share `keep` at each of its draws in `order`.
    #[must_use]
    pub fn new(mut features: Vec<f32>, dimensions: usize, keep: f64, order: &Order) -> Self {
        let images = features.len() / dimensions.max(1);
        let mut kept = vec![1.0; images];
        let mut shares = HashMap::with_capacity(order.items.len());
        for item in order.items.iter().rev() {
            shares.insert(item.draw, ((1.0 - keep) * kept[item.row]) as f32);
            kept[item.row] *= keep;
        }
        for (feature, kept) in features.chunks_exact_mut(dimensions.max(1)).zip(kept) {
            feature.iter_mut().for_each(|value| *value *= kept as f32);
        }
        Self { dimensions, values: features, shares }
    }

    /// Takes in the features `[b, d]` of the draws of a batch.
    ///
    /// # Errors
    /// When a feature is not finite, or libtorch fails.
    pub fn take(&mut self, items: &[Item], features: &Tensor) -> Result<(), Error> {
        let mut features = Vec::<f32>::try_from(features.f_flatten(0, -1)?)?;
        normalise(&mut features, self.dimensions, |draw| image(items[draw].row))?;
        for (item, feature) in items.iter().zip(features.chunks_exact(self.dimensions.max(1))) {
            let share = self.shares.get(&item.draw).copied().unwrap_or_default();
            let sums = &mut self.values[item.row * self.dimensions..][..self.dimensions];
            sums.iter_mut().zip(feature).for_each(|(sum, value)| *sum += share * value);
        }
        Ok(())
    }

    /// The features `[n * d]` after the epoch, each of length 1.
    ///
    /// # Errors
    /// When a feature is not finite.
    pub fn finish(mut self) -> Result<Vec<f32>, Error> {
        normalise(&mut self.values, self.dimensions, image)?;
        Ok(self.values)
    }
}

/// The image of a row: those of a data set are numbered from 0, in the manifest's order.
fn image(row: usize) -> ImageId {
    ImageId(row as u32)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_that_is_not_finite_names_the_image_that_was_drawn() {
        let items: Vec<Item> = [5, 2, 3].into_iter().zip(0..).map(|(row, draw)| Item { row, draw }).collect();
        let order = Order { labels: vec![0; 3], items: items.clone(), clusterings: 1, clusters: 1 };
        let mut memory = Memory::new(vec![1.0; 6], 1, 0.5, &order);
        let error = memory.take(&items, &Tensor::from_slice(&[1.0_f32, f32::NAN, 1.0]).view([3, 1])).unwrap_err();
        assert!(error.to_string().contains("the feature of image 2 "), "{error}");
    }

    #[test]
    fn an_image_keeps_its_share_at_each_draw() {
        let items: Vec<Item> = [1, 0, 1].into_iter().zip(0..).map(|(row, draw)| Item { row, draw }).collect();
        let order = Order { labels: vec![0; 3], items: items.clone(), clusterings: 1, clusters: 1 };
        let features = vec![1.0, 0.0, 1.0, 0.0, 0.6, 0.8];
        let mut memory = Memory::new(features, 2, 0.5, &order);
        // Of any length: their direction counts.
        memory.take(&items[..2], &Tensor::from_slice(&[0.0_f32, 7.0, 0.0, 3.0]).view([2, 2])).unwrap();
        memory.take(&items[2..], &Tensor::from_slice(&[-2.0_f32, 0.0]).view([1, 2])).unwrap();
        let found = memory.finish().unwrap();
        // Image 0: half of each. Image 1: (1, 0) / 4 + (0, 1) / 4 - (1, 0) / 2. Image 2 was not drawn.
        let half = 0.5_f32.sqrt();
        let expected = [half, half, -half, half, 0.6, 0.8];
        assert!(found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-6), "{found:?}");
    }
}
