//! What the result's clusters say of an image: it is half what it is told as by itself, and half what its cluster is told as
//! on average. A cluster lies between few categories, and an image at its rim is told by its neighbours alone otherwise.

use std::collections::BTreeMap;

use deepmcat_schemas::ClusterId;

/// The mean probabilities `[c]` of the images of each cluster.
pub(crate) type Shares = BTreeMap<ClusterId, Vec<f64>>;

/// What the images of each cluster are told as on average, each by itself: `own` `[n * c]`.
pub(crate) fn means(own: &[f64], clusters: &[ClusterId], c: usize) -> Shares {
    let mut sums: BTreeMap<ClusterId, (f64, Vec<f64>)> = BTreeMap::new();
    for (shares, &cluster) in own.chunks_exact(c).zip(clusters) {
        let (count, sum) = sums.entry(cluster).or_insert_with(|| (0.0, vec![0.0; c]));
        *count += 1.0;
        sum.iter_mut().zip(shares).for_each(|(sum, share)| *sum += share);
    }
    let mean = |(count, sum): (f64, Vec<f64>)| sum.into_iter().map(|sum| sum / count).collect();
    sums.into_iter().map(|(cluster, sum)| (cluster, mean(sum))).collect()
}

/// The mean of the probabilities of each image `[n * c]` and of those of its cluster.
pub(crate) fn with_clusters(own: &[f64], clusters: &[ClusterId], means: &Shares, c: usize) -> Vec<f64> {
    let mut told = own.to_vec();
    for (shares, cluster) in told.chunks_exact_mut(c).zip(clusters) {
        if let Some(mean) = means.get(cluster) {
            shares.iter_mut().zip(mean).for_each(|(share, mean)| *share = f64::midpoint(*share, *mean));
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_what_an_image_is_told_as_is_its_clusters() {
        let clusters = [0, 0, 1].map(ClusterId);
        let own = [1.0, 0.0, 0.75, 0.25, 0.5, 0.5];
        let told = with_clusters(&own, &clusters, &means(&own, &clusters, 2), 2);
        let expected = [0.937_5, 0.062_5, 0.812_5, 0.187_5, 0.5, 0.5];
        assert!(told.iter().zip(expected).all(|(told, expected)| (told - expected).abs() < 1e-12), "{told:?}");
    }
}
