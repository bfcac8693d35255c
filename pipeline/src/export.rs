//! A run as a workflow of another engine: the same command lines over the same files, a job a shard.

mod slurm;
mod snakemake;

use std::path::{Path, PathBuf};

use deepmcat_config::Config;
use deepmcat_schemas::jobs::train::LastLayer;
use deepmcat_schemas::layout::epoch_of;
use deepmcat_schemas::{PART_0, features};

use crate::args::Engine;
use crate::dag::{Node, Stage, dependencies, may_be_absent, nodes};
use crate::dispatch::stage_program;
use crate::lock::Lock;
use crate::retention::Keeper;
use crate::{Error, RunFolder};

/// The workflow's text.
///
/// # Errors
/// When there is no run, or a stage's program is not there.
pub fn export(engine: Engine, run: &Path) -> Result<String, Error> {
    let run = RunFolder::open(&fs_err::canonicalize(run)?)?;
    let nodes = nodes(&run.config);
    let processes = processes(&run, &nodes)?;
    // What the lines name. Not beside a run that is at work with other jobs.
    let _lock = Lock::take(&run.path)?;
    run.write_jobs(&nodes)?;
    Ok(match engine {
        Engine::Snakemake => snakemake::text(&run, &processes),
        Engine::Slurm => slurm::text(&run, &processes),
    })
}

/// One process of the workflow.
#[derive(Debug)]
struct Process {
    /// A name that is a word in every language: `embed_7_0`.
    name: String,
    /// The command, quoted for a shell in the run folder.
    command: String,
    /// Files and folders that it reads, below the run folder.
    inputs: Vec<PathBuf>,
    /// Files and folders that it writes, below the run folder.
    outputs: Vec<PathBuf>,
    /// Places of the processes before it.
    after: Vec<usize>,
    /// Threads of each process.
    threads: usize,
    /// True where it computes on a graphics card.
    gpu: bool,
    /// Folders that retention does not keep and no process after it reads.
    last_to_read: Vec<PathBuf>,
}

fn processes(run: &RunFolder, nodes: &[Node]) -> Result<Vec<Process>, Error> {
    let config = &run.config;
    let reads = dependencies(nodes);
    let mut processes: Vec<Process> = Vec::new();
    // The processes of each node.
    let mut of_node: Vec<Vec<usize>> = Vec::new();
    for (node, reads) in nodes.iter().zip(&reads) {
        let shards = node.shards(config);
        let mut mine = Vec::new();
        for shard in 0..shards {
            let part = if shards > 1 { format!("_{shard}") } else { String::new() };
            mine.push(processes.len());
            processes.push(Process {
                name: node.id.to_string().replace('@', "_") + &part,
                command: command(node, config, (shard, shards))?,
                inputs: inputs(node, nodes, config),
                outputs: outputs(node, shard, config),
                after: reads.iter().flat_map(|&before| of_node[before].clone()).collect(),
                threads: threads(node, config),
                gpu: node.uses_card(config),
                last_to_read: Vec::new(),
            });
        }
        of_node.push(mine);
    }
    let keeper = Keeper::new(config);
    for output in nodes.iter().flat_map(|node| &node.outputs).filter(|path| may_be_absent(path) && !keeper.keeps(path))
    {
        // Nodes stand after those that they read from: the last reader ends after every other.
        if let Some(reader) = nodes.iter().rposition(|node| node.inputs.contains(output)) {
            for &process in &of_node[reader] {
                processes[process].last_to_read.push(output.clone());
            }
        }
    }
    Ok(processes)
}

fn command(node: &Node, config: &Config, shard: (usize, usize)) -> Result<String, Error> {
    let program = stage_program(node.job.program())?;
    let words = std::iter::once(program.into_os_string()).chain(node.command_line(Path::new(""), config, shard));
    Ok(words.map(|word| quoted(&word.to_string_lossy())).collect::<Vec<_>>().join(" "))
}

/// A word as a POSIX shell reads it back.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=@:,+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// Stages that compute take the threads of the configuration, 0 being all; the others one.
fn threads(node: &Node, config: &Config) -> usize {
    match node.id.stage {
        Stage::Train => config.train_threads(),
        _ => node.threads(config).unwrap_or(1),
    }
}

fn inputs(node: &Node, nodes: &[Node], config: &Config) -> Vec<PathBuf> {
    let read = |path: &PathBuf| {
        let writer = nodes.iter().find(|node| node.outputs.contains(path));
        let shards = writer.map_or(1, |writer| writer.shards(config));
        (0..shards).flat_map(|shard| files(path, shard, config)).collect::<Vec<_>>()
    };
    node.inputs.iter().flat_map(read).collect()
}

fn outputs(node: &Node, shard: usize, config: &Config) -> Vec<PathBuf> {
    node.outputs.iter().flat_map(|path| files(path, shard, config)).collect()
}

/// The files that one process writes of an output. Engines are told of files alone: Snakemake puts a file of its own
/// into folders that it knows.
fn files(path: &Path, shard: usize, config: &Config) -> Vec<PathBuf> {
    if path.extension().is_some() {
        return vec![path.to_owned()];
    }
    if path.starts_with("checkpoints") {
        let kept = config.train.sgd.head == LastLayer::Kept && epoch_of(path).is_some();
        let names = ["model", "optimizer", "head"].into_iter().take(if kept { 3 } else { 2 });
        return names.map(|name| path.join(format!("{name}.safetensors"))).collect();
    }
    let arrow = path.starts_with("features") || path.ends_with("features") || path.starts_with("pixels");
    vec![if arrow { features::part(path, shard) } else { path.join(PART_0) }]
}
