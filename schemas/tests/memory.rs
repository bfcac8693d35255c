//! Writing a feature table takes no second copy of it. By itself in a program, whose peak memory is the test's.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use deepmcat_schemas::features::{FeatureTable, write_as};
use deepmcat_schemas::{ImageId, Stamp};

/// 96 MiB in single precision.
const ROWS: u32 = 24 * 1024;
const WIDTH: usize = 1024;

/// Peak memory of this process so far, in bytes.
fn peak() -> usize {
    let status = fs_err::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

#[test]
fn a_table_is_written_without_a_copy_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let ids: Vec<ImageId> = (0..ROWS).map(ImageId).collect();
    let table = ids.len() * WIDTH * size_of::<f32>();
    let before = peak();
    // In single precision the table alone; in half precision once more half of it.
    for (float16, most) in [(false, 1.2), (true, 1.7)] {
        let path = folder.path().join(format!("{float16}/part-0.arrow"));
        let values = vec![0.5_f32; ids.len() * WIDTH];
        write_as(&path, &ids, WIDTH, values, float16, &Stamp::default()).unwrap();
        let taken = (peak() - before) as f64 / table as f64;
        assert!(taken < most, "half precision {float16}: {taken} times the table");
        assert_eq!(FeatureTable::open(&path).unwrap().len(), ids.len());
    }
}
