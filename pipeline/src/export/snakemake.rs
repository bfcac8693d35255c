//! A Snakefile: one rule a process, run in the run folder.

use std::fmt::Write;
use std::path::Path;

use super::Job;
use crate::RunFolder;

/// The Snakefile.
pub(super) fn text(run: &RunFolder, jobs: &[Job]) -> String {
    // Snakemake walks the chain of jobs by recursion, with some frames a job; Python's own limit of 1000 ends that.
    let limit = 10_000 + 50 * jobs.len();
    let mut text = format!(
        "# Made by `deepmcat export snakemake`: the whole run, a rule a process.\n\
         #   snakemake --snakefile Snakefile --cores 8 [--resources gpu=1]\n\
         import sys\n\nsys.setrecursionlimit({limit})\n\nworkdir: {}\n\n",
        literal(&run.path)
    );
    let removed = |path: &Path| jobs.iter().any(|job| job.last_to_read.iter().any(|folder| path.starts_with(folder)));
    let all: Vec<String> =
        jobs.iter().flat_map(|job| &job.outputs).filter(|path| !removed(path)).map(literal).collect();
    // Writing to a String cannot fail.
    let _ = write!(text, "rule all:\n    input:\n        {}\n", all.join(",\n        "));
    for job in jobs {
        let _ = write!(text, "\nrule {}:\n", job.name);
        if !job.inputs.is_empty() {
            let inputs: Vec<String> = job.inputs.iter().map(literal).collect();
            let _ = writeln!(text, "    input: {}", inputs.join(", "));
        }
        let outputs: Vec<String> = job.outputs.iter().map(|path| output(path, removed(path))).collect();
        let _ = writeln!(text, "    output: {}", outputs.join(", "));
        let _ = writeln!(text, "    log: \"logs/{}.log\"", job.name);
        let threads = if job.threads == 0 { "workflow.cores".to_owned() } else { job.threads.to_string() };
        let _ = writeln!(text, "    threads: {threads}");
        if job.gpu {
            let _ = writeln!(text, "    resources: gpu=1");
        }
        let command = job.command.replace('{', "{{").replace('}', "}}");
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
