//! Bytes as `a.zip`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| deepmcat_fuzz::once("a.zip", bytes));
