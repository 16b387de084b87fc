//! Visibility: workflows of a library with documented public items, and of modules that share some of theirs.

pub mod public;
mod reexported;
mod scoped;
mod shared;
