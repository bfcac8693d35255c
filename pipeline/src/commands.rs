//! What each command does.

mod apply;
mod explain;
mod gc;

use std::path::Path;

use clap::CommandFactory;
use deepmcat_schemas::Epoch;
use deepmcat_schemas::layout::partition;

use crate::args::{Args, Command};
use crate::dag::{NodeId, Pass, Stage};
use crate::lock::Lock;
use crate::plan::{Plan, State};
use crate::schedule::Options;
use crate::{Error, RunFolder, dispatch, export, init, schedule, summary};

/// Runs the command of a command line.
///
/// # Errors
/// As the command's.
pub fn run(args: Args) -> Result<(), Error> {
    match args.command {
        Command::Init { inputs, run, preset, set } => {
            let file = init::init(&inputs, &run, &preset, &set)?;
            tracing::info!("wrote {}; next: deepmcat run {}", file.display(), run.display());
            Ok(())
        }
        Command::Apply { source, inputs, out, export, set, jobs, json } => {
            apply::apply(&source, &inputs, out.as_deref(), export.as_deref(), &set, jobs, json)
        }
        Command::Run { run, set, jobs, selection, verify, keep_going, json } => {
            work(&run, &set, &Options { jobs, selection, verify, keep_going }, json)
        }
        Command::Plan { run, set, selection, verify, commands, json } => {
            explain::plan(&run, &set, &selection, verify, commands, json)
        }
        Command::Gc { run, delete, json } => gc::gc(&run, delete, json),
        Command::Export { engine, run } => explain::print(export::export(engine, &run)?.trim_end()),
        Command::Doctor { run, json } => explain::doctor(run.as_deref(), json),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "deepmcat", &mut script);
            explain::print(String::from_utf8_lossy(&script).trim_end())
        }
        Command::Status { run, json } => explain::status(&run, json),
        Command::Why { run, node, json } => explain::why(&run, &node, json),
        Command::Dag { run, format } => explain::dag(&run, format),
        Command::Stage(line) if line.first().is_some_and(|word| word == "help") => dispatch::help(&line[1..]),
        Command::Stage(line) => dispatch::dispatch(&line),
    }
}

/// `deepmcat run`: does what is not done, then prints the metrics.
fn work(path: &Path, sets: &[String], options: &Options, json: bool) -> Result<(), Error> {
    // A folder without run.toml is none to lock.
    RunFolder::open(path)?;
    // Before run.toml is read: what another runner works with is not changed.
    let lock = Lock::take(path)?;
    let run = RunFolder::open_with(path, sets)?;
    let (ran, plan) = schedule::run(&run, &lock, options)?;
    let rows = summary::rows(&run, &plan);
    if json {
        return explain::print_json(&rows);
    }
    if !rows.is_empty() {
        explain::print(&summary::table(&rows))?;
    }
    let what = if ran == 0 {
        "nothing to do".to_owned()
    } else {
        format!("{ran} {} ran", if ran == 1 { "node" } else { "nodes" })
    };
    tracing::info!("{what}; {}", result(&run, &plan));
    Ok(())
}

/// Where the result is; where it is not there yet, how far the run is.
fn result(run: &RunFolder, plan: &Plan) -> String {
    let last = Epoch(run.config.run.epochs);
    let done = |stage, pass| plan.place(NodeId { stage, pass }).is_ok_and(|place| plan.states[place] == State::Done);
    if done(Stage::Cluster, Pass::Epoch(last)) {
        let result = partition(&run.path, "assignments", last);
        let page = if done(Stage::Report, Pass::Once) {
            format!("; open {}", run.path.join("report.html").display())
        } else {
            String::new()
        };
        return format!("the result is {}{page}", result.display());
    }
    let [done, ..] = plan.counts();
    let folder = run.path.display();
    format!("{done} of {} nodes are done, the result is not among them: deepmcat run {folder}", plan.nodes.len())
}
