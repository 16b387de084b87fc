//! The macros of the `workflow` crate.
