//! One fuzzed file through the whole of ingest: it must end as images or as a reject, in bounded memory and time.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use deepmcat_ingest::{Error, Settings, Stamps, ingest};
use deepmcat_stage::CommonArgs;
use tempfile::TempDir;

/// Memory that the file may take: small, so that what takes more is found (libFuzzer's own limit is 1 GiB).
const LIMIT: u64 = 64 << 20;

/// Ingests a folder that holds `bytes` as a file of this name.
///
/// # Panics
/// Where an input is neither an image nor a reject, or the stage ends with anything but "no image".
pub fn once(name: &str, bytes: &[u8]) {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    let memory = Path::new("/dev/shm");
    let folder = FOLDER.get_or_init(|| if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() }.unwrap());
    let (input, out) = (folder.path().join("in"), folder.path().join("out"));
    fs::create_dir_all(&input).unwrap();
    fs::write(input.join(name), bytes).unwrap();
    let job = CommonArgs::default().config().unwrap().ingest(Vec::new(), "dataset".into());
    // A file's own window is read too; one without it has percentiles.
    let mut settings = Settings { limit: LIMIT, threads: 1, own_window: true, ..Settings::of(&job) };
    settings.zip.members = 1000;
    match ingest(&[input], &out, &settings, &Stamps::of(&job), false) {
        Ok(summary) => assert_eq!(summary.inputs, summary.files + summary.rejects.values().sum::<u64>()),
        Err(Error::NoImages { .. }) => {}
        Err(other) => panic!("{other:?}"),
    }
    drop(fs::remove_dir_all(&out));
}
