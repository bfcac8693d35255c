//! Signs that training goes wrong, from the metrics of an epoch. No label is looked at.

use crate::summary::Row;

/// Below this spread (`metrics`) all features are one point. An untrained network has 0.01, a trained one 0.2 and more.
const ONE_POINT: f64 = 1e-5;
/// Below this spread, after the first epoch, training has made features more alike than no training does.
const NARROW: f64 = 5e-3;
/// A cluster with such a share of all images is a giant.
const GIANT: f64 = 0.5;
/// Chance has a loss of ln k; a loss so many times as high diverges.
const DIVERGES: f64 = 1.5;

/// Why nothing can come of a run that goes on from here; none where something can.
#[must_use]
pub fn collapsed(row: &Row) -> Option<String> {
    let (spread, used) = (row.metrics.spread[0], row.metrics.clusters_used[0]);
    // The cause before its consequence: of one point k-means makes one cluster or several, by how sums round.
    if spread < ONE_POINT {
        return Some(format!("the network gives all images the same feature (spread {spread:.1e})"));
    }
    (used < 2).then(|| "all images are in one cluster".to_owned())
}

/// What is odd about an epoch, in words. One without an epoch before it is of a network that is not trained yet.
#[must_use]
pub fn warnings(row: &Row) -> Vec<String> {
    let metrics = &row.metrics;
    let (k, used) = (metrics.clusters[0], metrics.clusters_used[0]);
    let (largest, spread, previous) = (metrics.largest_share[0], metrics.spread[0], metrics.nmi_previous[0]);
    let mut found = Vec::new();
    let mut warn = |is: bool, text: String| {
        if is {
            found.push(text);
        }
    };
    warn(largest > GIANT && k > 2, format!("one cluster holds {:.0} % of all images", 100.0 * largest));
    warn(2 * used < k, format!("only {used} of {k} clusters hold an image"));
    warn(
        previous.is_some() && spread < NARROW,
        format!("features are nearly alike (spread {spread:.4}): a lower train.rate keeps them apart"),
    );
    let chance = f64::from(k).ln();
    if let Some(loss) = row.loss.filter(|loss| *loss > DIVERGES * chance) {
        warn(true, format!("the loss, {loss:.2}, is far above chance, {chance:.2}: a lower train.rate may help"));
    }
    warn(previous == Some(1.0), "assignments are those of the epoch before: more epochs change little".to_owned());
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmcat_schemas::Metrics;

    /// A sound epoch, but for what `change` makes of it.
    fn row(change: impl Fn(&mut Metrics)) -> Row {
        let mut metrics = Metrics {
            clusters: vec![10],
            clusters_used: vec![10],
            largest_share: vec![0.2],
            spread: vec![0.4],
            nmi_previous: vec![Some(0.5)],
            ..Metrics::default()
        };
        change(&mut metrics);
        Row { metrics, loss: Some(2.0), ..Row::default() }
    }

    #[test]
    fn a_sound_epoch_gives_no_warning() {
        let sound = row(|_| ());
        assert!(collapsed(&sound).is_none() && warnings(&sound).is_empty());
        // Before training features are close together.
        let untrained = row(|metrics| (metrics.spread[0], metrics.nmi_previous[0]) = (1e-3, None));
        assert!(warnings(&untrained).is_empty());
    }

    #[test]
    fn each_sign_is_told() {
        let texts = |change: fn(&mut Metrics)| warnings(&row(change)).join("; ");
        assert_eq!(texts(|metrics| metrics.largest_share[0] = 0.6), "one cluster holds 60 % of all images");
        assert_eq!(texts(|metrics| metrics.clusters_used[0] = 4), "only 4 of 10 clusters hold an image");
        assert!(texts(|metrics| metrics.spread[0] = 1e-3).starts_with("features are nearly alike (spread 0.0010)"));
        assert!(texts(|metrics| metrics.nmi_previous[0] = Some(1.0)).starts_with("assignments are those"));
        let lossy = warnings(&Row { loss: Some(4.0), ..row(|_| ()) }).join("; ");
        assert!(lossy.starts_with("the loss, 4.00, is far above chance, 2.30"), "{lossy}");
        let why = |change: fn(&mut Metrics)| collapsed(&row(change)).unwrap_or_default();
        assert!(why(|metrics| metrics.spread[0] = 1e-7).contains("same feature"));
        assert!(why(|metrics| (metrics.spread[0], metrics.clusters_used[0]) = (0.0, 1)).contains("same feature"));
        assert!(why(|metrics| metrics.clusters_used[0] = 1).contains("one cluster"));
    }
}
