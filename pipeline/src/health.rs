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
    // The cause before its consequence: of one point k-means makes one cluster or several, by how sums round.
    if row.spread < ONE_POINT {
        return Some(format!("the network gives all images the same feature (spread {:.1e})", row.spread));
    }
    (row.clusters_used < 2).then(|| "all images are in one cluster".to_owned())
}

/// What is odd about an epoch, in words. One without an epoch before it is of a network that is not trained yet.
#[must_use]
pub fn warnings(row: &Row) -> Vec<String> {
    let k = f64::from(row.clusters);
    let mut found = Vec::new();
    let mut warn = |is: bool, text: String| {
        if is {
            found.push(text);
        }
    };
    warn(
        row.largest_share > GIANT && k > 2.0,
        format!("one cluster holds {:.0} % of all images", 100.0 * row.largest_share),
    );
    warn(
        2 * row.clusters_used < row.clusters,
        format!("only {} of {} clusters hold an image", row.clusters_used, row.clusters),
    );
    warn(
        row.nmi_previous.is_some() && row.spread < NARROW,
        format!("features are nearly alike (spread {:.4}): a lower train.rate keeps them apart", row.spread),
    );
    let chance = k.ln();
    if let Some(loss) = row.loss.filter(|loss| *loss > DIVERGES * chance) {
        warn(true, format!("the loss, {loss:.2}, is far above chance, {chance:.2}: a lower train.rate may help"));
    }
    warn(
        row.nmi_previous == Some(1.0),
        "assignments are those of the epoch before: more epochs change little".to_owned(),
    );
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        Row {
            clusters: 10,
            clusters_used: 10,
            largest_share: 0.2,
            spread: 0.4,
            loss: Some(2.0),
            nmi_previous: Some(0.5),
            ..Row::default()
        }
    }

    #[test]
    fn a_sound_epoch_gives_no_warning() {
        assert!(collapsed(&row()).is_none() && warnings(&row()).is_empty());
        // Before training features are close together.
        assert!(warnings(&Row { spread: 1e-3, nmi_previous: None, ..row() }).is_empty());
    }

    #[test]
    fn each_sign_is_told() {
        let texts = |row: Row| warnings(&row).join("; ");
        assert_eq!(texts(Row { largest_share: 0.6, ..row() }), "one cluster holds 60 % of all images");
        assert_eq!(texts(Row { clusters_used: 4, ..row() }), "only 4 of 10 clusters hold an image");
        assert!(texts(Row { spread: 1e-3, ..row() }).starts_with("features are nearly alike (spread 0.0010)"));
        assert!(texts(Row { loss: Some(4.0), ..row() }).starts_with("the loss, 4.00, is far above chance, 2.30"));
        assert!(texts(Row { nmi_previous: Some(1.0), ..row() }).starts_with("assignments are those"));
        assert!(collapsed(&Row { spread: 1e-7, ..row() }).is_some_and(|why| why.contains("same feature")));
        let both = Row { spread: 0.0, clusters_used: 1, ..row() };
        assert!(collapsed(&both).is_some_and(|why| why.contains("same feature")));
        assert!(collapsed(&Row { clusters_used: 1, ..row() }).is_some_and(|why| why.contains("one cluster")));
    }
}
