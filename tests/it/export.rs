//! Runs on other engines: the same tables as `deepmcat run`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use deepmcat_testing::{Need, skip};

use crate::python::python;
use crate::world::{World, assert_same, tables};

/// The tables that do not depend on the number of shards: features are in as many parts as there are shards.
fn unsharded(world: &World, run: &str) -> BTreeMap<PathBuf, String> {
    let mut tables = tables(&world.path(run));
    tables.retain(|path, _| path.extension().is_none_or(|extension| extension != "arrow"));
    tables
}

/// Changes a line of the run.toml of a run that has not started.
fn change(world: &World, run: &str, from: &str, to: &str) {
    let toml = world.path(run).join("run.toml");
    let text = fs_err::read_to_string(&toml).unwrap();
    assert!(text.contains(from), "{text}");
    fs_err::write(&toml, text.replace(from, to)).unwrap();
}

#[test]
fn snakemake_gives_the_tables_of_a_run() {
    let world = World::new();
    world.small_run();
    world.init("flow");
    change(&world, "flow", "\nshards = 1", "\nshards = 2");
    let text = world.deepmcat(&["export", "snakemake", "flow"]);
    assert!(text.contains("sys.setrecursionlimit(") && text.contains("rule embed_1_1:"), "{text}");
    let file = world.path("Snakefile");
    fs_err::write(&file, text).unwrap();
    let code = "from snakemake.cli import main; main(['--snakefile', 'Snakefile', '--cores', '2'])";
    if python(&world, "snakemake.cli", code).is_none() {
        return;
    }
    world.deepmcat(&["run", "run"]);
    assert_same(&unsharded(&world, "flow"), &unsharded(&world, "run"));
}

#[test]
fn slurm_jobs_wait_for_what_they_read() {
    let world = World::new();
    world.small_run();
    // A Slurm of four lines: it runs a job at once, numbers it, and refuses one whose predecessors are unknown.
    let sbatch = "#!/bin/bash\nset -eu\nn=$(($(cat count 2>/dev/null || echo 100) + 1)); \
        for a in \"$@\"; do case $a in --dependency=afterok:*) \
        for d in $(echo ${a#*:} | tr : ' '); do test -f done-$d; done;; esac; done\n\
        eval \"${@: -1}\" > /dev/null 2>&1\necho $n > count; touch done-$n; echo $n\n";
    let bin = world.path("bin");
    fs_err::create_dir_all(&bin).unwrap();
    fs_err::write(bin.join("sbatch"), sbatch).unwrap();
    let script = world.path("submit.sh");
    fs_err::write(&script, world.deepmcat(&["export", "slurm", "run"])).unwrap();
    let run = |program: &str, words: &[&Path]| {
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        let output = Command::new(program).args(words).env("PATH", path).current_dir(world.path("")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    run("chmod", &[Path::new("+x"), &bin.join("sbatch")]);
    run("bash", &[&script]);
    world.init("again");
    world.deepmcat(&["run", "again"]);
    assert_same(&tables(&world.path("run")), &tables(&world.path("again")));
}

/// A file of this repository.
fn ours(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    fs_err::canonicalize(path).unwrap().to_string_lossy().into_owned()
}

#[test]
fn both_exports_run_on_a_real_slurm() {
    let world = World::new();
    world.small_run();
    for run in ["batch", "flow"] {
        world.init(run);
        change(&world, run, "\nshards = 1", "\nshards = 2");
        change(&world, run, "\nepochs = 2", "\nepochs = 1"); // a job takes seconds to start
    }
    change(&world, "run", "\nepochs = 2", "\nepochs = 1");
    fs_err::write(world.path("submit.sh"), world.deepmcat(&["export", "slurm", "batch"])).unwrap();
    fs_err::write(world.path("Snakefile"), world.deepmcat(&["export", "snakemake", "flow"])).unwrap();
    let on_slurm = |command: &str| {
        let packages = std::env::var("DEEPMCAT_TEST_PYTHONPATH").unwrap_or_default();
        let mut slurm = Command::new(ours("tests/slurm/with_slurm.sh"));
        slurm.args(["bash", "-ec", command]).env("PYTHONPATH", packages).env("HOME", world.path(""));
        let output = slurm.current_dir(world.path("")).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        if output.status.code() == Some(77) {
            skip(Need::Slurm, &said);
            return false;
        }
        assert!(output.status.success(), "{said}");
        true
    };
    let wait = "bash submit.sh --partition=all; while squeue -h | grep -q .; do sleep 0.2; done";
    if !on_slurm(wait) {
        return;
    }
    world.deepmcat(&["run", "run"]);
    assert_same(&unsharded(&world, "batch"), &unsharded(&world, "run"));
    if python(&world, "snakemake_executor_plugin_cluster_generic", "").is_none() {
        return;
    }
    let python = std::env::var("DEEPMCAT_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let snakemake = format!(
        "{python} -m snakemake --snakefile Snakefile --jobs 4 --executor cluster-generic --latency-wait 10 \
         --cluster-generic-submit-cmd 'sbatch --parsable --cpus-per-task={{threads}} --output=/dev/null' \
         --cluster-generic-status-cmd {} --max-status-checks-per-second 5 --seconds-between-status-checks 1",
        ours("scripts/slurm_status.sh")
    );
    assert!(on_slurm(&snakemake));
    assert_same(&unsharded(&world, "flow"), &unsharded(&world, "run"));
}
