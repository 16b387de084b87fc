//! What comes in from outside, and what every package says of itself.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::source;

/// Every manifest of the repository, with the folder it is in.
fn manifests() -> Vec<(String, String)> {
    let mut found = Vec::new();
    collect(&source::root(), &mut found);
    found.sort();
    assert!(found.len() >= 10, "the manifests are found: {}", found.len());
    let root = source::root();
    let named = |path: PathBuf| {
        let name = path.strip_prefix(&root).expect("it is under the root").display().to_string();
        (name, fs::read_to_string(&path).expect("a manifest is text"))
    };
    found.into_iter().map(named).collect()
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the repository can be read") {
        let path = entry.expect("a folder of the repository can be read").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            collect(&path, found);
        } else if name == "Cargo.toml" {
            found.push(path);
        }
    }
}

fn packages() -> Vec<(String, String)> {
    manifests().into_iter().filter(|(_, text)| text.contains("[package]")).collect()
}

/// The oldest compiler, as the workspace says.
fn oldest() -> String {
    let text = fs::read_to_string(source::root().join("Cargo.toml")).expect("the workspace has a manifest");
    let line =
        text.lines().find_map(|line| line.strip_prefix("rust-version = \"")).expect("it names the oldest compiler");
    line.trim_end_matches('"').to_owned()
}

#[test]
fn every_package_names_the_oldest_compiler() {
    let own = format!("rust-version = \"{}\"", oldest());
    for (path, text) in packages() {
        assert!(text.contains("rust-version.workspace = true") || text.contains(&own), "{path} names no rust-version");
    }
}

#[test]
fn clippy_and_the_docs_know_the_same_oldest_compiler() {
    let oldest = oldest();
    for file in ["clippy.toml", "tests/clippy.toml"] {
        let text = fs::read_to_string(source::root().join(file)).expect("it is there");
        assert!(text.contains(&format!("msrv = \"{oldest}.0\"")), "{file} has another msrv than {oldest}");
    }
    for file in ["README.md", "CONTRIBUTING.md", "docs/DEPENDENCIES.md"] {
        let text = fs::read_to_string(source::root().join(file)).expect("it is there");
        assert!(text.contains(&oldest), "{file} does not name {oldest}");
    }
    let lints = fs::read_to_string(source::root().join("Cargo.toml")).expect("the workspace has a manifest");
    assert!(!lints.contains("incompatible_msrv"), "the lint that keeps newer functions out is on by itself");
}

#[test]
fn no_package_allows_unsafe_code() {
    let root = fs::read_to_string(source::root().join("Cargo.toml")).expect("the workspace has a manifest");
    assert!(root.contains("unsafe_code = \"forbid\""));
    for (path, text) in packages() {
        // The macro that makes a target of libFuzzer has such code, and its own permission for it.
        let own = path == "fuzz/Cargo.toml" && text.contains("unsafe_code = \"deny\"");
        let forbids = text.contains("[lints]\nworkspace = true") || text.contains("unsafe_code = \"forbid\"");
        assert!(own || forbids, "{path} does not take the workspace's lints");
    }
    for file in ["workflow/src/lib.rs", "workflow-macros/src/lib.rs"] {
        let text = fs::read_to_string(source::root().join(file)).expect("it is there");
        assert!(text.contains("#![forbid(unsafe_code)]"), "{file} forbids it where a reader looks first");
    }
}

#[test]
fn no_manifest_takes_any_version_or_another_source() {
    for (path, text) in manifests() {
        for line in text.lines() {
            let taken = line.contains("version = \"*\"") || line.ends_with("= \"*\"") || line.contains("git = \"");
            assert!(!taken, "{path}: {line}");
        }
    }
    let lock = fs::read_to_string(source::root().join("Cargo.lock")).expect("the lock file is committed");
    let sources: BTreeSet<&str> = lock.lines().filter_map(|line| line.strip_prefix("source = ")).collect();
    assert_eq!(sources, BTreeSet::from(["\"registry+https://github.com/rust-lang/crates.io-index\""]));
}

/// How many crates come in with the library, with these options.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn crates(options: &[&str]) -> usize {
    let mut cargo = std::process::Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(source::root());
    cargo.args(["tree", "--offline", "--locked", "--package", "workflow", "--edges", "normal", "--prefix", "none"]);
    cargo.args(["--target", "x86_64-unknown-linux-gnu"]).args(options);
    let output = cargo.output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8_lossy(&output.stdout);
    let name = |line: &str| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    let names: BTreeSet<String> = tree.lines().map(name).filter(|name| !name.starts_with("workflow")).collect();
    names.len()
}

/// On other systems the tree is another, and much of it was never fetched.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn the_docs_know_how_many_crates_come_in() {
    let docs = fs::read_to_string(source::root().join("docs/DEPENDENCIES.md")).expect("it is there");
    for (features, options) in [
        ("none", &["--no-default-features"][..]),
        ("`sqlite`", &["--no-default-features", "--features", "sqlite"]),
        ("`sqlite` and `redis`", &[]),
    ] {
        let row = docs.lines().find(|line| {
            let cell = line.strip_prefix(&format!("| {features}"));
            cell.is_some_and(|rest| rest.starts_with([':', ',', ' ']) && !rest.starts_with(" and"))
        });
        let row = row.unwrap_or_else(|| panic!("docs/DEPENDENCIES.md has no row for {features}"));
        let said = row.trim_end_matches([' ', '|']).rsplit('|').next().unwrap_or_default().trim();
        assert_eq!(said, crates(options).to_string(), "{features}: count again, and say why there are more");
    }
}
