//! A folder with the real `deepmcat` beside stages that are a script: a whole run takes a fraction of a second.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use deepmcat_schemas::{Metrics, Stamp, Training, write_table};

const STAGES: [&str; 12] =
    ["fetch", "ingest", "pack", "embed", "encode", "cluster", "sample", "train", "evaluate", "map", "report", "device"];

/// The folder of one test; removed at its end.
pub struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    /// With an archive of two files, and a run of two epochs over it that has not started.
    pub fn new() -> Self {
        // On the disk of the program, so that a link to it will do.
        let bench = Self { folder: tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap() };
        fs_err::create_dir_all(bench.path("bin")).unwrap();
        fs_err::hard_link(env!("CARGO_BIN_EXE_deepmcat"), bench.path("bin/deepmcat")).unwrap();
        for stage in STAGES {
            let program = bench.path(&format!("bin/deepmcat-{stage}"));
            fs_err::write(&program, include_str!("stage.sh")).unwrap();
            fs_err::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        bench.tell("libtorch", "2.0");
        let mut metrics = Metrics::default();
        metrics.images.push(2);
        metrics.clusters.push(2);
        metrics.clusters_used.push(2);
        metrics.largest_share.push(0.5);
        metrics.spread.push(0.5);
        metrics.inertia.push(1.0);
        metrics.labelled.push(2);
        metrics.classes.push(2);
        for figures in [
            &mut metrics.purity,
            &mut metrics.balanced_purity,
            &mut metrics.nmi_labels,
            &mut metrics.ari,
            &mut metrics.ami,
            &mut metrics.nmi_previous,
            &mut metrics.changed_share,
        ] {
            figures.push(Some(0.5));
        }
        write_table(&bench.path("bin/metrics.parquet"), &metrics, &Stamp::default()).unwrap();
        let mut training = Training::default();
        training.step.push(0);
        training.loss.push(1.0);
        training.learning_rate.push(0.1);
        training.images_per_second.push(1.0);
        write_table(&bench.path("bin/training.parquet"), &training, &Stamp::default()).unwrap();
        fs_err::create_dir_all(bench.path("archive")).unwrap();
        fs_err::write(bench.path("archive/1.png"), "one").unwrap();
        fs_err::write(bench.path("archive/2.png"), "two").unwrap();
        bench.ok(&["init", "archive", "--run", "run", "--preset", "ci", "--set", "retention.features=0"]);
        bench
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file beside the stages, which says what they do.
    pub fn tell(&self, file: &str, text: &str) {
        fs_err::write(self.path("bin").join(file), text).unwrap();
    }

    /// Removes such a file.
    pub fn untell(&self, file: &str) {
        fs_err::remove_file(self.path("bin").join(file)).unwrap();
    }

    /// `deepmcat WORDS...` in this folder.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(self.path("bin/deepmcat"));
        command.args(words).current_dir(self.folder.path());
        command
    }

    /// Runs `deepmcat WORDS...`, which must succeed; returns stdout and stderr.
    pub fn ok(&self, words: &[&str]) -> (String, String) {
        let Output { status, stdout, stderr } = self.command(words).output().unwrap();
        let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
        assert!(status.success(), "deepmcat {words:?}: {status}\n{stderr}");
        (stdout, stderr)
    }

    /// Runs `deepmcat WORDS...`, which must fail with `code`; returns stderr.
    pub fn fails(&self, code: i32, words: &[&str]) -> String {
        let Output { status, stderr, .. } = self.command(words).output().unwrap();
        let stderr = String::from_utf8(stderr).unwrap();
        assert_eq!(status.code(), Some(code), "deepmcat {words:?}\n{stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
        stderr
    }

    /// The nodes that `deepmcat plan run MORE...` would run, one after the other.
    pub fn planned(&self, more: &[&str]) -> String {
        let (plan, _) = self.ok(&[&["plan", "run"], more].concat());
        plan.lines().filter_map(|line| line.split_whitespace().next()).collect::<Vec<_>>().join(" ")
    }

    /// The command lines of the stages that were started since the last call.
    pub fn calls(&self) -> Vec<String> {
        let file = self.path("bin/calls");
        let calls = fs_err::read_to_string(&file).unwrap_or_default();
        fs_err::write(file, "").unwrap();
        calls.lines().map(str::to_owned).collect()
    }

    /// Starts `deepmcat run run` and waits until a stage has begun and holds still.
    pub fn held_at(&self, stage: &str) -> Child {
        self.tell(&format!("hold-{stage}"), "");
        let runner = self.command(&["run", "run"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        wait_for(&self.path(&format!("bin/held-{stage}")));
        runner
    }

    pub fn read(&self, file: &str) -> String {
        fs_err::read_to_string(self.path(file)).unwrap()
    }

    /// Writes another file of the same size and time of change in the place of one.
    pub fn replace(&self, file: &str, text: &str) {
        let (path, new) = (self.path(file), self.path("new"));
        let before = fs_err::metadata(&path).unwrap();
        assert_eq!(before.len(), text.len() as u64);
        let mut written = fs_err::File::create(&new).unwrap();
        written.write_all(text.as_bytes()).unwrap();
        written.file().set_modified(before.modified().unwrap()).unwrap();
        fs_err::rename(new, path).unwrap();
    }
}

/// Waits until a path is there.
pub fn wait_for(path: &Path) {
    for _ in 0..3000 {
        if path.exists() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{} did not appear within half a minute", path.display());
}
