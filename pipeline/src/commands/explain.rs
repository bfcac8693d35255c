//! Commands that look and change nothing: plan, status, why, dag.

use std::path::Path;

use serde_json::{Value, json};

use crate::args::GraphFormat;
use crate::dag::{NodeId, dependencies, nodes};
use crate::doctor::{self, Finding, Verdict};
use crate::estimate::Estimate;
use crate::hashes::Hashes;
use crate::plan::{Plan, State};
use crate::select::Selection;
use crate::{Error, RunFolder, health, summary};

/// stdout is data; this is where data is printed. A reader that has gone (`| head`) is no error.
pub(super) fn print(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{text}");
}

pub(super) fn print_json(value: &impl serde::Serialize) {
    print(&serde_json::to_string_pretty(value).unwrap_or_default());
}

fn look(path: &Path) -> Result<(RunFolder, Plan), Error> {
    let run = RunFolder::open(path)?;
    let hashes = Hashes::open(&run.path, false);
    let plan = Plan::of(&run, &hashes, &Selection::default())?;
    Ok((run, plan))
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
    let plan = Plan::of(&run, &Hashes::open(&run.path, verify), selection)?;
    let mut entries = Vec::new();
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
            print(&command);
        } else {
            print(&format!("{:<12} {state}", node.id.to_string()));
        }
    }
    if as_json {
        print_json(&entries);
        return Ok(());
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
        print_json(&json!({
            "nodes": {"done": done, "run": todo, "wait": waits, "all": plan.nodes.len()},
            "epochs": run.config.run.epochs, "metrics": rows, "disk_bytes": disk,
        }));
        return Ok(());
    }
    print(&format!("{done} of {} nodes done", plan.nodes.len()));
    if !rows.is_empty() {
        print(&format!("\n{}", summary::table(&rows)));
    }
    for row in rows.iter().filter(|row| row.pass != "raw") {
        for warning in health::warnings(row) {
            print(&format!("\nwarning: epoch {}: {warning}", row.pass));
        }
    }
    print("\ndisk use");
    for (name, bytes) in disk {
        print(&format!("{name:>14} {:>10.1} MB", bytes as f64 / 1e6));
    }
    Ok(())
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
    let (_, plan) = look(path)?;
    let place = plan.place(node.parse::<NodeId>()?)?;
    let state = &plan.states[place];
    let components = plan.receipts[place].as_ref().map(|receipt| &receipt.components);
    if as_json {
        print_json(&json!({
            "node": node, "state": state_name(state), "reason": state.to_string(), "components": components,
        }));
        return Ok(());
    }
    print(&format!("{node}: {state}"));
    for &before in &plan.dependencies[place] {
        if plan.states[before] != State::Done {
            print(&format!("  {}: {}", plan.nodes[before].id, plan.states[before]));
        }
    }
    if let Some(components) = components {
        print("it ran last with");
        for (name, value) in components {
            print(&format!("  {name} = {value}"));
        }
    }
    Ok(())
}

/// `deepmcat doctor`: what a run needs, and whether it is there.
pub(super) fn doctor(run: Option<&Path>, as_json: bool) -> Result<(), Error> {
    let findings = doctor::examine(run)?;
    if as_json {
        print_json(&findings);
    } else {
        for Finding { what, verdict, text } in &findings {
            let verdict = match verdict {
                Verdict::Ok => "ok",
                Verdict::Note => "note",
                Verdict::Bad => "BAD",
            };
            print(&format!("{verdict:<5}{what:<11}{text}"));
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
    match format {
        GraphFormat::Text => {
            for (node, reads) in nodes.iter().zip(&reads) {
                print(format!("{:<12} {}", node.id.to_string(), names(reads).join(" ")).trim_end());
            }
        }
        GraphFormat::Dot => {
            print("digraph deepmcat {");
            for (node, reads) in nodes.iter().zip(&reads) {
                print(&format!("  \"{}\";", node.id));
                for before in names(reads) {
                    print(&format!("  \"{before}\" -> \"{}\";", node.id));
                }
            }
            print("}");
        }
        GraphFormat::Json => {
            let all: Vec<Value> = nodes
                .iter()
                .zip(&reads)
                .map(|(node, reads)| {
                    json!({"node": node.id.to_string(), "reads": names(reads), "inputs": node.inputs, "outputs": node.outputs})
                })
                .collect();
            print_json(&all);
        }
    }
    Ok(())
}
