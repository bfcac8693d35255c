//! The metrics, each a function of a contingency table. Conventions for degenerate tables are scikit-learn's.

use crate::contingency::Contingency;

/// Entropy of a partition in nats: -sum p ln p.
fn entropy(sizes: &[u64], total: u64) -> f64 {
    let n = total as f64;
    -sizes.iter().filter(|&&size| size > 0).map(|&size| (size as f64 / n) * (size as f64 / n).ln()).sum::<f64>()
}

/// Mutual information in nats: sum p_ij ln(p_ij / (p_i p_j)).
fn mutual_information(table: &Contingency) -> f64 {
    let n = table.total as f64;
    let term = |&(row, column, count): &(usize, usize, u64)| {
        let count = count as f64;
        let expected = table.rows[row] as f64 * table.columns[column] as f64;
        count / n * (count * n / expected).ln()
    };
    table.cells.iter().map(term).sum::<f64>().max(0.0)
}

/// Both partitions are one group, or there is nothing: the partitions agree trivially.
fn trivially_equal(table: &Contingency) -> bool {
    table.rows.len() <= 1 && table.columns.len() <= 1
}

/// Normalised mutual information, paper eq. (2): `2 I(X;Y) / (H(X) + H(Y))`.
#[must_use]
pub fn nmi(table: &Contingency) -> f64 {
    if trivially_equal(table) {
        return 1.0;
    }
    let information = mutual_information(table);
    // As scikit-learn: independent partitions give exactly 0, whatever rounding left.
    if information <= f64::EPSILON {
        return 0.0;
    }
    2.0 * information / (entropy(&table.rows, table.total) + entropy(&table.columns, table.total))
}

/// The majority class of each cluster; the first class in name order where several are as many.
fn majorities(table: &Contingency) -> Vec<(usize, u64)> {
    let mut best = vec![(0, 0); table.columns.len()];
    // Cells come in row order, so a later class has to be strictly larger.
    for &(row, column, count) in &table.cells {
        if count > best[column].1 {
            best[column] = (row, count);
        }
    }
    best
}

/// Cluster purity, paper eq. (3): share of the items that are of their cluster's majority class.
#[must_use]
pub fn purity(table: &Contingency) -> f64 {
    majorities(table).iter().map(|(_, count)| count).sum::<u64>() as f64 / table.total as f64
}

/// Mean over classes of the share of the class's items whose cluster has that majority.
///
/// Unlike purity it does not let a large class hide a small one that no cluster shows.
#[must_use]
pub fn balanced_purity(table: &Contingency) -> f64 {
    let mut right = vec![0_u64; table.rows.len()];
    for (row, count) in majorities(table) {
        right[row] += count;
    }
    let shares = right.iter().zip(&table.rows).map(|(&right, &size)| right as f64 / size as f64);
    shares.sum::<f64>() / table.rows.len() as f64
}

/// Adjusted Rand index (Hubert and Arabie, 1985).
#[must_use]
pub fn ari(table: &Contingency) -> f64 {
    let pairs = |count: u64| count as f64 * (count as f64 - 1.0) / 2.0;
    let together: f64 = table.cells.iter().map(|&(_, _, count)| pairs(count)).sum();
    let rows: f64 = table.rows.iter().map(|&size| pairs(size)).sum();
    let columns: f64 = table.columns.iter().map(|&size| pairs(size)).sum();
    // Partitions of the same pairs agree fully, also where the formula is 0 / 0.
    if together == rows && together == columns {
        return 1.0;
    }
    let expected = rows * columns / pairs(table.total);
    (together - expected) / ((rows + columns) / 2.0 - expected)
}

/// Adjusted mutual information (Vinh, Epps and Bailey, 2010), arithmetic mean of entropies.
#[must_use]
pub fn ami(table: &Contingency) -> f64 {
    let (classes, clusters) = (table.rows.len(), table.columns.len());
    let singletons = |groups: usize| groups as u64 == table.total;
    if trivially_equal(table) || (singletons(classes) && singletons(clusters)) {
        return 1.0;
    }
    if classes == 1 || clusters == 1 {
        return 0.0;
    }
    let expected = expected_mutual_information(table);
    let mean = (entropy(&table.rows, table.total) + entropy(&table.columns, table.total)) / 2.0;
    // As scikit-learn: a denominator of 0 keeps its sign and is never 0.
    let denominator = mean - expected;
    let denominator = if denominator < 0.0 { denominator.min(-f64::EPSILON) } else { denominator.max(f64::EPSILON) };
    (mutual_information(table) - expected) / denominator
}

/// Expected mutual information of two random partitions with these sizes (hypergeometric model).
fn expected_mutual_information(table: &Contingency) -> f64 {
    let n = table.total;
    // ln k! for k = 0 ..= n, once: the sum below asks for millions of them.
    let factorials: Vec<f64> = (0..=n).map(|k| libm::lgamma(k as f64 + 1.0)).collect();
    let ln_factorial = |k: u64| factorials[k as usize];
    // Equal sizes give equal terms: 104 clusters have far fewer different sizes than pairs.
    let (rows, columns) = (sizes(&table.rows), sizes(&table.columns));
    let mut sum = 0.0;
    for &(a, times_a) in &rows {
        for &(b, times_b) in &columns {
            let fixed = ln_factorial(a) + ln_factorial(b) + ln_factorial(n - a) + ln_factorial(n - b) - ln_factorial(n);
            let low = (a + b).saturating_sub(n).max(1);
            let term = |nij: u64| {
                let share = nij as f64 / n as f64;
                let gain = (n as f64 * nij as f64 / (a as f64 * b as f64)).ln();
                let ways =
                    ln_factorial(nij) + ln_factorial(a - nij) + ln_factorial(b - nij) + ln_factorial(n + nij - a - b);
                share * gain * (fixed - ways).exp()
            };
            sum += (times_a * times_b) as f64 * (low..=a.min(b)).map(term).sum::<f64>();
        }
    }
    sum
}

/// Different sizes and how often each comes, ordered.
fn sizes(sizes: &[u64]) -> Vec<(u64, u64)> {
    let mut counts = std::collections::BTreeMap::new();
    for &size in sizes {
        *counts.entry(size).or_insert(0) += 1;
    }
    counts.into_iter().collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn table(labels: &[u32], clusters: &[u32]) -> Contingency {
        Contingency::from_counts(labels.iter().zip(clusters).map(|(&label, &cluster)| (label, cluster, 1)))
    }

    /// `fixtures/golden.csv`, made by `fixtures/make_golden.py` with scikit-learn: labels, clusters, then figures.
    #[test]
    fn figures_equal_scikit_learns() {
        let golden = include_str!("../fixtures/golden.csv");
        let mut cases = 0;
        for line in golden.lines().skip(1) {
            let parts: Vec<&str> = line.split(',').collect();
            let ids = |text: &str| text.split_whitespace().map(|id| id.parse().unwrap()).collect::<Vec<u32>>();
            let table = table(&ids(parts[1]), &ids(parts[2]));
            let ours = [nmi(&table), ari(&table), ami(&table), purity(&table), balanced_purity(&table)];
            for ((name, ours), theirs) in ["nmi", "ari", "ami", "purity", "balanced"].iter().zip(ours).zip(&parts[3..])
            {
                let theirs: f64 = theirs.parse().unwrap();
                assert!((ours - theirs).abs() < 1e-9, "{}: {name} is {ours}, scikit-learn says {theirs}", parts[0]);
            }
            cases += 1;
        }
        assert!(cases >= 30, "{cases}");
    }

    /// What scikit-learn 1.9 gives for two empty lists.
    #[test]
    fn nothing_agrees_with_nothing() {
        let empty = Contingency::default();
        assert_eq!([nmi(&empty), ari(&empty), ami(&empty)], [1.0; 3]);
    }

    proptest! {
        #[test]
        fn renaming_clusters_changes_nothing(pairs in prop::collection::vec((0_u32..5, 0_u32..9), 1..200)) {
            let (labels, clusters): (Vec<u32>, Vec<u32>) = pairs.into_iter().unzip();
            let renamed: Vec<u32> = clusters.iter().map(|cluster| 100 - cluster * 7).collect();
            let (one, two) = (table(&labels, &clusters), table(&labels, &renamed));
            for metric in [nmi, ari, ami, purity, balanced_purity] {
                prop_assert!((metric(&one) - metric(&two)).abs() < 1e-12);
            }
        }

        #[test]
        fn a_partition_agrees_fully_with_itself(labels in prop::collection::vec(0_u32..6, 2..100)) {
            let same = table(&labels, &labels);
            for metric in [nmi, ari, ami, purity, balanced_purity] {
                prop_assert!((metric(&same) - 1.0).abs() < 1e-9);
            }
        }
    }
}
