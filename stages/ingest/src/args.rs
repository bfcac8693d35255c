//! The command line of `deepmcat-ingest`; doc comments are the help.

use std::path::{Path, PathBuf};

use clap::Parser;
use deepmcat_schemas::jobs::Ingest;
use deepmcat_schemas::jobs::ingest::Frames;
use deepmcat_stage::{CommonArgs, Front};

use crate::Error;

/// Turns an archive of NIfTI, DICOM, PNG or JPEG files, zipped or not, into a data set of PNG slices at t=0.
///
/// Files are recognised by their content, at any depth, whatever their names. Each file that gives no image is a row of
/// rejects.parquet with the reason; none ends the run.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "deepmcat-ingest",
    version,
    after_help = "Example: deepmcat-ingest archive --out run/dataset --set ingest.rules=ukbb"
)]
pub struct Args {
    /// Folders or files to read
    #[arg(required = true, value_name = "INPUT")]
    pub inputs: Vec<PathBuf>,
    /// Folder of the data set; an earlier data set there is replaced
    #[arg(long, value_name = "DATASET")]
    pub out: PathBuf,
    /// Class rules: none, folders, ukbb, or a TOML file [default: ingest.rules of the configuration]
    #[arg(long, value_name = "NAME|FILE")]
    pub rules: Option<String>,
    /// Time frames that become images: first, all [default: ingest.frames of the configuration]
    #[arg(long, value_name = "WHICH", value_parser = frames)]
    pub frames: Option<Frames>,
    /// File whose content keys the hashes of names and identifiers; keep it apart from what you share [default:
    /// ingest.key_file of the configuration, otherwise a key that everybody knows, which hides nothing]
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// Memory that one input file may take, in MiB; a file that needs more is rejected as too_large
    /// [default: ingest.max_memory of the configuration]
    #[arg(long, value_name = "MIB")]
    pub max_memory: Option<u64>,
    /// Seconds that one input file may take; a slower one is rejected as too_slow
    /// [default: ingest.max_seconds of the configuration]
    #[arg(long, value_name = "S")]
    pub max_seconds: Option<u64>,
    /// Members that a zip may have; a zip with more is rejected as too_large
    /// [default: ingest.max_members of the configuration]
    #[arg(long, value_name = "N")]
    pub max_members: Option<u64>,
    /// How many times its packed size a zip member above 64 MiB may inflate to; one that exceeds this is rejected as
    /// too_large [default: ingest.max_ratio of the configuration]
    #[arg(long, value_name = "N")]
    pub max_ratio: Option<u64>,
    /// What it may do besides.
    #[command(flatten)]
    pub means: Means,
    /// Configuration and verbosity.
    #[command(flatten)]
    pub common: CommonArgs,
}

impl AsRef<CommonArgs> for Args {
    fn as_ref(&self) -> &CommonArgs {
        &self.common
    }
}

fn frames(text: &str) -> Result<Frames, String> {
    match text {
        "first" => Ok(Frames::First),
        "all" => Ok(Frames::All),
        _ => Err("expected first or all".to_owned()),
    }
}

/// What changes no image.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Means {
    /// Files read at a time; 0: one for each core [default: compute.threads of the configuration]
    #[arg(short, long, visible_alias = "threads", value_name = "N")]
    pub jobs: Option<u32>,
    /// Read every file again, even if unchanged since the last ingest into the same folder; replaces a data set that
    /// was made with another key
    #[arg(long)]
    pub fresh: bool,
    /// Only read the headers and say what would be made; writes nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Print the counts as JSON on stdout
    #[arg(long)]
    pub json: bool,
}

impl Front for Args {
    type Job = Ingest;
    type Means = Means;
    type Error = Error;

    fn job(self) -> Result<(Ingest, Means), Error> {
        let mut config = self.common.config()?;
        let settings = &mut config.ingest.settings;
        settings.rules = self.rules.unwrap_or_else(|| settings.rules.clone());
        settings.frames = self.frames.unwrap_or(settings.frames);
        settings.max_memory = self.max_memory.unwrap_or(settings.max_memory);
        settings.max_seconds = self.max_seconds.unwrap_or(settings.max_seconds);
        settings.max_members = self.max_members.unwrap_or(settings.max_members);
        settings.max_ratio = self.max_ratio.unwrap_or(settings.max_ratio);
        let mut job = config.ingest(self.inputs, self.out);
        // A relative path in a configuration file starts at that file, so that a run folder can be moved.
        let base = self.common.config.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
        job.inputs.key = self.key_file.or_else(|| job.inputs.key.map(|key| base.join(key)));
        let means = Means { jobs: self.means.jobs.or(Some(config.compute.threads)), ..self.means };
        Ok((job, means))
    }

    fn run(job: Ingest, means: Means) -> Result<(), Error> {
        crate::run(job, &means)
    }
}
