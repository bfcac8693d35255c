//! Commands that look and change no table: plan, status, why, dag.

use std::path::Path;

use serde_json::{Value, json};

use crate::args::GraphFormat;
use crate::dag::{NodeId, dependencies, nodes};
use crate::doctor::{self, Finding, Verdict};
use crate::estimate::Estimate;
use crate::hashes::Hashes;
use crate::machine::Here;
use crate::plan::{Plan, State};
use crate::select::Selection;
use crate::{Error, RunFolder, health, summary};

/// Prints data to stdout.
pub(super) fn print(text: &str) -> Result<(), Error> {
    deepmcat_stage::print(text).map_err(Error::Print)
}

pub(super) fn print_json(value: &impl serde::Serialize) -> Result<(), Error> {
    print(&serde_json::to_string_pretty(value).unwrap_or_default())
}

fn look(path: &Path) -> Result<(RunFolder, Plan), Error> {
    let run = RunFolder::open(path)?;
    let plan = plan_of(&run, false, &Selection::default())?;
    Ok((run, plan))
}

/// The plan of a run. The hashes of what was read for it are kept for the next command, where the folder may be written.
pub(super) fn plan_of(run: &RunFolder, verify: bool, selection: &Selection) -> Result<Plan, Error> {
    let hashes = Hashes::open(&run.path, verify);
    let plan = Plan::of(run, &hashes, selection)?;
    if let Err(error) = hashes.save() {
        tracing::debug!("the hashes of what was read are not kept: {error}");
    }
    Ok(plan)
}

fn state_name(state: &State) -> &'static str {
    match state {
        State::Done => "done",
        State::Todo(_) => "run",
        State::Waits => "wait",
    }
}

/// `deepmcat plan`: what would run, and why.
pub(super) fn plan(
    path: &Path,
    sets: &[String],
    selection: &Selection,
    verify: bool,
    commands: bool,
    as_json: bool,
) -> Result<(), Error> {
    let run = RunFolder::open_with(path, sets)?;
    let plan = plan_of(&run, verify, selection)?;
    let (mut entries, mut lines) = (Vec::new(), Vec::new());
    for place in (0..plan.nodes.len()).filter(|&place| plan.is_open(place)) {
        let (node, state) = (&plan.nodes[place], &plan.states[place]);
        let shards = node.shards(&run.config);
        let commands_of = (0..shards).map(|shard| node.shown(&run.path, &run.config, (shard, shards)));
        let command = commands_of.collect::<Vec<_>>().join("\n");
        if as_json {
            entries.push(json!({
                "node": node.id.to_string(), "state": state_name(state), "reason": state.to_string(), "command": command,
            }));
        } else if commands {
            lines.push(command);
        } else {
            lines.push(format!("{:<12} {state}", node.id.to_string()));
        }
    }
    if as_json {
        return print_json(&entries);
    }
    if !lines.is_empty() {
        print(&lines.join("\n"))?;
    }
    let [done, todo, waits] = plan.counts();
    tracing::info!("{} nodes to run or to look at again, {done} done", todo + waits);
    tracing::info!("{}", Estimate::of(&run));
    Ok(())
}

/// `deepmcat status`: how far, how good, how large.
pub(super) fn status(path: &Path, as_json: bool) -> Result<(), Error> {
    let (run, plan) = look(path)?;
    let [done, todo, waits] = plan.counts();
    let rows = summary::rows(&run, &plan);
    let disk = disk_use(&run.path);
    if as_json {
        let disk: serde_json::Map<String, Value> = disk.into_iter().map(|(name, bytes)| (name, bytes.into())).collect();
        return print_json(&json!({
            "nodes": {"done": done, "run": todo, "wait": waits, "all": plan.nodes.len()},
            "epochs": run.config.run.epochs, "metrics": rows, "disk_bytes": disk,
        }));
    }
    let mut lines = vec![format!("{done} of {} nodes done", plan.nodes.len())];
    if !rows.is_empty() {
        lines.push(format!("\n{}", summary::table(&rows)));
    }
    for row in rows.iter().filter(|row| !["raw", "encoder"].contains(&row.pass.as_str())) {
        for warning in health::warnings(row) {
            lines.push(format!("\nwarning: epoch {}: {warning}", row.pass));
        }
    }
    lines.push("\ndisk use".to_owned());
    lines.extend(disk.iter().map(|(name, bytes)| format!("{name:>14} {:>10.1} MB", *bytes as f64 / 1e6)));
    print(&lines.join("\n"))
}

/// Bytes below each folder of a run.
fn disk_use(run: &Path) -> Vec<(String, u64)> {
    let mut sizes = std::collections::BTreeMap::new();
    for entry in walkdir::WalkDir::new(run).min_depth(2).into_iter().flatten() {
        let top = entry.path().strip_prefix(run).ok().and_then(|path| path.components().next());
        let size = entry.metadata().map_or(0, |metadata| if metadata.is_file() { metadata.len() } else { 0 });
        if let Some(top) = top {
            *sizes.entry(top.as_os_str().to_string_lossy().into_owned()).or_default() += size;
        }
    }
    sizes.into_iter().collect()
}

/// `deepmcat why`: the components of a node's fingerprint, and what changed.
pub(super) fn why(path: &Path, node: &str, as_json: bool) -> Result<(), Error> {
    let id = node.parse::<NodeId>()?;
    let (run, plan) = look(path)?;
    let place = plan.place(id)?;
    let state = &plan.states[place];
    let receipt = plan.receipts[place].as_ref();
    let machine = receipt.and_then(|receipt| receipt.machine.as_ref());
    let other = machine.map(|machine| machine.differences(&Here::default().of(&plan.nodes[place], &run.config)));
    if as_json {
        return print_json(&json!({
            "node": node, "state": state_name(state), "reason": state.to_string(),
            "components": receipt.map(|receipt| &receipt.components), "machine": machine,
            "otherwise_here": other.unwrap_or_default(),
        }));
    }
    let mut lines = vec![format!("{node}: {state}")];
    for &before in &plan.dependencies[place] {
        if plan.states[before] != State::Done {
            lines.push(format!("  {}: {}", plan.nodes[before].id, plan.states[before]));
        }
    }
    if let Some(receipt) = receipt {
        lines.push("it ran last with".to_owned());
        lines.extend(receipt.components.iter().map(|(name, value)| format!("  {name} = {value}")));
    }
    if let Some(machine) = machine {
        lines.push(format!("on {machine}"));
    }
    if let Some(other) = other.filter(|other| !other.is_empty()) {
        lines.push(format!("this machine would round differently, which is no reason to run: {}", other.join("; ")));
    }
    print(&lines.join("\n"))
}

/// `deepmcat doctor`: what a run needs, and whether it is there.
pub(super) fn doctor(run: Option<&Path>, as_json: bool) -> Result<(), Error> {
    let findings = doctor::examine(run)?;
    if as_json {
        print_json(&findings)?;
    } else {
        for Finding { what, verdict, text } in &findings {
            let verdict = match verdict {
                Verdict::Ok => "ok",
                Verdict::Note => "note",
                Verdict::Bad => "BAD",
            };
            print(&format!("{verdict:<5}{what:<11}{text}"))?;
        }
    }
    match findings.iter().filter(|finding| finding.verdict == Verdict::Bad).count() {
        0 => Ok(()),
        bad => Err(Error::Unwell { bad }),
    }
}

/// `deepmcat dag`: the graph.
pub(super) fn dag(path: &Path, format: GraphFormat) -> Result<(), Error> {
    let run = RunFolder::open(path)?;
    let nodes = nodes(&run.config);
    let reads = dependencies(&nodes);
    let names = |places: &[usize]| places.iter().map(|&place| nodes[place].id.to_string()).collect::<Vec<_>>();
    let mut lines = Vec::new();
    match format {
        GraphFormat::Text => {
            for (node, reads) in nodes.iter().zip(&reads) {
                lines.push(format!("{:<12} {}", node.id.to_string(), names(reads).join(" ")).trim_end().to_owned());
            }
        }
        GraphFormat::Dot => {
            lines.push("digraph deepmcat {".to_owned());
            for (node, reads) in nodes.iter().zip(&reads) {
                lines.push(format!("  \"{}\";", node.id));
                for before in names(reads) {
                    lines.push(format!("  \"{before}\" -> \"{}\";", node.id));
                }
            }
            lines.push("}".to_owned());
        }
        GraphFormat::Json => {
            let all: Vec<Value> = nodes
                .iter()
                .zip(&reads)
                .map(|(node, reads)| {
                    json!({"node": node.id.to_string(), "reads": names(reads), "inputs": node.inputs, "outputs": node.outputs})
                })
                .collect();
            return print_json(&all);
        }
    }
    print(&lines.join("\n"))
}
