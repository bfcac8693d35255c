//! What fuzzing found (fuzz/run.sh): each file once crashed, hung or took memory without bounds.

use std::path::Path;

use deepmcat_ingest::{Error, Settings};

use crate::support::{settings, try_run};

#[test]
fn every_finding_ends_as_a_reject_or_as_images() {
    let findings = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/fuzz");
    let mut seen = 0;
    for finding in fs_err::read_dir(findings).unwrap() {
        let path = finding.unwrap().path();
        let folder = tempfile::tempdir().unwrap();
        let small = Settings { limit: 64 << 20, ..settings() };
        match try_run(std::slice::from_ref(&path), &folder.path().join("out"), &small) {
            Ok(_) => {}
            Err(Error::NoImages { reasons, .. }) => assert!(!reasons.contains("decoder_panic"), "{}", path.display()),
            Err(other) => panic!("{}: {other}", path.display()),
        }
        seen += 1;
    }
    assert!(seen > 0);
}
