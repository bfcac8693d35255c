//! What k-means sees: the features of a table, or the smoothed ones of the images of its graph.

use deepmcat_schemas::Assignments;
use tch::Device;

use crate::{Blocks, Error, Fit, Parameters, assign, fit};
use deepmcat_features::Features;
use deepmcat_features::Graph;

/// Rows to cluster, and the images that follow them.
pub(crate) struct Space<'a> {
    rows: Features<'a>,
    /// The rows on their device.
    pub(crate) blocks: Blocks<'a>,
    /// Of smoothed features: for each image of the table its row, or the nearest rows of one outside the graph.
    places: Option<Vec<Vec<u32>>>,
}

impl<'a> Space<'a> {
    /// The unsmoothed features.
    ///
    /// # Errors
    /// When the device has no room for them.
    pub(crate) fn of(features: &Features<'a>, device: Device) -> Result<Self, Error> {
        let rows = features.clone();
        let blocks = Blocks::new(&rows, assign::block_rows(device), device)?;
        Ok(Self { rows, blocks, places: None })
    }

    /// The smoothed features `values` `[a * d]` of the images of a graph.
    ///
    /// # Errors
    /// When memory runs out.
    pub(crate) fn smoothed(
        features: &Features<'_>,
        graph: &'a Graph,
        values: &'a [f32],
        device: Device,
    ) -> Result<Self, Error> {
        let rows = Features::of(features.source(), &graph.ids, features.dimensions(), values)?;
        let blocks = Blocks::new(&rows, assign::block_rows(device), device)?;
        Ok(Self { rows, blocks, places: Some(graph.places(features, device)?) })
    }

    /// A fit of the rows, and the cluster of every image of the table `[n]`: of one outside the graph that of most of its
    /// nearest rows, of equals that of the nearest.
    ///
    /// # Errors
    /// When there are fewer rows than clusters, features are not finite, or memory runs out.
    pub(crate) fn fit(
        &mut self,
        previous: Option<&Assignments>,
        parameters: &Parameters,
    ) -> Result<(Fit, Vec<u32>), Error> {
        let fit = fit(&self.rows, previous, &mut self.blocks, parameters)?;
        let all = match &self.places {
            None => fit.clusters.clone(),
            Some(places) => places.iter().map(|rows| most(rows, &fit.clusters)).collect(),
        };
        Ok((fit, all))
    }
}

/// The cluster of most of some rows; of equals that of the first.
fn most(rows: &[u32], clusters: &[u32]) -> u32 {
    let near = || rows.iter().map(|&row| clusters[row as usize]);
    let votes = |cluster: u32| near().filter(|&other| other == cluster).count();
    // Of equals `max_by_key` takes the last.
    near().rev().max_by_key(|&cluster| votes(cluster)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_rows_decide_and_of_equals_the_nearest() {
        let clusters = [7, 7, 2, 2, 9];
        assert_eq!(most(&[0], &clusters), 7);
        assert_eq!(most(&[4, 2, 3], &clusters), 2);
        assert_eq!(most(&[2, 0, 1, 3, 4], &clusters), 2);
        assert_eq!(most(&[4, 2, 0], &clusters), 9);
    }
}
