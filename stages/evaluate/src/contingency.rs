//! The contingency table of two partitions: how many items are in class i and cluster j. Every metric follows from it.

use std::collections::BTreeMap;

/// Non-zero counts n_ij with their marginal sums. Rows are classes, columns clusters, both numbered densely.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contingency {
    /// (row, column, count), counts above 0, ordered.
    pub cells: Vec<(usize, usize, u64)>,
    /// Sum of each row.
    pub rows: Vec<u64>,
    /// Sum of each column.
    pub columns: Vec<u64>,
    /// All items.
    pub total: u64,
}

impl Contingency {
    /// From counts of (row key, column key): keys are numbered in their order.
    pub fn from_counts<R: Ord + Clone, C: Ord + Clone>(counts: impl IntoIterator<Item = (R, C, u64)>) -> Self {
        let mut sums: BTreeMap<(R, C), u64> = BTreeMap::new();
        for (row, column, count) in counts {
            *sums.entry((row, column)).or_default() += count;
        }
        sums.retain(|_, count| *count > 0);
        let rows: BTreeMap<R, usize> = number(sums.keys().map(|(row, _)| row.clone()));
        let columns: BTreeMap<C, usize> = number(sums.keys().map(|(_, column)| column.clone()));
        let mut table = Self { rows: vec![0; rows.len()], columns: vec![0; columns.len()], ..Self::default() };
        for ((row, column), count) in sums {
            let (row, column) = (rows[&row], columns[&column]);
            table.cells.push((row, column, count));
            table.rows[row] += count;
            table.columns[column] += count;
            table.total += count;
        }
        table
    }
}

fn number<K: Ord>(keys: impl Iterator<Item = K>) -> BTreeMap<K, usize> {
    let keys: std::collections::BTreeSet<K> = keys.collect();
    keys.into_iter().enumerate().map(|(number, key)| (key, number)).collect()
}
