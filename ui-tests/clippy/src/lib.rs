//! What clippy finds with the `clippy.toml` for users: `ui-tests/clippy.rs` says how lines are marked.
#![cfg(feature = "mistakes")]

pub mod mistakes;
pub mod ordinary;
