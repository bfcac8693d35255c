//! Runs on other engines: the same tables as `deepmcat run`.

use std::path::Path;
use std::process::Command;

use crate::python::python;
use crate::world::{World, assert_same, tables};

#[test]
fn snakemake_gives_the_tables_of_a_run() {
    let world = World::new();
    world.small_run();
    for (run, shards) in [("run", "1"), ("flow", "2")] {
        fs_err::create_dir_all(world.path(run)).unwrap();
        if run != "run" {
            world.init(run);
        }
        let toml = world.path(run).join("run.toml");
        let text = fs_err::read_to_string(&toml).unwrap();
        fs_err::write(&toml, text.replace("\nshards = 1", &format!("\nshards = {shards}"))).unwrap();
    }
    let text = world.deepmcat(&["export", "snakemake", "flow"]);
    assert!(text.contains("sys.setrecursionlimit(") && text.contains("rule embed_1_1:"), "{text}");
    let file = world.path("Snakefile");
    fs_err::write(&file, text).unwrap();
    let code = "from snakemake.cli import main; main(['--snakefile', 'Snakefile', '--cores', '2'])";
    if python(&world, "snakemake.cli", code).is_none() {
        return;
    }
    world.deepmcat(&["run", "run"]);
    let kept = |run: &str| {
        let mut tables = tables(&world.path(run));
        // Features are in as many parts as there are shards.
        tables.retain(|path, _| path.extension().is_none_or(|extension| extension != "arrow"));
        tables
    };
    assert_same(&kept("flow"), &kept("run"));
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
