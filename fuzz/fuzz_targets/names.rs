//! The target `names`, for libFuzzer: see `src/lib.rs`.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::texts::names(bytes));
