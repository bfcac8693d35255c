//! What the user sees of a run: a bar with time left on a terminal, and a line an epoch.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::dag::{Node, NodeId, Pass, Stage};
use crate::plan::{Plan, State};
use crate::summary::{Row, mean_loss};
use crate::{RunFolder, health};

/// How often a line says what runs, where there is no terminal and nothing else was said.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// Bytes at the end of a log in which a stage's last progress is looked for.
const TAIL: u64 = 4096;

pub(super) struct Report {
    bar: ProgressBar,
    /// What runs, since when.
    running: Vec<(NodeId, Instant)>,
    start: Instant,
    last_line: Instant,
    /// Seconds of the nodes that ended since, side by side or not; `evaluate` left out.
    spent: f64,
}

impl Report {
    pub(super) fn new(run: &RunFolder, plan: &Plan) -> Self {
        let [done, todo, waits] = plan.counts();
        let bar = ProgressBar::new(plan.nodes.len() as u64).with_position(done as u64);
        let visible = std::io::stderr().is_terminal() && tracing::enabled!(tracing::Level::INFO);
        bar.set_draw_target(if visible { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() });
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} nodes  {msg}") {
            bar.set_style(style);
        }
        if todo + waits > 0 {
            let noun = if todo + waits == 1 { "node" } else { "nodes" };
            tracing::info!("{}: {} {noun} to run, {done} done", run.path.display(), todo + waits);
        }
        let now = Instant::now();
        Self { bar, running: Vec::new(), start: now, last_line: now, spent: 0.0 }
    }

    pub(super) fn started(&mut self, node: &Node) {
        tracing::debug!("{} starts", node.id);
        self.running.push((node.id, Instant::now()));
        self.bar.set_message(self.names());
    }

    fn names(&self) -> String {
        self.running.iter().map(|(node, _)| node.to_string()).collect::<Vec<_>>().join(", ")
    }

    /// Nothing has ended for a while: says what runs, where no bar does.
    pub(super) fn still(&mut self, run: &RunFolder, plan: &Plan) {
        if !self.bar.is_hidden() || self.last_line.elapsed() < LINE_EVERY {
            return;
        }
        self.last_line = Instant::now();
        let running: Vec<(NodeId, f64)> =
            self.running.iter().map(|(node, since)| (*node, since.elapsed().as_secs_f64())).collect();
        tracing::info!("{}", what_runs(run, &running, self.left(plan)));
    }

    /// Seconds until the run ends, where that is known.
    fn left(&self, plan: &Plan) -> Option<f64> {
        let took = |place: usize| {
            let receipt = plan.receipts[place].as_ref().filter(|_| plan.states[place] == State::Done);
            (plan.nodes[place].id.stage, receipt.map(|receipt| receipt.seconds))
        };
        nodes_left((0..plan.nodes.len()).map(took))
            .map(|left| wall(left, self.spent, self.start.elapsed().as_secs_f64()))
    }

    /// A node has ended; `row`: the figures of its pass, where it has evaluated one.
    pub(super) fn finished(&mut self, run: &RunFolder, plan: &Plan, place: usize, row: Option<&Row>) {
        let node = &plan.nodes[place];
        self.running.retain(|(running, _)| *running != node.id);
        let done = plan.states.iter().filter(|state| **state == State::Done).count();
        self.bar.set_position(done as u64);
        let seconds = plan.receipts[place].as_ref().map_or(0.0, |receipt| receipt.seconds);
        if node.id.stage != Stage::Evaluate {
            self.spent += seconds;
        }
        let left = self.left(plan).map_or_else(String::new, |seconds| format!(", {} left", human_seconds(seconds)));
        self.bar.set_message(format!("{}{left}", self.names()));
        tracing::debug!("{} done in {seconds:.1} s", node.id);
        let tells = matches!(node.id.stage, Stage::Ingest | Stage::Evaluate)
            || matches!(node.id, NodeId { stage: Stage::Train, pass: Pass::Epoch(epoch) } if run.config.run.track_of(epoch).taught);
        if !tells {
            return;
        }
        self.say(|| match (node.id.stage, node.id.pass) {
            (Stage::Ingest, _) => tracing::info!("ingest done in {seconds:.1} s"),
            (Stage::Evaluate, Pass::Raw | Pass::Encoder) => {
                if let Some(row) = row {
                    let what = if node.id.pass == Pass::Raw { "raw-pixel baseline" } else { "frozen encoder" };
                    tracing::info!("{what}: {}", row.line());
                }
            }
            (Stage::Evaluate, Pass::Epoch(epoch)) => {
                if let Some(row) = row {
                    let epochs = run.config.run.epochs;
                    let pass = if epoch.0 == epochs { "result".to_owned() } else { format!("epoch {epoch}/{epochs}") };
                    tracing::info!("{pass}: {}{left}", row.line());
                    for warning in health::warnings(row) {
                        tracing::warn!("epoch {epoch}: {warning}");
                    }
                }
            }
            // Its pseudo-labels stay, so there is nothing else to tell.
            (Stage::Train, Pass::Epoch(epoch)) => {
                let loss = mean_loss(run, epoch)
                    .ok()
                    .flatten()
                    .map_or_else(String::new, |loss| format!(", mean loss {loss:.3}"));
                tracing::info!("epoch {epoch}/{}: taught by the others{loss}{left}", run.config.run.epochs);
            }
            _ => {}
        });
    }

    /// Lets something be printed above the bar.
    pub(super) fn say(&mut self, print: impl FnOnce()) {
        self.last_line = Instant::now();
        self.bar.suspend(print);
    }

    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
        tracing::debug!("ended after {:.1} s", self.start.elapsed().as_secs_f64());
    }
}

/// Seconds of the nodes that are left, one after another: for each stage the mean of its nodes so far. `None` where a stage
/// has none yet, but for those that are short and come last. `evaluate` runs beside.
fn nodes_left(nodes: impl Iterator<Item = (Stage, Option<f64>)>) -> Option<f64> {
    let mut seconds: BTreeMap<Stage, (f64, usize, usize)> = BTreeMap::new();
    for (stage, took) in nodes.filter(|(stage, _)| !matches!(stage, Stage::Evaluate | Stage::Map | Stage::Report)) {
        let entry = seconds.entry(stage).or_default();
        match took {
            Some(seconds) => {
                entry.0 += seconds;
                entry.1 += 1;
            }
            None => entry.2 += 1,
        }
    }
    let open = seconds.into_values().filter(|(_, _, left)| *left > 0);
    open.map(|(sum, done, left)| (done > 0).then(|| sum / done as f64 * left as f64)).sum()
}

/// The time that nodes of so many seconds will take, where those of `spent` seconds took `elapsed`: nodes that run side by
/// side take longer each, and less time together.
fn wall(seconds: f64, spent: f64, elapsed: f64) -> f64 {
    if spent > 0.0 { seconds * elapsed / spent } else { seconds }
}

/// `embed@3: 40/100 images, 9/s, 7 s left; train@2: running for 4 min; the whole run: 12 min left`, of nodes and the
/// seconds that they have run.
fn what_runs(run: &RunFolder, running: &[(NodeId, f64)], left: Option<f64>) -> String {
    let of = |(node, seconds): &(NodeId, f64)| {
        let progress = last_progress(&run.log(*node));
        format!("{node}: {}", progress.unwrap_or_else(|| format!("running for {}", human_seconds(*seconds))))
    };
    let whole = left.map(|seconds| format!("the whole run: {} left", human_seconds(seconds)));
    running.iter().map(of).chain(whole).collect::<Vec<_>>().join("; ")
}

/// The last line of progress in a stage's log, as `deepmcat_stage::Progress` writes it: `40/100 images, 9/s, 7 s left`.
fn last_progress(log: &Path) -> Option<String> {
    let mut file = fs_err::File::open(log).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL))).ok()?;
    let mut text = Vec::new();
    file.take(TAIL).read_to_end(&mut text).ok()?;
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().rev().find(|line| line.ends_with(" s left") && line.contains("/s, "))?;
    line.split_once(" INFO ").map(|(_, progress)| progress.trim().to_owned())
}

/// `45 s`, `12 min`, `3 h 20 min`.
fn human_seconds(seconds: f64) -> String {
    let minutes = (seconds / 60.0).round() as u64;
    match minutes {
        0 | 1 => format!("{:.0} s", seconds.abs()),
        2..120 => format!("{minutes} min"),
        _ => format!("{} h {} min", minutes / 60, minutes % 60),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    #[test]
    fn networks_side_by_side_take_half_the_sum_of_their_nodes() {
        // Two at a time: 200 seconds of nodes in 100.
        assert_eq!(super::wall(1200.0, 200.0, 100.0), 600.0);
        assert_eq!(super::wall(1200.0, 0.0, 1.0), 1200.0);
    }

    #[test]
    fn what_comes_last_and_is_short_does_not_hide_the_time_left() {
        use super::Stage::{Embed, Evaluate, Map, Report, Train};
        let nodes =
            [(Embed, Some(2.0)), (Train, Some(10.0)), (Embed, None), (Train, None), (Evaluate, None), (Map, None)];
        assert_eq!(super::nodes_left(nodes.into_iter().chain([(Report, None)])), Some(12.0));
        assert_eq!(super::nodes_left([(Embed, Some(2.0)), (Train, None)].into_iter()), None, "nobody knows yet");
    }

    #[test]
    fn what_runs_is_told_with_its_progress_where_there_is_some() {
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(folder.path().join("run.toml"), "[input]\npaths = [\"archive\"]\n").unwrap();
        let run = crate::RunFolder::open(folder.path()).unwrap();
        fs_err::create_dir(folder.path().join("logs")).unwrap();
        fs_err::write(folder.path().join("logs/embed@3.log"), "T  INFO 4/9 images, 2/s, 3 s left\n").unwrap();
        let running = [("embed@3", 7.0), ("train@2", 250.0)].map(|(node, seconds)| (node.parse().unwrap(), seconds));
        assert_eq!(
            super::what_runs(&run, &running, Some(720.0)),
            "embed@3: 4/9 images, 2/s, 3 s left; train@2: running for 4 min; the whole run: 12 min left"
        );
        assert_eq!(super::what_runs(&run, &running[1..], None), "train@2: running for 4 min");
    }

    #[test]
    fn the_last_progress_of_a_log_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("embed@3.log");
        let stamp = "2026-11-27T11:14:22.123Z  INFO";
        fs_err::write(&log, format!("$ deepmcat-embed\n{stamp} 40/100 images, 9/s, 7 s left\n{stamp} 80/100 images, 9/s, 2 s left\n{stamp} timing\n")).unwrap();
        assert_eq!(super::last_progress(&log).as_deref(), Some("80/100 images, 9/s, 2 s left"));
        fs_err::write(&log, "$ deepmcat-embed\n").unwrap();
        assert_eq!(super::last_progress(&log), None);
        assert_eq!(super::last_progress(&folder.path().join("none")), None);
    }

    #[test]
    fn durations_read_well() {
        let texts = [12.4, 89.0, 130.0, 7260.0].map(super::human_seconds);
        assert_eq!(texts, ["12 s", "89 s", "2 min", "2 h 1 min"].map(str::to_owned));
    }
}
