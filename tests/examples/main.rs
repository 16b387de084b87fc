//! Each example as a black box: it is run in an empty folder, as a reader runs it, and must print what it says it prints.
//! The flagship `order` has tests of its own.

mod api;
mod bench;
mod binary;
mod index;
mod patterns;
mod program;
mod twice;
