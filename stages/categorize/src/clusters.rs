//! What the result's clusters say of an image: it is half what it is told as by itself, and half what its cluster is told as
//! on average. A cluster lies between few categories, and an image at its rim is told by its neighbours alone otherwise.

use std::collections::HashMap;

use deepmcat_schemas::ClusterId;

/// The mean of the probabilities of each image `[n * c]` and of those of its cluster.
pub(crate) fn with_clusters(own: &[f64], clusters: &[ClusterId], c: usize) -> Vec<f64> {
    let mut sums: HashMap<ClusterId, (f64, Vec<f64>)> = HashMap::new();
    for (shares, &cluster) in own.chunks_exact(c).zip(clusters) {
        let (count, sum) = sums.entry(cluster).or_insert_with(|| (0.0, vec![0.0; c]));
        *count += 1.0;
        sum.iter_mut().zip(shares).for_each(|(sum, share)| *sum += share);
    }
    let mut told = own.to_vec();
    for (shares, cluster) in told.chunks_exact_mut(c).zip(clusters) {
        let (count, sum) = &sums[cluster];
        shares.iter_mut().zip(sum).for_each(|(share, sum)| *share = (*share + sum / count) / 2.0);
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_what_an_image_is_told_as_is_its_clusters() {
        let clusters = [0, 0, 1].map(ClusterId);
        let told = with_clusters(&[1.0, 0.0, 0.75, 0.25, 0.5, 0.5], &clusters, 2);
        let expected = [0.937_5, 0.062_5, 0.812_5, 0.187_5, 0.5, 0.5];
        assert!(told.iter().zip(expected).all(|(told, expected)| (told - expected).abs() < 1e-12), "{told:?}");
    }
}
