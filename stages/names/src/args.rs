//! The command line of `deepmcat-names`; doc comments are the help.

use std::path::PathBuf;

use deepmcat_stage::Verbosity;

/// Gives names (categories) to the clusters and images of a finished run.
///
/// Decisions are appended to RUN/review/decisions.jsonl and are on the disk before a command ends. The table RUN/names
/// is made from it. The name of an image outranks that of its cluster.
#[derive(Debug, clap::Parser)]
#[command(
    name = "deepmcat-names",
    version,
    after_help = "Example:\n  deepmcat names runs/study ask -n 50 > todo.csv      # then fill in the column `category`\n  \
        deepmcat names runs/study import todo.csv\n  deepmcat categorize runs/study"
)]
pub struct Args {
    /// The run folder
    pub run: PathBuf,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// How much is said.
    #[command(flatten)]
    pub verbosity: Verbosity,
}

/// What is done with names.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Import names from a CSV: cluster number or image key, then the name; rows without a name are ignored. All or
    /// none
    Import {
        /// The CSV: columns `what` and `category`, or else the first two columns
        file: PathBuf,
        /// Who decided [default: the user of this machine]
        #[arg(long, value_name = "NAME")]
        author: Option<String>,
    },
    /// Write the current names as CSV
    Export {
        /// The CSV to write [default: standard output]
        file: Option<PathBuf>,
    },
    /// Undo the last decisions
    Undo {
        /// How many
        #[arg(default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        count: u32,
        /// Who decided [default: the user of this machine]
        #[arg(long, value_name = "NAME")]
        author: Option<String>,
    },
    /// Print all decisions
    Log {
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Show how far people agree: clusters and images that two of them named, and where their names differ
    ///
    /// The last name that each person gave counts. To give the same name as another person is a second opinion.
    Agreement {
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Carry names over from another run, or from earlier results of this one
    ///
    /// Clusters are matched by the images that they share. If at least 0.8 of the images in either are in both, the
    /// name is taken over; otherwise it is only listed as proposed. Existing names stay.
    #[command(after_help = "Example: deepmcat names runs/new carry runs/old --dry-run")]
    Carry {
        /// The run that the names come from [default: earlier results of this run]
        from: Option<PathBuf>,
        /// Only say what would be taken over
        #[arg(long)]
        dry_run: bool,
        /// Who decided [default: the user of this machine]
        #[arg(long, value_name = "NAME")]
        author: Option<String>,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Print what to name next as a CSV to fill in: clusters without a name with their medoid, then uncertain images
    ///
    /// First all clusters without a name, the largest first, each with the image nearest to its mean. Then images of
    /// large clusters that are between clusters or have the lowest confidence.
    Ask {
        /// How many
        #[arg(short, default_value_t = 50)]
        n: usize,
    },
}
