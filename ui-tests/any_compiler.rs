//! The programs of `fail/` under a compiler whose words are not known: each fails, and for its reason.
//!
//! All are examples of one package in the target folder, so that one `cargo check` reads them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Checks every program.
pub(crate) fn check() {
    let programs = programs(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fail"));
    let folder = package(&programs);
    let found = errors(&folder);
    let wrong: Vec<String> = programs
        .iter()
        .filter_map(|(name, program)| {
            let stderr = fs::read_to_string(program.with_extension("stderr")).expect("a program has its message");
            let found = found.get(name).map_or(&[][..], Vec::as_slice);
            let expected = stderr.lines().find(|line| line.starts_with("error"))?;
            (!agrees(expected, found)).then(|| format!("{name}: expected `{expected}`, found {found:#?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether one of the errors that were found has the code of the expected first line, or its words.
fn agrees(expected: &str, found: &[Found]) -> bool {
    let (head, words) = expected.split_once(": ").unwrap_or((expected, ""));
    let code = head.strip_prefix("error[").and_then(|rest| rest.strip_suffix(']'));
    found.iter().any(|error| {
        let first = error.message.lines().next().unwrap_or_default();
        // A place inside of a message has another root here.
        let same_words = words.split("$DIR").next().is_some_and(|words| first.starts_with(words));
        code.is_some_and(|code| error.code.as_deref() == Some(code)) || same_words
    })
}

#[derive(Debug)]
struct Found {
    code: Option<String>,
    message: String,
}

/// Each program with the name of its example.
fn programs(folder: &Path) -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    for family in entries(folder) {
        for path in entries(&family).into_iter().filter(|path| path.extension().is_some_and(|own| own == "rs")) {
            let stem = |path: &Path| path.file_stem().expect("a file has a name").to_string_lossy().into_owned();
            found.insert(format!("{}-{}", stem(&family), stem(&path)), path);
        }
    }
    found
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder of the repository can be read");
    entries.map(|entry| entry.expect("a folder of the repository can be read").path()).collect()
}

/// A package with the programs as its examples, with the dependencies of this one.
fn package(programs: &BTreeMap<String, PathBuf>) -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = own.parent().expect("the package is in the workspace");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("any-compiler");
    fs::create_dir_all(folder.join("src")).expect("the target folder can be written");
    let mut manifest = String::from(
        "[workspace]\n\n[package]\nname = \"any-compiler\"\nversion = \"0.0.0\"\nedition = \"2024\"\nautoexamples = false\n\n\
         [dependencies]\n",
    );
    for (name, options) in dependencies(root) {
        writeln!(manifest, "{name} = {options}").expect("a text can be written");
    }
    for (name, path) in programs {
        write!(manifest, "\n[[example]]\nname = {name:?}\npath = {path:?}\n").expect("a text can be written");
    }
    fs::write(folder.join("Cargo.toml"), manifest).expect("the target folder can be written");
    fs::write(folder.join("src/lib.rs"), "").expect("the target folder can be written");
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).expect("the target folder can be written");
    folder
}

/// What the programs may use, as a manifest writes it.
fn dependencies(root: &Path) -> [(&'static str, String); 6] {
    [
        ("serde", "{ version = \"1\", features = [\"derive\"] }".to_owned()),
        ("serde_json", "\"1\"".to_owned()),
        (
            "tokio",
            "{ version = \"1\", default-features = false, features = [\"macros\", \"rt\", \"sync\", \"time\"] }"
                .to_owned(),
        ),
        ("tracing", "{ version = \"0.1\", default-features = false, features = [\"std\"] }".to_owned()),
        ("uuid", "{ version = \"1\", features = [\"v4\", \"v7\"] }".to_owned()),
        ("workflow", format!("{{ path = {:?}, default-features = false }}", root.join("workflow"))),
    ]
}

/// What the compiler says of each example.
fn errors(folder: &Path) -> BTreeMap<String, Vec<Found>> {
    let output = Command::new(env!("CARGO"))
        .args(["check", "--quiet", "--examples", "--keep-going", "--message-format", "json"])
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("any-compiler-target"))
        .env_remove("RUSTFLAGS")
        .output()
        .expect("cargo check runs");
    let text = String::from_utf8(output.stdout).expect("messages are text");
    let mut found: BTreeMap<String, Vec<Found>> = BTreeMap::new();
    for line in text.lines() {
        let Ok(line) = serde_json::from_str::<Value>(line) else { continue };
        let message = &line["message"];
        if line["reason"] == "compiler-message" && message["level"] == "error" {
            let name = line["target"]["name"].as_str().unwrap_or_default().to_owned();
            let code = message["code"]["code"].as_str().filter(|code| code.starts_with('E')).map(str::to_owned);
            let message = message["message"].as_str().unwrap_or_default().to_owned();
            found.entry(name).or_default().push(Found { code, message });
        }
    }
    assert!(!found.is_empty(), "cargo check said nothing:\n{}", String::from_utf8_lossy(&output.stderr));
    found
}

#[test]
fn an_error_agrees_by_its_code_or_by_its_first_line() {
    let error =
        |code: Option<&str>, message: &str| [Found { code: code.map(str::to_owned), message: message.to_owned() }];
    assert!(agrees("error[E0277]: `Sleep` is not a future", &error(Some("E0277"), "other words")));
    assert!(agrees("error: a step has one body", &error(None, "a step has one body\nand more")));
    assert!(agrees(
        "error: the first is at $DIR/fail/a.rs:1:2",
        &error(None, "the first is at /elsewhere/fail/a.rs:1:2")
    ));
    assert!(!agrees("error[E0277]: `Sleep` is not a future", &error(Some("E0308"), "mismatched types")));
    assert!(!agrees("error: a step has one body", &error(None, "a group has one body")));
    assert!(!agrees("error: a step has one body", &[]));
}
