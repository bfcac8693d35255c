//! The command line of `deepmcat-names`; doc comments are the help.

use std::path::PathBuf;

use deepmcat_stage::Verbosity;

/// Gives names (categories) to the clusters and images of a finished run.
///
/// What is decided goes to RUN/review/decisions.jsonl, which is only appended to, and is on the disk before a command ends.
/// The table RUN/names is made of it. A name of an image outranks that of its cluster.
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
    /// Take names from a CSV: cluster number or image key, then the name; rows without a name are left out. All or none
    Import {
        /// The CSV; its columns `what` and `category` count, the first two where none has these names
        file: PathBuf,
        /// Who decided [default: the user of this machine]
        #[arg(long, value_name = "NAME")]
        author: Option<String>,
    },
    /// Write the names in force as CSV
    Export {
        /// The CSV to write [default: standard output]
        file: Option<PathBuf>,
    },
    /// Take back the last decisions that are in force
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
    /// How far people agree: clusters and images that two of them named, and what they call differently
    ///
    /// Everybody's last name for each thing counts. Naming what another has named already, with the same name, is a second
    /// opinion.
    Agreement {
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Carry names over from another run, or from earlier results of this one
    ///
    /// Clusters are matched by the images that they share. Where at least 0.8 of the images of either are in both, the
    /// name is taken over; below that it is only listed as proposed. A name that is there already stays.
    #[command(after_help = "Example: deepmcat names runs/new carry runs/old --dry-run")]
    Carry {
        /// The run that names come from [default: this one, whose result was another when they were given]
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
    /// Print what to name next as a CSV to fill in: clusters without a name by their medoid, then unsure images
    ///
    /// First every cluster without a name, the largest first, with the image nearest to its mean, then images of large
    /// clusters that lie between clusters or of which `categorize` is least sure.
    Ask {
        /// How many
        #[arg(short, default_value_t = 50)]
        n: usize,
    },
}
