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
