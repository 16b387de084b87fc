//! Tests of the whole store: each has a file or memory of its own.

mod against_model;
mod checks;
mod crash;
mod opening;
mod retention;
mod sharing;
mod support;
