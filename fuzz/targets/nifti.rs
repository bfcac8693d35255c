//! Bytes as `a.nii`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| deepmcat_fuzz::once("a.nii", bytes));
