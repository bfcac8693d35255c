//! The two fronts of a stage: flags with `--set`, for a person, and `--job FILE`, which the runner uses. Both come to the
//! same typed job.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser};
use deepmcat_config::Compute;
use deepmcat_schemas::jobs::{Job, JobError, NODES};

use crate::exit::{Failure, end, start};
use crate::{CommonArgs, Verbosity};

/// A stage by its flags.
pub trait Front: Parser + AsRef<CommonArgs> {
    /// What it does.
    type Job: TryFrom<Job, Error = Job>;
    /// What it may do that with: flags beside `--job`, without which its result is the same but for rounding.
    type Means: clap::Args;
    /// What can go wrong.
    type Error: Failure;

    /// The job that the flags ask for.
    ///
    /// # Errors
    /// When the configuration is wrong.
    fn job(self) -> Result<(Self::Job, Self::Means), Self::Error>;

    /// Does a job.
    ///
    /// # Errors
    /// As the stage's.
    fn run(job: Self::Job, means: Self::Means) -> Result<(), Self::Error>;
}

/// Means of a stage that computes nothing to speak of.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub struct NoMeans {}

/// Means of a stage that computes without tensors.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub struct Threads {
    /// Threads; 0: all cores
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub threads: usize,
}

/// Means of a stage that computes with tensors.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Means {
    /// Threads; 0: all cores
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub threads: usize,
    /// Which card, for a job that computes on one: cuda:N
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<String>,
}

impl Means {
    /// Those that the settings of a machine ask for.
    #[must_use]
    pub fn of(settings: &Compute) -> Self {
        Self { threads: settings.threads as usize, device: settings.card().map(str::to_owned) }
    }
}

/// Does a job of a run, as `deepmcat run` does it.
#[derive(Debug, Parser)]
struct JobArgs<M: clap::Args> {
    /// The job, as `deepmcat run` writes it: RUN/nodes/NODE.toml, or a copy of it with other settings
    #[arg(long, value_name = "FILE")]
    job: PathBuf,
    /// Folder that the job's paths start at [default: the run whose `nodes` folder the file is in]
    #[arg(long, value_name = "RUN")]
    run: Option<PathBuf>,
    /// Folder to write below [default: the run]
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// What the stage may use.
    #[command(flatten)]
    means: M,
    /// How much is said.
    #[command(flatten)]
    verbosity: Verbosity,
}

/// The whole of a stage's `main`.
#[must_use]
pub fn main<F: Front>() -> ExitCode {
    let line: Vec<OsString> = std::env::args_os().collect();
    let by_job = line.iter().any(|word| word == "--job" || word.as_encoded_bytes().starts_with(b"--job="));
    if by_job {
        let command = JobArgs::<F::Means>::command().bin_name(F::command().get_name());
        let args = JobArgs::<F::Means>::from_arg_matches(&command.get_matches_from(line));
        let args = args.unwrap_or_else(|error| error.exit());
        start(args.verbosity);
        return match read(&args) {
            Ok(job) => end(F::run(job, args.means), args.verbosity),
            Err(error) => end(Err(error), args.verbosity),
        };
    }
    let args = F::from_arg_matches(&with_hint(F::command()).get_matches_from(line));
    let args = args.unwrap_or_else(|error| error.exit());
    let verbosity = args.as_ref().verbosity;
    start(verbosity);
    end(args.job().and_then(|(job, means)| F::run(job, means)), verbosity)
}

/// The help tells of the other front.
fn with_hint(command: clap::Command) -> clap::Command {
    let name = command.get_name().to_owned();
    let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    command.after_help(format!(
        "{examples}\nTo repeat a node of a run: {name} --job RUN/nodes/NODE.toml [--out FOLDER] (more: {name} --job FILE --help)"
    ))
}

/// The job of a file, with its paths where they are.
fn read<J: TryFrom<Job, Error = Job>, M: clap::Args>(args: &JobArgs<M>) -> Result<J, JobError> {
    let path = &args.job;
    let job = Job::read(path)?;
    let run = match &args.run {
        Some(run) => run.clone(),
        None => run_of(path).ok_or_else(|| JobError::NoRun { path: path.clone() })?,
    };
    let job = job.at(&run, args.out.as_ref().unwrap_or(&run));
    J::try_from(job).map_err(|job| JobError::OtherStage { path: path.clone(), stage: job.program() })
}

/// The run folder of a job in its place.
fn run_of(job: &Path) -> Option<PathBuf> {
    let nodes = job.parent().filter(|folder| folder.ends_with(NODES))?;
    nodes.parent().map(Path::to_owned)
}
