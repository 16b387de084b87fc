//! Rules about the source itself that no compiler checks: see `tests/README.md`.
//!
//! Each rule is one test; a rule that needs to read Rust reads it through [`source`], which blanks comments, string
//! literals and test modules, so that prose and tests never trip it.

mod bans;
mod coming_from;
mod layers;
mod metrics;
mod purity;
mod size;
mod source;
mod supply;
mod ui_rules;
