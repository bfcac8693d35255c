//! `deepmcat doctor`: whether this machine has what a run needs, and what it has beyond that.

use std::path::Path;
use std::process::{Command, Stdio};

use deepmcat_config::{built_in_encoder, onnx_runtime};
use deepmcat_schemas::layout::RUN_TOML;
use serde::Serialize;
use serde_json::Value;

use crate::dag::Stage;
use crate::dispatch::stage_program;
use crate::estimate::Estimate;
use crate::machine::processor;
use crate::retention::size;
use crate::{Error, RunFolder};

/// How serious a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Not there, and not needed by every run.
    Note,
    /// A run fails of it.
    Bad,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The thing, one word.
    pub what: &'static str,
    /// How it is.
    pub verdict: Verdict,
    /// What was found, and what to do where it is bad.
    pub text: String,
}

fn finding(what: &'static str, verdict: Verdict, text: impl Into<String>) -> Finding {
    Finding { what, verdict, text: text.into() }
}

/// Looks at programs, libtorch, processor, memory, disk and, with a run folder, at what that run needs.
///
/// # Errors
/// When there is no such run, or its configuration is wrong.
pub fn examine(run: Option<&Path>) -> Result<Vec<Finding>, Error> {
    let run = run.map(RunFolder::open).transpose()?;
    let mut findings = vec![stages()];
    findings.extend(libtorch(run.as_ref()));
    findings.push(encoder(run.as_ref()));
    findings.push(memory());
    findings.push(disk(run.as_ref()));
    findings.push(on_path("slurm", "sbatch", "`deepmcat export slurm`"));
    findings.push(on_path("snakemake", "snakemake", "`deepmcat export snakemake`"));
    Ok(findings)
}

/// What a program says of itself; why it cannot.
fn ask(program: &Path, words: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(words).stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(said.lines().next().map_or_else(|| output.status.to_string(), str::to_owned))
}

/// Every stage is there, starts, and is of this version.
fn stages() -> Finding {
    let own = env!("CARGO_PKG_VERSION");
    let check = |stage: &&str| match stage_program(stage) {
        Err(_) => Some(format!("deepmcat-{stage} is neither beside deepmcat nor on PATH")),
        Ok(program) => match ask(&program, &["--version"]) {
            Err(why) => Some(format!("{} does not start: {why}", program.display())),
            Ok(said) if !said.ends_with(own) => Some(format!("{} is {said}, deepmcat {own}", program.display())),
            Ok(_) => None,
        },
    };
    let stages = Stage::ALL.into_iter().filter(|stage| *stage != Stage::Init).map(Stage::name).collect::<Vec<_>>();
    let wrong: Vec<String> = stages.iter().filter_map(check).collect();
    if wrong.is_empty() {
        finding("stages", Verdict::Ok, format!("{} of version {own}", stages.join(", ")))
    } else {
        finding("stages", Verdict::Bad, format!("{}; build all stages: make build", wrong.join("; ")))
    }
}

/// libtorch, and what it sees of processor and graphics cards.
fn libtorch(run: Option<&RunFolder>) -> Vec<Finding> {
    let said = stage_program("device").map_err(|error| error.to_string()).and_then(|program| ask(&program, &[]));
    let seen: Value = match said.and_then(|said| serde_json::from_str(&said).map_err(|error| error.to_string())) {
        Ok(seen) => seen,
        Err(why) => {
            let why = why.lines().next().unwrap_or_default().to_owned();
            return vec![finding("libtorch", Verdict::Bad, format!("{why}; fetch it and build again: make build"))];
        }
    };
    let text = |key: &str| seen[key].as_str().unwrap_or("unknown").to_owned();
    let has = |key: &str| seen[key].as_bool().unwrap_or(false);
    let parts = [("onednn", "oneDNN"), ("openmp", "OpenMP"), ("mkl", "MKL")].map(|(key, name)| (has(key), name));
    let parts: Vec<&str> = parts.into_iter().filter_map(|(there, name)| there.then_some(name)).collect();
    let cards = seen["cuda_devices"].as_u64().unwrap_or(0);
    let asked = run.is_some_and(|run| run.config.compute.device.starts_with("cuda"));
    let cuda = match (cards, has("cuda_built")) {
        (0, false) => "this libtorch is the CPU build; with CUDA: make setup CUDA=1".to_owned(),
        (0, true) => "libtorch has CUDA but sees no device; is the driver loaded?".to_owned(),
        (n, _) => format!("{n} devices, numbered from 0"),
    };
    let bfloat16 = if has("bfloat16") { "" } else { "no " };
    vec![
        finding(
            "libtorch",
            Verdict::Ok,
            format!("{} with {}, {}", text("libtorch"), parts.join(", "), text("library")),
        ),
        finding(
            "processor",
            Verdict::Ok,
            format!("{}, {} threads, {bfloat16}bfloat16", processor(), seen["threads"].as_u64().unwrap_or(0)),
        ),
        finding(
            "cuda",
            if cards > 0 {
                Verdict::Ok
            } else if asked {
                Verdict::Bad
            } else {
                Verdict::Note
            },
            cuda,
        ),
    ]
}

/// ONNX Runtime and the network that it runs, where a run asks for one.
fn encoder(run: Option<&RunFolder>) -> Finding {
    let asked = run.and_then(|run| run.config.encoder.file());
    let network = asked.clone().unwrap_or_else(built_in_encoder);
    let runtime = onnx_runtime();
    let is_network = network.extension().is_some_and(|extension| extension == "onnx");
    let needed = [Some(network.clone()), is_network.then_some(runtime)];
    match needed.into_iter().flatten().find(|file| !file.is_file()) {
        None => finding("encoder", Verdict::Ok, network.display().to_string()),
        Some(missing) => finding(
            "encoder",
            if asked.is_some() { Verdict::Bad } else { Verdict::Note },
            format!("{} is not there; make setup fetches it", missing.display()),
        ),
    }
}

fn memory() -> Finding {
    let text = fs_err::read_to_string("/proc/meminfo").unwrap_or_default();
    let gigabytes = |key: &str| {
        let kilobytes = text.lines().find_map(|line| line.strip_prefix(key)?.split_whitespace().nth(1)?.parse().ok());
        kilobytes.map(|kilobytes: f64| kilobytes / 1e6)
    };
    match (gigabytes("MemTotal"), gigabytes("MemAvailable")) {
        (Some(all), Some(free)) => finding("memory", Verdict::Ok, format!("{free:.1} of {all:.1} GB available")),
        _ => finding("memory", Verdict::Note, "unknown: this system does not say"),
    }
}

/// Space left where the run lies, against what it may still write.
fn disk(run: Option<&RunFolder>) -> Finding {
    let folder = run.map_or(Path::new("."), |run| &run.path);
    #[cfg(unix)]
    let free = rustix::fs::statvfs(folder).ok().map(|disk| disk.f_bavail as f64 * disk.f_frsize as f64);
    #[cfg(not(unix))]
    let free: Option<f64> = None;
    let Some(free) = free else {
        return finding("disk", Verdict::Note, format!("{}: space unknown", folder.display()));
    };
    let has = format!("{:.1} GB free in {}", free / 1e9, folder.display());
    let Some(run) = run else { return finding("disk", Verdict::Ok, has) };
    let tables = ["pixels", "features", "baseline", "encoder", "checkpoints", "assignments", "clusters", "samples"];
    let there: u64 = tables.iter().map(|table| size(&run.path.join(table))).sum();
    let needed = (Estimate::of(run).total() - there as f64).max(0.0);
    let text = format!("{has}; this run takes {:.1} GB more", needed / 1e9);
    if needed < free {
        finding("disk", Verdict::Ok, text)
    } else {
        let hint = "make room, or keep less: retention, embed.float16 in";
        finding("disk", Verdict::Bad, format!("{text}: {hint} {}", run.path.join(RUN_TOML).display()))
    }
}

/// A program that only some uses need.
fn on_path(what: &'static str, program: &str, use_of: &str) -> Finding {
    match ask(Path::new(program), &["--version"]) {
        Ok(said) => finding(what, Verdict::Ok, said.lines().next().unwrap_or_default()),
        Err(_) => finding(what, Verdict::Note, format!("no {program} on PATH; only {use_of} needs it")),
    }
}
