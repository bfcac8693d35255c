//! What each command does.

mod explain;
mod gc;

use std::path::Path;

use clap::CommandFactory;

use crate::args::{Args, Command};
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
        Command::Run { run, set, jobs, selection, verify, keep_going, json } => {
            work(&run, &set, &Options { jobs, selection, verify, keep_going }, json)
        }
        Command::Plan { run, set, selection, verify, commands, json } => {
            explain::plan(&run, &set, &selection, verify, commands, json)
        }
        Command::Gc { run, delete, json } => gc::gc(&run, delete, json),
        Command::Export { engine, run } => {
            explain::print(&export::export(engine, &run)?);
            Ok(())
        }
        Command::Doctor { run, json } => explain::doctor(run.as_deref(), json),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Args::command(), "deepmcat", &mut std::io::stdout());
            Ok(())
        }
        Command::Status { run, json } => explain::status(&run, json),
        Command::Why { run, node, json } => explain::why(&run, &node, json),
        Command::Dag { run, format } => explain::dag(&run, format),
        Command::Stage(line) => dispatch::dispatch(&line),
    }
}

/// `deepmcat run`: does what is not done, then prints the metrics.
fn work(path: &Path, sets: &[String], options: &Options, json: bool) -> Result<(), Error> {
    RunFolder::open(path)?;
    RunFolder::change(path, sets)?;
    let run = RunFolder::open(path)?;
    let (ran, plan) = schedule::run(&run, options)?;
    let rows = summary::rows(&run, &plan);
    if json {
        explain::print_json(&rows);
    } else {
        explain::print(&summary::table(&rows));
        let what = if ran == 0 { "nothing to do".to_owned() } else { format!("{ran} nodes ran") };
        let last =
            deepmcat_schemas::layout::partition(path, "assignments", deepmcat_schemas::Epoch(run.config.run.epochs));
        tracing::info!("{what}; the result is {}", last.display());
    }
    Ok(())
}
