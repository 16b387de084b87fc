//! The target `fields`, for libFuzzer: see `src/lib.rs`.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::server::fields(bytes));
