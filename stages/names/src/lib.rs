//! Names: what people call the clusters and images of a result, from CSV files and back.

mod args;
mod ask;
mod error;
mod table;

use std::io::Write;

use deepmcat_decisions::author as who;
use deepmcat_decisions::{
    Agreement, Carried, Decision, Log, NO_IMAGE, OLDER_RESULT, RunResult, Target, Verdict, agreement, carry,
    write_names,
};
use deepmcat_schemas::files::write_beside;
use serde_json::json;

pub use args::{Args, Command};
pub use error::Error;

/// Does what the command line says.
///
/// # Errors
/// When the run has no result, its log is damaged, a CSV is wrong, or something cannot be written.
pub fn run(args: Args) -> Result<(), Error> {
    let result = RunResult::open(&args.run)?;
    let mut log = Log::open(&args.run)?;
    match args.command {
        Command::Import { file, author } => {
            let (namings, without) = table::read(&file, &result)?;
            result.keep_members()?;
            let given = log.name(&who(author), &namings)?.len();
            let same = namings.len() - given;
            tracing::info!("{given} names imported, {same} existed already, {without} rows without a name");
            view(&mut log, &result)
        }
        Command::Export { file } => {
            let names = write_names(&log, &result)?;
            let text = table::csv(&table::written(&names))?;
            match file {
                None => print(&text),
                Some(file) => Ok(write_beside(&file, |file| writeln!(file, "{text}"))?),
            }
        }
        Command::Undo { count, author } => {
            for decision in log.undo(&who(author), count as usize)? {
                tracing::info!("{}", line(decision));
            }
            view(&mut log, &result)
        }
        Command::Log { json } => {
            if json {
                return print(&serde_json::to_string_pretty(log.decisions()).unwrap_or_default());
            }
            log.decisions().iter().try_for_each(|decision| print(&line(decision)))
        }
        Command::Carry { from, dry_run, author, json } => {
            let carried = match &from {
                Some(from) => carry(&log, &result, &Log::open(from)?, &RunResult::open(from)?)?,
                None => carry(&log, &result, &log, &result)?,
            };
            let taken: Vec<_> =
                carried.iter().filter(|one| one.verdict == Verdict::Taken).map(|one| one.naming.clone()).collect();
            if !dry_run {
                result.keep_members()?;
                log.name(&who(author), &taken)?;
                view(&mut log, &result)?;
            }
            tracing::info!(
                "{} names carried over, {} only proposed or existing already",
                taken.len(),
                carried.len() - taken.len()
            );
            say(&carried, json)
        }
        Command::Agreement { json } => say_agreement(&agreement(&log, &result.id), json),
        Command::Ask { n } => print(&table::csv(&ask::ask(&log, &result, &ask::unsure(&result)?, n))?),
    }
}

/// Makes the table `names` anew, and tells of names that no longer count.
fn view(log: &mut Log, result: &RunResult) -> Result<(), Error> {
    // Others may have decided since.
    log.refresh()?;
    let names = write_names(log, result)?;
    let flagged = |flag: &str| names.flag.iter().filter(|other| other.as_deref() == Some(flag)).count();
    let older = flagged(OLDER_RESULT);
    if older > 0 {
        tracing::warn!(
            "{older} names are of clusters of an earlier result and do not count; carry them over: deepmcat names {} carry",
            result.run.display()
        );
    }
    let absent = flagged(NO_IMAGE);
    if absent > 0 {
        tracing::warn!("{absent} names are of images that the data set does not have, and do not count");
    }
    Ok(())
}

/// A decision in a line.
fn line(decision: &Decision) -> String {
    let Decision { number, author, target, category, before, undoes, overlap, .. } = decision;
    let kind = if matches!(target, Target::Cluster { .. }) { "cluster" } else { "image" };
    let name = |name: &Option<String>| name.as_ref().map_or_else(|| "no name".to_owned(), |name| format!("`{name}`"));
    let mut line = format!("{number}  {kind} {target}: {} -> {}", name(before), name(category));
    if let Some(undone) = undoes {
        line += &format!("  undoes {undone}");
    }
    if let Some(overlap) = overlap {
        line += &format!("  carried {overlap:.2}");
    }
    line + "  " + author
}

/// Prints what became of names of another result.
fn say(carried: &[Carried], as_json: bool) -> Result<(), Error> {
    let row = |one: &Carried| {
        let overlap = one.naming.overlap.unwrap_or_default();
        let verdict = match one.verdict {
            Verdict::Taken => "carried",
            Verdict::Proposed => "proposed",
            Verdict::HasName => "has a name",
        };
        (one.naming.target.to_string(), one.naming.category.clone(), one.from.to_string(), overlap, verdict)
    };
    if as_json {
        let rows = carried.iter().map(row).map(|(what, category, from, overlap, verdict)| {
            json!({"what": what, "category": category, "from": from, "overlap": overlap, "verdict": verdict})
        });
        return print(&serde_json::to_string_pretty(&rows.collect::<Vec<_>>()).unwrap_or_default());
    }
    carried.iter().map(row).try_for_each(|(what, category, from, overlap, verdict)| {
        print(&format!("{verdict:<10} {overlap:.2}  {what} <- {from}  {category}"))
    })
}

/// Prints how far people agree.
fn say_agreement(pairs: &[Agreement], as_json: bool) -> Result<(), Error> {
    if as_json {
        let different =
            |(target, [one, other]): &(Target, [String; 2])| json!({"what": target.to_string(), "names": [one, other]});
        let pair = |pair: &Agreement| {
            json!({
                "authors": pair.authors, "both": pair.both, "same": pair.same, "kappa": pair.kappa,
                "different": pair.different.iter().map(different).collect::<Vec<_>>(),
            })
        };
        return print(&serde_json::to_string_pretty(&pairs.iter().map(pair).collect::<Vec<_>>()).unwrap_or_default());
    }
    if pairs.is_empty() {
        return print("no two people have named the same cluster or image");
    }
    for Agreement { authors: [one, other], both, same, kappa, different } in pairs {
        let kappa = kappa.map_or_else(|| "none".to_owned(), |kappa| format!("{kappa:.3}"));
        print(&format!("{one} and {other}: {both} named by both, {same} with the same name, kappa {kappa}"))?;
        for (target, [first, second]) in different {
            print(&format!("  {target}: `{first}` ({one}), `{second}` ({other})"))?;
        }
    }
    Ok(())
}

fn print(text: &str) -> Result<(), Error> {
    deepmcat_stage::print(text).map_err(Error::Print)
}
