//! `deepmcat pacs`: what a run found goes back to an archive server, or into files for other programs.

use std::path::PathBuf;

use deepmcat_stage::Verbosity;
use serde_json::json;

use crate::journal::Journal;
use crate::result::RunSeries;
use crate::store::store;
use crate::write::{Server, Step, Verdict, What, check_key};
use crate::{Error, sr, table};

/// The number of our metadata where no other is asked for.
const KEY: &str = "7077";

/// Takes the categories of a finished run back into an archive server.
///
/// User name and password come from DEEPMCAT_PACS_USER and DEEPMCAT_PACS_PASSWORD, or from ~/.netrc. Images on the server are never
/// changed.
#[derive(Debug, clap::Parser)]
#[command(
    name = "deepmcat-pacs",
    version,
    after_help = "Example:\n  deepmcat pacs write runs/study             # what would be written\n  \
        deepmcat pacs write runs/study --apply\n  deepmcat pacs undo runs/study --apply"
)]
pub struct PacsArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// How much is said.
    #[command(flatten)]
    pub verbosity: Verbosity,
}

/// What is done.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Write the category of every series as metadata of Orthanc; says what, writes nothing
    ///
    /// Series that a person should look at first are not written. A value that is neither absent nor written by this run is of
    /// others, and is left. What an interrupted call left over, the same call does.
    Write {
        /// Run and server.
        #[command(flatten)]
        of: Of,
        /// Write it
        #[arg(long)]
        apply: bool,
        /// Number of the metadata, from 1024 to 65535, or its name in UserMetadata of the server's configuration
        #[arg(long, default_value = KEY, value_name = "NUMBER|NAME")]
        key: String,
        /// Label the series too (Orthanc 1.12 and later)
        #[arg(long)]
        labels: bool,
        /// Label each study with the categories of its series (Orthanc 1.12 and later)
        #[arg(long)]
        study_labels: bool,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Take back all that this run has written, where the server still holds it; says what, removes nothing
    Undo {
        /// Run and server.
        #[command(flatten)]
        of: Of,
        /// Take it back
        #[arg(long)]
        apply: bool,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Write the categories as structured reports, one for each study: Comprehensive SR by TID 1500
    ///
    /// Each file has a group for every series, with its images, its category and how certain that is; series that a person should
    /// look at first are left out. Patient and study are those of the images, so the files identify patients.
    #[command(after_help = "Example: deepmcat pacs sr runs/study --out reports --codes codes.csv")]
    Sr {
        /// The run folder, or the folder of `deepmcat apply`
        run: PathBuf,
        /// Folder of the reports, STUDY.dcm
        #[arg(long, value_name = "FOLDER")]
        out: PathBuf,
        /// Codes of categories: a CSV with the columns category, scheme, code, meaning [default: codes of a scheme of our own]
        #[arg(long, value_name = "FILE")]
        codes: Option<PathBuf>,
        /// Send them to the server of --server, else of the run
        #[arg(long)]
        send: bool,
        /// Address of the server [default: input.server of the run]
        #[arg(long, value_name = "SERVER", requires = "send")]
        server: Option<String>,
    },
    /// Write the categories by UID as CSV and Parquet, and a map for who converts to BIDS
    ///
    /// series.csv and series.parquet have a row for every series, with its UIDs and what its header calls it; bids.csv has one for
    /// every category, with the suffix and the entities of BIDS to be filled in. They identify patients' studies.
    #[command(after_help = "Example: deepmcat pacs table runs/study --out tables")]
    Table {
        /// The run folder, or the folder of `deepmcat apply`
        run: PathBuf,
        /// Folder of the tables
        #[arg(long, value_name = "FOLDER")]
        out: PathBuf,
    },
    /// Say what of this run the server holds
    Status {
        /// Run and server.
        #[command(flatten)]
        of: Of,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
}

/// A run and a server.
#[derive(Debug, Clone, clap::Args)]
pub struct Of {
    /// The run folder, or the folder of `deepmcat apply`
    pub run: PathBuf,
    /// Address of the server [default: input.server of the run]
    #[arg(long, value_name = "SERVER")]
    pub server: Option<String>,
}

/// Does what the command line says.
///
/// # Errors
/// When the run has no categories, the server does not answer, or something cannot be written.
pub fn pacs(args: PacsArgs) -> Result<(), Error> {
    match args.command {
        Command::Write { of, apply, key, labels, study_labels, json } => {
            check_key(&key)?;
            let run = RunSeries::open(&of.run)?;
            let client = run.client(of.server.as_deref())?;
            let mut journal = Journal::open(&of.run)?;
            let server = Server::new(&client)?;
            let steps = server.plan(&run, &journal, &What { key, labels, study_labels })?;
            if run.nameless > 0 {
                tracing::warn!("{} series have no UIDs, and no server knows them", run.nameless);
            }
            let changed = if apply { Some(server.apply(&steps, &mut journal)?) } else { None };
            say(&steps, changed, json)
        }
        Command::Undo { of, apply, json } => {
            let run = RunSeries::open(&of.run)?;
            let client = run.client(of.server.as_deref())?;
            let mut journal = Journal::open(&of.run)?;
            let server = Server::new(&client)?;
            let steps = server.plan_undo(&journal)?;
            let changed = if apply { Some(server.apply(&steps, &mut journal)?) } else { None };
            say(&steps, changed, json)
        }
        Command::Sr { run, out, codes, send, server } => {
            let run = RunSeries::open(&run)?;
            // Before anything is written.
            let client = if send { Some(run.client(server.as_deref())?) } else { None };
            let codes = codes.map(|codes| sr::codes(&codes)).transpose()?.unwrap_or_default();
            let sr::Written { files, series, abstained, unread } = sr::write(&run, &out, &codes)?;
            if files.is_empty() {
                return Err(Error::NoReport { path: run.run, abstained, unread });
            }
            tracing::info!("{} reports of {series} series; {abstained} abstained", files.len());
            if unread > 0 {
                tracing::warn!("{unread} series are in no report: their files are not where they were, or in a zip");
            }
            match &client {
                Some(client) => {
                    store(client, client.protocol(), &files)?;
                    tracing::info!("{} reports are on {}", files.len(), client.server());
                    Ok(())
                }
                None => Ok(()),
            }
        }
        Command::Table { run, out } => table::write(&RunSeries::open(&run)?, &out),
        Command::Status { of, json } => {
            let run = RunSeries::open(&of.run)?;
            let client = run.client(of.server.as_deref())?;
            let journal = Journal::open(&of.run)?;
            let steps = Server::new(&client)?.plan_undo(&journal)?;
            status(&steps, json)
        }
    }
}

/// A line a place: now, new, and what becomes of it; then the counts.
fn say(steps: &[Step], changed: Option<u64>, as_json: bool) -> Result<(), Error> {
    let count = |verdict| steps.iter().filter(|step| step.verdict == verdict).count();
    if as_json {
        let rows = steps.iter().map(|step| {
            json!({"uid": step.uid, "key": step.place.as_ref().map(|place| &place.key), "now": step.now, "new": step.new,
                "verdict": step.verdict})
        });
        let rows: Vec<_> = rows.collect();
        return print(&json!({"places": rows, "changed": changed, "applied": changed.is_some()}).to_string());
    }
    let rows = steps.iter().map(|step| {
        [
            format!("{:?}", step.verdict).to_lowercase(),
            step.shown(step.now.as_deref()),
            step.shown(step.new.as_deref()),
            step.uid.clone(),
        ]
    });
    let rows: Vec<[String; 4]> =
        [["", "now", "new", "series or study"].map(str::to_owned)].into_iter().chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let [first, second, third] = [0, 1, 2].map(width);
    let lines = rows.iter().map(|[a, b, c, d]| format!("{a:<first$}  {b:<second$}  {c:<third$}  {d}"));
    print(&lines.collect::<Vec<_>>().join("\n"))?;
    let all = [
        (Verdict::New, "new"),
        (Verdict::Change, "to change"),
        (Verdict::Remove, "to remove"),
        (Verdict::Same, "as they should be"),
        (Verdict::Abstained, "abstained"),
        (Verdict::Absent, "not on the server"),
        (Verdict::Others, "of others, which are left"),
    ];
    let counts = all.into_iter().map(|(verdict, what)| (count(verdict), what)).filter(|(count, _)| *count > 0);
    let counts: Vec<String> = counts.map(|(count, what)| format!("{count} {what}")).collect();
    let done = match changed {
        Some(changed) => format!("{changed} changed"),
        None => "nothing was changed; --apply does it".to_owned(),
    };
    tracing::info!("{}: {done}", counts.join(", "));
    Ok(())
}

/// How many places hold what this run wrote.
fn status(steps: &[Step], as_json: bool) -> Result<(), Error> {
    let count = |verdicts: &[Verdict]| steps.iter().filter(|step| verdicts.contains(&step.verdict)).count();
    let ours = count(&[Verdict::Change, Verdict::Remove]);
    let gone = count(&[Verdict::Same, Verdict::New]);
    let others = count(&[Verdict::Others]);
    if as_json {
        return print(&json!({"written": ours, "taken_back": gone, "of_others_now": others}).to_string());
    }
    print(&format!(
        "{ours} values of this run are on the server; {gone} were taken back or removed; {others} were changed by others since"
    ))
}

pub(crate) fn print(text: &str) -> Result<(), Error> {
    Ok(deepmcat_stage::print(text)?)
}
