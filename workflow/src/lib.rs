//! Durable workflows for Rust.
#![forbid(unsafe_code)]

pub mod journal;
pub mod store;
pub mod words;
