//! The result of a run in one table: a row an epoch, the raw-pixel baseline first.

use std::path::PathBuf;

use deepmcat_schemas::layout::partition;
use deepmcat_schemas::{Epoch, Metrics, Training, read_folder};
use serde::Serialize;

use crate::RunFolder;
use crate::dag::{NodeId, Pass, Stage};
use crate::plan::Plan;

/// The figures of one pass.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[allow(missing_docs)] // named as in the metrics table, which says what they are
pub struct Row {
    /// `raw`, an epoch, or `final`.
    pub pass: String,
    pub clusters: u32,
    pub clusters_used: u32,
    pub largest_share: f64,
    pub spread: f64,
    pub purity: Option<f64>,
    pub balanced_purity: Option<f64>,
    pub nmi_labels: Option<f64>,
    pub ari: Option<f64>,
    pub ami: Option<f64>,
    pub nmi_previous: Option<f64>,
    pub changed_share: Option<f64>,
    /// Mean training loss of the epoch.
    pub loss: Option<f64>,
    /// Wall-clock seconds of the pass's nodes, `evaluate` left out since it runs beside.
    pub seconds: Option<f64>,
}

impl Row {
    /// Reads the figures of a pass, if its metrics are there.
    #[must_use]
    pub fn read(run: &RunFolder, plan: &Plan, pass: Pass) -> Option<Self> {
        let (name, folder): (String, PathBuf) = match pass {
            Pass::Once => return None,
            Pass::Raw => ("raw".to_owned(), run.path.join("baseline/metrics")),
            Pass::Epoch(epoch) => {
                let last = epoch.0 == run.config.run.epochs;
                let name = if last { "final".to_owned() } else { epoch.to_string() };
                (name, partition(&run.path, "metrics", epoch))
            }
        };
        let metrics: Metrics = read_folder(&folder).ok()?;
        let seconds: f64 = plan
            .nodes
            .iter()
            .zip(&plan.receipts)
            .filter(|(node, _)| node.id.pass == pass && node.id.stage != Stage::Evaluate)
            .filter_map(|(_, receipt)| Some(receipt.as_ref()?.seconds))
            .sum();
        // The last pass may have the table of a training that the run no longer does.
        let trains = plan.nodes.iter().any(|node| node.id == NodeId { stage: Stage::Train, pass });
        let loss = match pass {
            Pass::Epoch(epoch) if trains => mean_loss(run, epoch),
            _ => None,
        };
        Some(Self {
            pass: name,
            clusters: *metrics.clusters.first()?,
            clusters_used: *metrics.clusters_used.first()?,
            largest_share: *metrics.largest_share.first()?,
            spread: *metrics.spread.first()?,
            purity: *metrics.purity.first()?,
            balanced_purity: *metrics.balanced_purity.first()?,
            nmi_labels: *metrics.nmi_labels.first()?,
            ari: *metrics.ari.first()?,
            ami: *metrics.ami.first()?,
            nmi_previous: *metrics.nmi_previous.first()?,
            changed_share: *metrics.changed_share.first()?,
            loss,
            seconds: (seconds > 0.0).then_some(seconds),
        })
    }

    /// The figures in one line.
    #[must_use]
    pub fn line(&self) -> String {
        let parts = [
            ("purity", self.purity),
            ("balanced", self.balanced_purity),
            ("NMI labels", self.nmi_labels),
            ("NMI t/t-1", self.nmi_previous),
            ("changed", self.changed_share),
        ];
        let texts: Vec<String> =
            parts.iter().filter_map(|(name, value)| value.map(|value| format!("{name} {value:.3}"))).collect();
        if texts.is_empty() { format!("{} clusters used", self.clusters_used) } else { texts.join(", ") }
    }
}

/// Mean training loss of an epoch, if its table is there.
pub(crate) fn mean_loss(run: &RunFolder, epoch: Epoch) -> Option<f64> {
    let training: Training = read_folder(&partition(&run.path, "training", epoch)).ok()?;
    let sum: f64 = training.loss.iter().copied().map(f64::from).sum();
    (!training.loss.is_empty()).then(|| sum / training.loss.len() as f64)
}

/// All rows there are: the baseline, then the epochs in order. Tables of epochs that the run no longer evaluates, since
/// its settings were changed, are not its own.
#[must_use]
pub fn rows(run: &RunFolder, plan: &Plan) -> Vec<Row> {
    let evaluated = plan.nodes.iter().filter(|node| node.id.stage == Stage::Evaluate);
    evaluated.filter_map(|node| Row::read(run, plan, node.id.pass)).collect()
}

/// The rows as an aligned table.
#[must_use]
pub fn table(rows: &[Row]) -> String {
    let heads = [
        "pass",
        "purity",
        "balanced",
        "NMI labels",
        "ARI",
        "AMI",
        "NMI t/t-1",
        "changed",
        "loss",
        "clusters",
        "seconds",
    ];
    let figure = |value: Option<f64>, digits: usize| value.map_or_else(|| "-".to_owned(), |v| format!("{v:.digits$}"));
    let mut lines = vec![heads.map(str::to_owned)];
    lines.extend(rows.iter().map(|row| {
        [
            row.pass.clone(),
            figure(row.purity, 4),
            figure(row.balanced_purity, 4),
            figure(row.nmi_labels, 4),
            figure(row.ari, 4),
            figure(row.ami, 4),
            figure(row.nmi_previous, 4),
            figure(row.changed_share, 4),
            figure(row.loss, 3),
            format!("{}/{}", row.clusters_used, row.clusters),
            figure(row.seconds, 1),
        ]
    }));
    let width = |column: usize| lines.iter().map(|line| line[column].len()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let line = |cells: &[String; 11]| {
        let cells: Vec<String> = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:>width$}")).collect();
        cells.join("  ")
    };
    lines.iter().map(line).collect::<Vec<_>>().join("\n")
}
