//! The command line of `deepmcat-audit`; doc comments are the help.

use std::path::PathBuf;

use deepmcat_stage::Verbosity;

/// Certifies categories: a person checks images drawn at random, and the answers give a threshold of confidence above
/// which few are wrong.
///
/// A confidence is an estimate. An audit proves it by a sample: among the images at or above the certified confidence,
/// the share of wrong ones is below the target, with the probability of --level. This holds for the images of this run
/// with its current names.
#[derive(Debug, clap::Parser)]
#[command(
    name = "deepmcat-audit",
    version,
    after_help = "Example:\n  deepmcat audit runs/study plan --target 0.02             # how many answers that needs\n  \
        deepmcat audit runs/study draw -n 200 > audit.csv         # fill in `answer`: yes, no, or the right category\n  \
        deepmcat audit runs/study certify audit.csv --target 0.02\n  deepmcat categorize runs/study --threshold 0.83    # what it said"
)]
pub struct Args {
    /// The run folder, with categories
    pub run: PathBuf,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// How much is said.
    #[command(flatten)]
    pub verbosity: Verbosity,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, clap::Args)]
pub struct Goal {
    /// Share of wrong images that is to be certified
    #[arg(long, value_name = "SHARE", default_value_t = 0.02, value_parser = share)]
    pub target: f64,
    /// Probability that the certificate holds
    #[arg(long, value_name = "SHARE", default_value_t = 0.95, value_parser = share)]
    pub level: f64,
}

/// What is done.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Say how many answers a target needs
    Plan {
        /// The target.
        #[command(flatten)]
        goal: Goal,
        /// Share of wrong images that you expect among the sure ones [default: a quarter of the target]
        #[arg(long, value_name = "SHARE", value_parser = share)]
        expect: Option<f64>,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Draw images at random and write them as a CSV to fill in; replaces an earlier draw
    Draw {
        /// How many
        #[arg(short, default_value_t = 150, value_parser = clap::value_parser!(u32).range(1..))]
        n: u32,
        /// Seed of the draw
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// The CSV to write [default: standard output]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Say which threshold the answers certify
    Certify {
        /// The CSV, with a column `answer`: yes, no, or the name of the right category
        answers: PathBuf,
        /// The target.
        #[command(flatten)]
        goal: Goal,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
}

/// A share between 0 and 1.
fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "a number between 0 and 1".to_owned())?;
    if share > 0.0 && share < 1.0 { Ok(share) } else { Err("a number between 0 and 1".to_owned()) }
}
