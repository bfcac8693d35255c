//! Training and k-means by two processes under MPI: what one process comes to, but for rounding.

use deepmcat_schemas::features::{FeatureTable, Values};
use deepmcat_schemas::{Assignments, PART_0, Training, read_table};
use deepmcat_testing::{Need, skip};

use crate::world::{World, program};

/// Whether this build has MPI and `mpirun` is here; where not, the test is skipped.
pub fn has_mpi() -> bool {
    let seen = std::process::Command::new(program("deepmcat-device")).output().unwrap();
    let seen: serde_json::Value = serde_json::from_slice(&seen.stdout).unwrap();
    let found = std::process::Command::new("mpirun").arg("--version").output().is_ok();
    if seen["mpi"].is_null() || !found {
        let packages = "openmpi-bin, libopenmpi-dev and libclang-dev of Debian";
        skip(Need::Mpi, &format!("there is no MPI (make test MPI=1, with {packages})"));
        return false;
    }
    true
}

/// A setting of the command line `init` for a run of two processes. Open MPI takes two processors for granted, and
/// asks twice before it runs as root, as CI does.
pub const TWO: [&str; 4] = [
    "--set",
    "compute.ranks=2",
    "--set",
    "pipeline.launcher=mpirun --allow-run-as-root --oversubscribe --bind-to none -n {ranks}",
];

fn losses(world: &World, run: &str) -> Vec<f32> {
    let table: Training = read_table(&world.path(run).join("training/epoch=0").join(PART_0)).unwrap();
    table.loss
}

fn assignments(world: &World, table: &str) -> Assignments {
    read_table(&world.path(table).join(PART_0)).unwrap()
}

#[test]
fn two_processes_learn_what_one_learns() {
    if !has_mpi() {
        return;
    }
    let world = World::new();
    world.small_run();
    // Small rates: rounding grows from step to step, with other numbers of threads as with other numbers of processes.
    let init = |run: &str, more: &[&str]| {
        let mut words = vec!["init", "archive", "--run", run, "--preset", "ci", "--set", "compute.threads=1"];
        let sets = ["run.epochs=2", "embed.memory=0.5", "retention.features=0"];
        let rates = ["train.rate=0.0001", "train.head_rate=0.0001"];
        words.extend(sets.iter().chain(&rates).flat_map(|set| ["--set", set]));
        words.extend(more);
        world.deepmcat(&words);
        world.deepmcat(&["run", run]);
    };
    init("one", &[]);
    init("two", &TWO);
    init("again", &TWO);
    let (one, two) = (losses(&world, "one"), losses(&world, "two"));
    assert_eq!(one.len(), two.len());
    assert!(one.len() > 1);
    let apart = one.iter().zip(&two).map(|(one, two)| (one - two).abs() / one).fold(0.0, f32::max);
    assert!(apart < 2e-3, "{one:?} {two:?}");
    // What the images' features become is added up from both.
    let features = |run: &str| FeatureTable::open(&world.path(run).join("features/epoch=1/part-0.arrow")).unwrap();
    let (one, two) = (features("one"), features("two"));
    let (Values::F32(one), Values::F32(two)) = (one.values(), two.values()) else {
        panic!("half precision was not asked for");
    };
    let apart = one.iter().zip(two).map(|(one, two)| (one - two).abs()).fold(0.0, f32::max);
    assert!(apart < 2e-3, "{apart}");
    // The same features, a share each: k-means comes to the same.
    for table in ["baseline/assignments", "assignments/epoch=0"] {
        let path = |run: &str| format!("{run}/{table}");
        assert_eq!(assignments(&world, &path("one")), assignments(&world, &path("two")), "{table}");
    }
    assert_eq!(assignments(&world, "two/assignments/epoch=2"), assignments(&world, "again/assignments/epoch=2"));
    let plan = world.deepmcat(&["plan", "two", "--commands", "--force", "train@0"]);
    assert!(plan.contains("mpirun") && plan.contains("deepmcat-train"), "{plan}");
}

#[test]
fn a_number_of_processes_that_was_not_started_is_refused() {
    let world = World::new();
    world.small_run();
    world.deepmcat(&["run", "run", "--until", "embed@0"]);
    let cluster = |more: &[&str]| {
        let mut words = vec!["cluster", "--features", "run/features/epoch=0", "--config", "run/run.toml"];
        words.extend(["--assignments", "a", "--clusters", "c"]);
        words.extend(more);
        let said = world.fails(2, &words);
        assert!(!world.path("a").exists());
        said
    };
    let said = cluster(&["--set", "compute.ranks=2"]);
    assert!(said.contains("setting `compute.ranks` ") && said.contains("hint: "), "{said}");
    let said = cluster(&["--set", "train.batch=2", "--set", "compute.ranks=3"]);
    assert!(said.contains("setting `train.batch` is 2"), "{said}");
    if has_mpi() {
        let mut mpirun = std::process::Command::new("mpirun");
        mpirun.args(["--allow-run-as-root", "--oversubscribe", "-n", "2"]).arg(program("deepmcat-cluster"));
        mpirun.args(["--features", "run/features/epoch=0", "--config", "run/run.toml"]);
        let output =
            mpirun.args(["--assignments", "a", "--clusters", "c"]).current_dir(world.path("")).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("setting `compute.ranks` is 1, but 2 processes were started"), "{said}");
    }
}
