//! What clippy finds with the `clippy.toml` that is published for users, and what it leaves alone.
//!
//! `clippy/` is a crate of workflows with mistakes that only clippy can see. Lines that end in `//~ lint`, and lines before
//! `//~^ lint`, must be found, and no others: nothing in bodies of steps, nothing in ordinary code.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// File, line and lint.
type Finding = (String, u64, String);

#[test]
fn clippy_holds_workflows_to_the_list_and_nothing_else() {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("clippy");
    assert_eq!(found(&crate_folder), expected(&crate_folder.join("src")));
}

fn found(crate_folder: &Path) -> BTreeSet<Finding> {
    let lints = crate_folder.join("../../workflow/lints").canonicalize().expect("the list is part of the repository");
    let output = Command::new(env!("CARGO"))
        .args(["clippy", "--quiet", "--no-deps", "--features", "mistakes", "--message-format", "json", "--locked"])
        .current_dir(crate_folder)
        .env("CLIPPY_CONF_DIR", lints)
        .env_remove("RUSTFLAGS")
        .output()
        .expect("cargo clippy runs");
    let text = String::from_utf8(output.stdout).expect("messages are text");
    let messages: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert!(
        messages.iter().any(|message| message["reason"] == "build-finished"),
        "cargo clippy did not come to an end:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    messages.iter().filter_map(|message| finding(&message["message"])).collect()
}

/// A finding of one of the lints of the list; all others must not be there at all.
fn finding(message: &Value) -> Option<Finding> {
    let span = message["spans"].as_array()?.iter().find(|span| span["is_primary"] == true)?;
    let code = message["code"]["code"].as_str().unwrap_or("no code");
    let file = Path::new(span["file_name"].as_str()?).file_name()?.to_str()?.to_owned();
    let lint = code.strip_prefix("clippy::").unwrap_or(code).to_owned();
    Some((file, span["line_start"].as_u64()?, lint))
}

fn expected(folder: &Path) -> BTreeSet<Finding> {
    let files = fs::read_dir(folder).expect("the sources can be read").map(|file| file.expect("a source").path());
    files.flat_map(|path: PathBuf| marked(&path)).collect()
}

fn marked(path: &Path) -> Vec<Finding> {
    let name = path.file_name().and_then(|name| name.to_str()).expect("sources have names").to_owned();
    let text = fs::read_to_string(path).expect("a source is text");
    let marked = text.lines().zip(1..).filter_map(|(line, number)| {
        let above = line.split_once("//~^ ").map(|(_, lint)| (number - 1, lint));
        above.or_else(|| line.split_once("//~ ").map(|(_, lint)| (number, lint)))
    });
    marked.map(|(number, lint)| (name.clone(), number, lint.trim().to_owned())).collect()
}
