//! Durable workflows for Rust.
#![forbid(unsafe_code)]
