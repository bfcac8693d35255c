//! The row of metrics as one JSON object, for programs that read stdout.

use deepmcat_schemas::Metrics;

/// The row as text: every column under its name, null where the table has null.
pub fn object(metrics: &Metrics) -> String {
    let count = |column: &[u32]| column.first().map(|&value| f64::from(value));
    let figure = |column: &[f64]| column.first().copied();
    let perhaps = |column: &[Option<f64>]| column.first().copied().flatten();
    // In the order of the table's columns; a test compares the names.
    let pairs = [
        ("images", count(&metrics.images)),
        ("clusters", count(&metrics.clusters)),
        ("clusters_used", count(&metrics.clusters_used)),
        ("largest_share", figure(&metrics.largest_share)),
        ("nmi_previous", perhaps(&metrics.nmi_previous)),
        ("changed_share", perhaps(&metrics.changed_share)),
        ("nmi_labels", perhaps(&metrics.nmi_labels)),
        ("purity", perhaps(&metrics.purity)),
        ("balanced_purity", perhaps(&metrics.balanced_purity)),
        ("ari", perhaps(&metrics.ari)),
        ("ami", perhaps(&metrics.ami)),
        ("labelled", count(&metrics.labelled)),
        ("classes", count(&metrics.classes)),
        ("inertia", figure(&metrics.inertia)),
        ("spread", figure(&metrics.spread)),
    ];
    let text = |value: Option<f64>| match value {
        Some(value) if value.is_finite() => value.to_string(),
        // JSON has no other word for what is no number.
        _ => "null".to_owned(),
    };
    let members: Vec<String> = pairs.iter().map(|(name, value)| format!("\"{name}\": {}", text(*value))).collect();
    format!("{{{}}}", members.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmcat_schemas::Table;

    #[test]
    fn the_object_has_the_tables_columns_in_order() {
        let metrics = Metrics { images: vec![3000], purity: vec![None], spread: vec![0.5], ..Metrics::default() };
        let object = object(&metrics);
        let names: Vec<&str> = object.split('"').skip(1).step_by(2).collect();
        assert_eq!(names, Metrics::columns().iter().map(|column| column.name).collect::<Vec<_>>());
        assert!(object.starts_with("{\"images\": 3000, \"clusters\": null"), "{object}");
        assert!(object.ends_with("\"spread\": 0.5}"), "{object}");
    }
}
