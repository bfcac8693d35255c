//! What the commands print, and what becomes of it.

use std::process::Stdio;

use crate::bench::Bench;

#[test]
fn a_full_disk_is_an_error_and_a_closed_pipe_is_none() {
    let bench = Bench::new();
    bench.ok(&["run", "run"]);
    let commands: [&[&str]; 17] = [
        &["plan", "run", "--from", "pack"],
        &["plan", "run", "--from", "pack", "--commands"],
        &["plan", "run", "--json"],
        &["status", "run"],
        &["status", "run", "--json"],
        &["why", "run", "embed@1"],
        &["why", "run", "embed@1", "--json"],
        &["dag", "run"],
        &["dag", "run", "--format", "dot"],
        &["dag", "run", "--format", "json"],
        &["export", "snakemake", "run"],
        &["export", "slurm", "run"],
        &["gc", "run", "--json"],
        &["completions", "bash"],
        &["doctor", "run", "--json"],
        &["run", "run"],
        &["run", "run", "--json"],
    ];
    for words in commands {
        let full = fs_err::OpenOptions::new().write(true).open("/dev/full").unwrap().into_parts().0;
        let output = bench.command(words).stdout(full).output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{words:?}: {message}");
        assert!(
            message.contains("stdout cannot be written") && message.contains("No space left"),
            "{words:?}: {message}"
        );
        assert!(!message.contains("panicked"), "{words:?}: {message}");
        // A pipe whose reader has gone before anything is written.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = bench.command(words).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        let well = words[0] != "doctor"; // it finds that these stages are of no version
        assert!(output.status.success() == well && !message.contains("stdout"), "{words:?}: {message}");
    }
}

#[test]
fn a_part_of_a_run_says_that_the_result_is_not_there() {
    let bench = Bench::new();
    let (printed, said) = bench.ok(&["run", "run", "--until", "pack"]);
    assert_eq!(printed, "");
    assert!(
        said.contains("2 nodes ran; 2 of 21 nodes are done, the result is not among them: deepmcat run run"),
        "{said}"
    );
    let (printed, said) = bench.ok(&["run", "run"]);
    assert!(
        printed.contains("purity")
            && said.contains("19 nodes ran; the result is run/assignments/epoch=2; open run/report.html"),
        "{said}"
    );
    assert!(bench.ok(&["run", "run"]).1.contains("nothing to do; the result is run/assignments/epoch=2"));
}

#[test]
fn a_node_that_is_not_there_is_answered_by_those_that_are() {
    let bench = Bench::new();
    let message = bench.fails(2, &["why", "run", "embed@7"]);
    assert!(
        message.contains("no node `embed@7` in this run\nhint: of embed there is embed@raw, embed@0 to embed@2"),
        "{message}"
    );
    let message = bench.fails(2, &["plan", "run", "--from", "pack@1"]);
    assert!(message.contains("no node `pack@1` in this run\nhint: of pack there is pack;"), "{message}");
    for words in [["why", "run", "paint@1"], ["why", "run", "embed@x"]] {
        let message = bench.fails(2, &words);
        assert!(message.contains("is not a node\nhint: STAGE, STAGE@EPOCH, STAGE@raw or STAGE@encoder"), "{message}");
    }
}

#[test]
fn a_damaged_metrics_table_is_told() {
    let bench = Bench::new();
    bench.ok(&["run", "run"]);
    fs_err::write(bench.path("run/metrics/epoch=1/part-0.parquet"), "damaged").unwrap();
    let (printed, said) = bench.ok(&["status", "run"]);
    assert!(said.contains("the metrics of evaluate@1 cannot be read"), "{said}");
    assert!(printed.contains("19 of 21 nodes done"), "{printed}");
    let (printed, said) = bench.ok(&["run", "run"]);
    assert!(!said.contains("cannot be read") && printed.lines().count() == 5, "{said}{printed}");
    // One that the runner cannot read ends the run: a collapse would not be seen.
    bench.tell("metrics.parquet", "damaged");
    let message = bench.fails(2, &["run", "run", "--force", "evaluate@2"]);
    assert!(message.contains("metrics/epoch=2/part-0.parquet: not a readable Parquet file"), "{message}");
}
