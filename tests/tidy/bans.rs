//! The bans that clippy enforces are there, and each says why.

use std::fs;

use super::source;

/// Calls that must stay banned.
const BANNED: &[&str] =
    &["std::time::SystemTime::now", "std::time::Instant::now", "std::thread::sleep", "tokio::spawn"];

#[test]
fn clippy_bans_clocks_and_unsupervised_tasks_with_a_reason_each() {
    let config = fs::read_to_string(source::root().join("clippy.toml")).expect("the repository has a clippy.toml");
    for path in BANNED {
        let entry = config.lines().find(|line| line.contains(&format!("\"{path}\"")));
        let entry = entry.unwrap_or_else(|| panic!("clippy.toml does not ban {path}"));
        assert!(entry.contains("reason = "), "clippy.toml bans {path} without a reason");
    }
    assert!(config.contains("allow-unwrap-in-tests = true"));
}

#[test]
fn no_library_forbids_less_than_unsafe_code() {
    let manifest = fs::read_to_string(source::root().join("Cargo.toml")).expect("the workspace has a manifest");
    assert!(manifest.contains("unsafe_code = \"forbid\""));
    for member in
        ["workflow", "workflow-macros", "examples", "tests", "ui-tests", "ui-tests/accepted", "ui-tests/renamed"]
    {
        let path = source::root().join(member).join("Cargo.toml");
        let manifest = fs::read_to_string(&path).unwrap_or_else(|_| panic!("{member} has a manifest"));
        assert!(manifest.contains("[lints]\nworkspace = true"), "{member} does not take the workspace's lints");
    }
}
