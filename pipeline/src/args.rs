//! The command line. Users script against it: names stay.

use std::ffi::OsString;
use std::path::PathBuf;

use deepmcat_stage::Verbosity;

use crate::select::Selection;

/// Puts every image of an unlabelled medical archive into a category.
#[derive(Debug, clap::Parser)]
#[command(
    name = "deepmcat",
    version,
    long_version = crate::version::long(),
    // `help` reaches the stages too.
    disable_help_subcommand = true,
    after_help = "Each stage is a program of its own: `deepmcat embed --help` is `deepmcat-embed --help`.\n\
        Stages: fetch, ingest, pack, embed, encode, cluster, sample, train, evaluate, map, report. Other programs: review (a page to name clusters), names (the same with CSV files), categorize (from names to categories), audit (how certain they are), headers (wrong SeriesDescriptions), pacs (categories back into an archive server, structured reports), history and sql (questions to a run), synth (a synthetic archive).\n\n\
        Example:\n  deepmcat init /archive/study --run runs/study\n  deepmcat run runs/study"
)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// How much is said.
    #[command(flatten)]
    pub verbosity: Verbosity,
}

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make a run folder with RUN/run.toml, which explains every setting
    #[command(after_help = "Example: deepmcat init /archive/study --run runs/study --set cluster.k=40\n  \
        deepmcat init orthanc://localhost:8042 --run runs/study --set 'fetch.modality=[\"MR\"]'")]
    Init {
        /// Folders or files to categorise, or the address of an archive server: orthanc://HOST:PORT, dicomweb+https://HOST/PATH
        #[arg(required = true)]
        inputs: Vec<PathBuf>,
        /// The run folder to make
        #[arg(long)]
        run: PathBuf,
        /// Preset: paper, balanced, large, small, small-data, quick, demo, ci
        #[arg(long, default_value = "small-data")]
        preset: String,
        /// Override one setting, for example --set cluster.k=40 (may be repeated)
        #[arg(long, value_name = "SECTION.KEY=VALUE")]
        set: Vec<String>,
    },
    /// Put the images of other folders into the categories of a finished run, or of an exported model
    #[command(after_help = "Examples:\n  deepmcat apply runs/study /archive/november --out runs/november\n  \
            deepmcat apply runs/study --export models/study\n  \
            deepmcat apply models/study /archive/november --out runs/november\n\
            The run needs categories: deepmcat categorize RUN. It is only read. OUT is a folder like that of a run, and the same command continues an interrupted one; OUT/series.csv names the series, OUT/categories and OUT/series are the tables.")]
    Apply {
        /// The run folder, or the folder of an exported model
        #[arg(value_name = "RUN|MODEL")]
        source: PathBuf,
        /// Folders or files with the images to put into categories, or the address of an archive server
        #[arg(value_name = "FOLDER", required_unless_present = "export", requires = "out")]
        inputs: Vec<PathBuf>,
        /// Folder below which the tables are written
        #[arg(long, value_name = "OUT", requires = "inputs")]
        out: Option<PathBuf>,
        /// Write the model as a folder that works without the run
        #[arg(long, value_name = "MODEL")]
        export: Option<PathBuf>,
        /// Change one setting of ingest, pipeline or compute, for example --set ingest.rules=ukbb (may be repeated)
        #[arg(long, value_name = "SECTION.KEY=VALUE")]
        set: Vec<String>,
        /// Nodes that run at a time [default: pipeline.jobs]
        #[arg(short, long)]
        jobs: Option<usize>,
        /// Print the result as JSON
        #[arg(long)]
        json: bool,
    },
    /// Run everything that is not done yet
    #[command(
        after_help = "Examples:\n  deepmcat run runs/study -j 2\n  deepmcat run runs/study --from cluster@7 --until \
        evaluate@9\nAn interrupted run continues where it was. Ctrl-C ends it tidily; a second Ctrl-C at once."
    )]
    Run {
        /// The run folder
        run: PathBuf,
        /// Change one setting in RUN/run.toml first, for example --set run.epochs=40 (may be repeated)
        #[arg(long, value_name = "SECTION.KEY=VALUE")]
        set: Vec<String>,
        /// Nodes that run at a time [default: pipeline.jobs]
        #[arg(short, long)]
        jobs: Option<usize>,
        /// What to run.
        #[command(flatten)]
        selection: Selection,
        /// Read every table and the archive again instead of trusting size, times and inode
        #[arg(long)]
        verify: bool,
        /// After a failure, continue with all nodes that do not depend on the failed one
        #[arg(long)]
        keep_going: bool,
        /// Print the metrics as JSON
        #[arg(long)]
        json: bool,
    },
    /// Show what `run` would do and why, and the disk space of the whole run
    Plan {
        /// The run folder
        run: PathBuf,
        /// Show it as if this setting were changed first (may be repeated)
        #[arg(long, value_name = "SECTION.KEY=VALUE")]
        set: Vec<String>,
        /// What to run.
        #[command(flatten)]
        selection: Selection,
        /// Read every table and the archive again instead of trusting size, times and inode
        #[arg(long)]
        verify: bool,
        /// Show the command line of each node
        #[arg(long)]
        commands: bool,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Show the progress of a run, its metrics and its disk use
    Status {
        /// The run folder
        run: PathBuf,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Say why a node would run again, or why not
    #[command(after_help = "Example: deepmcat why runs/study embed@7")]
    Why {
        /// The run folder
        run: PathBuf,
        /// STAGE, STAGE@EPOCH, STAGE@raw (the raw-pixel baseline) or STAGE@encoder (the frozen encoder)
        node: String,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// List what may be removed: features and checkpoints that retention does not keep and no node needs, and epochs of
    /// earlier settings
    #[command(
        after_help = "Example: deepmcat gc runs/study --delete\nA run itself removes what retention does not keep. Epochs of earlier settings stay until you remove them, so that you can go back."
    )]
    Gc {
        /// The run folder
        run: PathBuf,
        /// Remove what is listed
        #[arg(long)]
        delete: bool,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Write the run as a workflow of another engine, to standard output
    #[command(after_help = "Example: deepmcat export snakemake runs/study > runs/study/Snakefile\n  \
        snakemake --snakefile runs/study/Snakefile --cores 8")]
    Export {
        /// Which engine
        #[arg(value_enum)]
        engine: Engine,
        /// The run folder
        run: PathBuf,
    },
    /// Check whether this machine has what a run needs: programs, libtorch, memory, disk
    #[command(after_help = "Example: deepmcat doctor runs/study")]
    Doctor {
        /// A run folder, to check whether there is room for the rest of it
        run: Option<PathBuf>,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Print completions for a shell
    #[command(after_help = "Example: deepmcat completions bash > ~/.local/share/bash-completion/completions/deepmcat")]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the graph of all nodes
    Dag {
        /// The run folder
        run: PathBuf,
        /// How
        #[arg(long, value_enum, default_value_t = GraphFormat::Text)]
        format: GraphFormat,
    },
    /// A stage: deepmcat-STAGE with the arguments that follow
    #[command(external_subcommand)]
    Stage(Vec<OsString>),
}

/// Engines that a run is exported to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Engine {
    /// A Snakefile.
    Snakemake,
    /// A shell script that submits every job with its dependencies.
    Slurm,
}

/// How `dag` prints the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum GraphFormat {
    /// A line a node with its inputs.
    Text,
    /// Graphviz.
    Dot,
    /// JSON.
    Json,
}
