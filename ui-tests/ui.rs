//! What the compiler says to users.
//!
//! `fail/<family>/<rule>.rs` breaks one rule and its `.stderr` is what the user reads: review it like prose. What must
//! compile without a word stands beside: `accepted/`, and `renamed/` for a crate that knows the framework by another name.
//! No store is needed. After a change of wording: `TRYBUILD=overwrite cargo test -p ui-tests`.
//!
//! Messages change with the compiler, so all of each is compared only under the version that `rustc-version` names. Under
//! another, each program must still fail, with the first error of its `.stderr`; `UI_ANY_COMPILER=1` asks for that under
//! this one too.

mod any_compiler;

use std::process::Command;

/// The minor version of the compiler that the `.stderr` were made with.
const MADE_WITH: &str = include_str!("rustc-version");

#[test]
fn ui() {
    if std::env::var_os("UI_ANY_COMPILER").is_some() || !is_made_with(&version()) {
        return any_compiler::check();
    }
    let cases = trybuild::TestCases::new();
    cases.compile_fail("fail/*/*.rs");
}

/// What `rustc -V` says.
fn version() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("-V").output().expect("rustc runs");
    String::from_utf8(output.stdout).expect("a version is text")
}

fn is_made_with(version: &str) -> bool {
    let number = version.split_whitespace().nth(1).unwrap_or_default();
    number.strip_prefix(MADE_WITH.trim()).is_some_and(|rest| rest.starts_with('.'))
}

#[test]
fn only_another_minor_version_is_another_compiler() {
    let made_with = MADE_WITH.trim();
    assert!(is_made_with(&format!("rustc {made_with}.3 (59807616e 2026-04-14)")));
    assert!(!is_made_with(&format!("rustc {made_with}9.0 (59807616e 2026-04-14)")));
    assert!(!is_made_with("rustc 1.88.0 (6b00bc388 2025-06-23)"));
}
