//! The result of a run in one table: a row an epoch, the raw-pixel baseline first.

use std::path::{Path, PathBuf};

use deepmcat_schemas::layout::partition;
use deepmcat_schemas::{Epoch, Metrics, SchemaError, Table, Training, read_folder};
use serde::{Serialize, Serializer};
use serde_json::json;

use crate::dag::{Node, NodeId, Pass, Stage};
use crate::plan::{Plan, State};
use crate::{Error, RunFolder};

/// The figures of one pass.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Row {
    /// `raw`, an epoch, or `final`.
    pub pass: String,
    /// The one row of its table.
    pub metrics: Metrics,
    /// Mean training loss of the epoch.
    pub loss: Option<f64>,
    /// Wall-clock seconds of the pass's nodes, `evaluate` left out since it runs beside.
    pub seconds: Option<f64>,
}

impl Serialize for Row {
    /// One object: `pass`, `loss`, `seconds` and every column of the metrics.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let own = [("pass", json!(self.pass)), ("loss", json!(self.loss)), ("seconds", json!(self.seconds))];
        serializer
            .collect_map(own.map(|(name, value)| (name.to_owned(), value)).into_iter().chain(self.metrics.json(0)))
    }
}

impl Row {
    /// Reads the figures of a pass, if its metrics are there.
    ///
    /// # Errors
    /// When the table is there and is damaged.
    pub fn read(run: &RunFolder, plan: &Plan, pass: Pass) -> Result<Option<Self>, Error> {
        let (name, folder): (String, PathBuf) = match pass {
            Pass::Once => return Ok(None),
            Pass::Raw => ("raw".to_owned(), run.path.join("baseline/metrics")),
            Pass::Encoder => ("encoder".to_owned(), run.path.join("encoder/metrics")),
            Pass::Epoch(epoch) => {
                let last = epoch.0 == run.config.run.epochs;
                let name = if last { "final".to_owned() } else { epoch.to_string() };
                (name, partition(&run.path, "metrics", epoch))
            }
        };
        let Some(metrics) = read::<Metrics>(&folder)? else { return Ok(None) };
        if metrics.clusters.is_empty() {
            return Err(SchemaError::NoParts { path: folder, table: Metrics::NAME }.into());
        }
        let seconds: f64 = plan
            .nodes
            .iter()
            .zip(&plan.receipts)
            .filter(|(node, _)| node.id.pass == pass && node.id.stage != Stage::Evaluate)
            .filter_map(|(_, receipt)| Some(receipt.as_ref()?.seconds))
            .sum();
        // The last pass may have the table of a training that the run no longer does; that of an epoch whose training
        // runs beside its evaluation is not finished.
        let trained = NodeId { stage: Stage::Train, pass };
        let trains = plan.place(trained).is_ok_and(|place| plan.states[place] == State::Done);
        let loss = match pass {
            Pass::Epoch(epoch) if trains => mean_loss(run, epoch)?,
            _ => None,
        };
        Ok(Some(Self { pass: name, metrics, loss, seconds: (seconds > 0.0).then_some(seconds) }))
    }

    /// The figures in one line.
    #[must_use]
    pub fn line(&self) -> String {
        let metrics = &self.metrics;
        let parts = [
            ("purity", metrics.purity[0]),
            ("balanced", metrics.balanced_purity[0]),
            ("NMI labels", metrics.nmi_labels[0]),
            ("NMI t/t-1", metrics.nmi_previous[0]),
            ("changed", metrics.changed_share[0]),
        ];
        let texts: Vec<String> =
            parts.iter().filter_map(|(name, value)| value.map(|value| format!("{name} {value:.3}"))).collect();
        if texts.is_empty() { format!("{} clusters used", metrics.clusters_used[0]) } else { texts.join(", ") }
    }
}

/// Mean training loss of an epoch, if its table is there.
///
/// # Errors
/// When the table is there and is damaged.
pub(crate) fn mean_loss(run: &RunFolder, epoch: Epoch) -> Result<Option<f64>, Error> {
    let Some(training) = read::<Training>(&partition(&run.path, "training", epoch))? else { return Ok(None) };
    let sum: f64 = training.loss.iter().copied().map(f64::from).sum();
    Ok((!training.loss.is_empty()).then(|| sum / training.loss.len() as f64))
}

/// A table; `None` where its folder is not there, or nothing is in it yet.
pub(crate) fn read<T: Table>(folder: &Path) -> Result<Option<T>, Error> {
    if !folder.exists() {
        return Ok(None);
    }
    match read_folder(folder) {
        Err(SchemaError::NoParts { .. }) => Ok(None),
        table => Ok(Some(table?)),
    }
}

/// All rows there are: the baseline, then the epochs in order. Tables of epochs that the run no longer evaluates, since
/// its settings were changed, are not its own. A damaged one is left out with a warning.
#[must_use]
pub fn rows(run: &RunFolder, plan: &Plan) -> Vec<Row> {
    let evaluated = plan.nodes.iter().filter(|node| node.id.stage == Stage::Evaluate);
    let row = |node: &Node| {
        Row::read(run, plan, node.id.pass).unwrap_or_else(|error| {
            tracing::warn!("the metrics of {} cannot be read; the next run makes them again: {error}", node.id);
            None
        })
    };
    evaluated.filter_map(row).collect()
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
            figure(row.metrics.purity[0], 4),
            figure(row.metrics.balanced_purity[0], 4),
            figure(row.metrics.nmi_labels[0], 4),
            figure(row.metrics.ari[0], 4),
            figure(row.metrics.ami[0], 4),
            figure(row.metrics.nmi_previous[0], 4),
            figure(row.metrics.changed_share[0], 4),
            figure(row.loss, 3),
            format!("{}/{}", row.metrics.clusters_used[0], row.metrics.clusters[0]),
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
