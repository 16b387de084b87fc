//! Workflows as users write them, one file each: all of them compile without a warning, under strict lints, and run.
//!
//! Whatever is correct belongs here once somebody was told that it is not.
#![deny(
    warnings,
    missing_docs,
    unreachable_pub,
    missing_debug_implementations,
    rust_2018_idioms,
    clippy::all,
    clippy::pedantic
)]

mod agents;
mod billing;
mod children;
mod data;
mod errors;
mod facts;
mod forms;
mod language;
mod names;
mod operations;
mod orders;
mod parts;
mod people;
mod remote;
mod services;
pub mod visibility;
