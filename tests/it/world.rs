//! A directory of its own for a test, and the programs that it drives there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use deepmcat_schemas::files::hash_file;
use deepmcat_schemas::layout::{epochs, partition};
use deepmcat_schemas::{Training, read_folder};

/// The programs beside the runner.
pub const STAGES: [&str; 21] = [
    "fetch",
    "ingest",
    "pack",
    "embed",
    "encode",
    "cluster",
    "sample",
    "train",
    "evaluate",
    "map",
    "report",
    "names",
    "review",
    "categorize",
    "headers",
    "place",
    "audit",
    "pacs",
    "history",
    "sql",
    "synth",
];

/// The directory of one test; removed at its end.
pub struct World {
    folder: tempfile::TempDir,
}

impl World {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The command `deepmcat WORDS...` in this directory.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(program("deepmcat"));
        command.args(words).current_dir(self.folder.path());
        command
    }

    /// The command `deepmcat WORDS...` where one of its programs is a script: a deepmcat of this directory's own, beside
    /// links to the others.
    pub fn command_with(&self, replaced: &str, script: &str, words: &[&str]) -> Command {
        let folder = self.path("programs");
        if !folder.exists() {
            fs_err::create_dir_all(&folder).unwrap();
            let own = program("deepmcat");
            let to = folder.join("deepmcat");
            // A program finds the others beside its file, which a symbolic link would not be.
            fs_err::hard_link(&own, &to).or_else(|_| fs_err::copy(&own, &to).map(drop)).unwrap();
            for entry in fs_err::read_dir(own.parent().unwrap()).unwrap().map(Result::unwrap) {
                let name = entry.file_name().to_string_lossy().into_owned();
                if name.starts_with("deepmcat-") && !name.contains('.') && name != replaced {
                    fs_err::os::unix::fs::symlink(entry.path(), folder.join(name)).unwrap();
                }
            }
        }
        let file = folder.join(replaced);
        fs_err::write(&file, script).unwrap();
        fs_err::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let mut command = Command::new(folder.join("deepmcat"));
        command.args(words).current_dir(self.folder.path());
        command
    }

    /// Runs `deepmcat WORDS...`, which must succeed; returns stdout.
    pub fn deepmcat(&self, words: &[&str]) -> String {
        let output = self.command(words).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "deepmcat {words:?}: {}\n{stderr}", output.status);
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs `deepmcat WORDS...`, which must fail with `code`; returns stderr.
    pub fn fails(&self, code: i32, words: &[&str]) -> String {
        let Output { status, stderr, .. } = self.command(words).output().unwrap();
        let stderr = String::from_utf8(stderr).unwrap();
        assert_eq!(status.code(), Some(code), "deepmcat {words:?}\n{stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
        stderr
    }

    /// A small synthetic archive and a run of preset `ci` over it, not yet started.
    pub fn small_run(&self) {
        self.deepmcat(&["synth", "archive", "--subjects", "3", "--size", "48", "--format", "dicom"]);
        self.init("run");
    }

    pub fn init(&self, run: &str) {
        // One key for all runs of a test, so that their tables can be the same.
        let key = self.path("key");
        fs_err::write(&key, [7; 32]).unwrap();
        let key = format!("ingest.key_file={}", key.display());
        let sets = ["--set", "compute.threads=1", "--set", &key];
        self.deepmcat(&[&["init", "archive", "--run", run, "--preset", "ci"], &sets[..]].concat());
    }
}

/// A program of this workspace, built beside the tests.
pub fn program(name: &str) -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let program = tests.parent().and_then(Path::parent).unwrap().join(name);
    assert!(program.is_file(), "{} is not built: cargo build --workspace --bins (or: make test)", program.display());
    program
}

/// Content hash of every table of a run that must not differ between equal runs, by path.
///
/// Of `training` the wall-clock column is left out; receipts and logs hold times.
pub fn tables(run: &Path) -> BTreeMap<PathBuf, String> {
    let kept = [
        "dataset",
        "pixels",
        "baseline",
        "encoder",
        "features",
        "assignments",
        "clusters",
        "samples",
        "metrics",
        "checkpoints",
    ];
    let mut hashes = BTreeMap::new();
    for table in kept.into_iter().filter(|table| run.join(table).exists()) {
        for entry in walkdir::WalkDir::new(run.join(table)).into_iter().map(Result::unwrap) {
            if entry.file_type().is_file() {
                let path = entry.path().strip_prefix(run).unwrap().to_owned();
                hashes.insert(path, hash_file(entry.path()).unwrap());
            }
        }
    }
    for epoch in epochs(&run.join("training")).unwrap_or_default() {
        let path = partition(Path::new(""), "training", epoch);
        let Training { step, loss, learning_rate, images_per_second: _ } = read_folder(&run.join(&path)).unwrap();
        let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<_>>();
        hashes.insert(path, format!("{step:?} {:?} {:?}", bits(loss), bits(learning_rate)));
    }
    assert!(hashes.len() > 10, "{} holds no tables", run.display());
    hashes
}

/// Asserts that two sets of tables are the same to the bit, naming those that differ and nothing else.
pub fn assert_same(found: &BTreeMap<PathBuf, String>, expected: &BTreeMap<PathBuf, String>) {
    let paths: std::collections::BTreeSet<&PathBuf> = found.keys().chain(expected.keys()).collect();
    let differ: Vec<_> = paths.into_iter().filter(|&path| found.get(path) != expected.get(path)).collect();
    assert!(differ.is_empty(), "differ or are in one only: {differ:?}");
}
