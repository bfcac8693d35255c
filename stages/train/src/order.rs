//! The training order: which image with which pseudo-label comes when.

use std::collections::HashMap;
use std::path::Path;

use deepmcat_network::{Error, Item};
use deepmcat_schemas::{ImageId, Manifest, Samples};

/// An epoch's draws, in the order of their position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The images; a draw's random numbers go by its position, since an image may be drawn twice.
    pub items: Vec<Item>,
    /// The pseudo-labels of each, one of each clustering.
    pub labels: Vec<i64>,
    /// h: pseudo-labels of a draw.
    pub clusterings: usize,
    /// k: one more than the largest pseudo-label.
    pub clusters: i64,
}

impl Order {
    /// The order of `samples`, read from the folder `path`, over the images of `manifest`.
    ///
    /// # Errors
    /// When there is no sample, or one is of an image that the manifest does not hold.
    pub fn new(samples: &Samples, manifest: &Manifest, path: &Path) -> Result<Self, Error> {
        if samples.image_id.is_empty() {
            return Err(Error::Empty { path: path.to_owned() });
        }
        let rows: HashMap<ImageId, usize> = manifest.image_id.iter().enumerate().map(|(row, &id)| (id, row)).collect();
        let mut draws: Vec<usize> = (0..samples.position.len()).collect();
        draws.sort_unstable_by_key(|&draw| samples.position[draw]);
        let item = |&draw: &usize| {
            let id = samples.image_id[draw];
            let row = rows.get(&id).ok_or(Error::UnknownImage { id, images: rows.len() })?;
            Ok(Item { row: *row, draw: samples.position[draw] })
        };
        let items = draws.iter().map(item).collect::<Result<_, Error>>()?;
        let clusterings = 1 + samples.others[0].len();
        if samples.others.iter().any(|others| others.len() + 1 != clusterings) {
            return Err(Error::Clusterings { path: path.to_owned() });
        }
        let of_draw = |&draw: &usize| std::iter::once(&samples.cluster[draw]).chain(&samples.others[draw]);
        let labels: Vec<i64> = draws.iter().flat_map(of_draw).map(|cluster| i64::from(cluster.0)).collect();
        let clusters = labels.iter().max().map_or(0, |largest| largest + 1);
        Ok(Self { items, labels, clusterings, clusters })
    }

    /// Leaves out a last batch of one image, which batch norm cannot work with.
    pub fn without_rest(&mut self, batch: usize) {
        let rest = self.items.len() % batch;
        if rest == 1 && self.items.len() > 1 {
            self.items.truncate(self.items.len() - 1);
            self.labels.truncate(self.items.len() * self.clusterings);
        }
    }

    /// The pseudo-labels `[draws * h]` of some draws.
    #[must_use]
    pub fn labels_of(&self, draws: std::ops::Range<usize>) -> &[i64] {
        &self.labels[draws.start * self.clusterings..draws.end * self.clusterings]
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use deepmcat_schemas::ClusterId;

    fn samples(draws: &[(u32, u32, u32)]) -> Samples {
        let mut samples = Samples::default();
        for &(position, image, cluster) in draws {
            samples.position.push(position);
            samples.image_id.push(ImageId(image));
            samples.cluster.push(ClusterId(cluster));
            samples.others.push(Vec::new());
        }
        samples
    }

    #[test]
    fn draws_come_by_position_and_find_their_row() {
        let manifest = Manifest { image_id: vec![ImageId(7), ImageId(3)], ..Manifest::default() };
        let samples = samples(&[(2, 3, 5), (0, 7, 1), (1, 7, 1)]);
        let mut order = Order::new(&samples, &manifest, Path::new("samples")).unwrap();
        let expected = [(0, 0), (0, 1), (1, 2)].map(|(row, draw)| Item { row, draw });
        assert_eq!(
            (order.items.as_slice(), order.labels.as_slice(), order.clusters),
            (&expected[..], &[1, 1, 5][..], 6)
        );
        order.without_rest(2);
        assert_eq!((order.items.len(), order.labels.len()), (2, 2));
        order.without_rest(2);
        assert_eq!(order.items.len(), 2);
    }

    #[test]
    fn samples_of_another_data_set_are_refused() {
        let manifest = Manifest { image_id: vec![ImageId(0)], ..Manifest::default() };
        let error = Order::new(&samples(&[(0, 4, 0)]), &manifest, Path::new("samples")).unwrap_err();
        assert!(error.to_string().contains("image 4"), "{error}");
        let error = Order::new(&samples(&[]), &manifest, Path::new("samples/epoch=0")).unwrap_err();
        assert!(error.to_string().contains("samples/epoch=0"), "{error}");
    }
}
