//! A Snakefile: one rule a process, run in the run folder.

use std::fmt::Write;
use std::path::Path;

use super::Process;
use crate::RunFolder;

/// The Snakefile.
pub(super) fn text(run: &RunFolder, processes: &[Process]) -> String {
    // Snakemake walks the chain of jobs by recursion, with some frames a job; Python's own limit of 1000 ends that.
    let limit = 10_000 + 50 * processes.len();
    let mut text = format!(
        "# Made by `deepmcat export snakemake`: the whole run, a rule a process.\n\
         #   snakemake --snakefile Snakefile --cores 8 [--resources gpu=1]\n\
         import sys\n\nsys.setrecursionlimit({limit})\n\nworkdir: {}\n\n",
        literal(&run.path)
    );
    let removed = |path: &Path| {
        processes.iter().any(|process| process.last_to_read.iter().any(|folder| path.starts_with(folder)))
    };
    let all: Vec<String> =
        processes.iter().flat_map(|process| &process.outputs).filter(|path| !removed(path)).map(literal).collect();
    // Writing to a String cannot fail.
    let _ = write!(text, "rule all:\n    input:\n        {}\n", all.join(",\n        "));
    for process in processes {
        let _ = write!(text, "\nrule {}:\n", process.name);
        if !process.inputs.is_empty() {
            let inputs: Vec<String> = process.inputs.iter().map(literal).collect();
            let _ = writeln!(text, "    input: {}", inputs.join(", "));
        }
        let outputs: Vec<String> = process.outputs.iter().map(|path| output(path, removed(path))).collect();
        let _ = writeln!(text, "    output: {}", outputs.join(", "));
        let _ = writeln!(text, "    log: \"logs/{}.log\"", process.name);
        let threads = if process.threads == 0 { "workflow.cores".to_owned() } else { process.threads.to_string() };
        let _ = writeln!(text, "    threads: {threads}");
        if process.gpu {
            let _ = writeln!(text, "    resources: gpu=1");
        }
        let command = process.command.replace('{', "{{").replace('}', "}}");
        let _ = writeln!(text, "    shell: {}", string(&format!("{command} > {{log}} 2>&1")));
    }
    text
}

/// An output; what retention does not keep is `temp`: Snakemake removes it after its last reader.
fn output(path: &Path, removed: bool) -> String {
    let name = literal(path);
    if removed { format!("temp({name})") } else { name }
}

fn literal(path: impl AsRef<Path>) -> String {
    string(&path.as_ref().to_string_lossy())
}

/// A string of Python: JSON's are.
fn string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
