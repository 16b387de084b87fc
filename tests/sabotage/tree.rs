//! The copy of the sources in which guards are removed, and the test binaries built of it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Failure;
use crate::guards::{Guard, Test};

/// The copy.
#[derive(Debug)]
pub(crate) struct Tree {
    copy: PathBuf,
    target: PathBuf,
    /// Binaries with all guards, by suite.
    built: RefCell<HashMap<String, PathBuf>>,
}

impl Tree {
    /// A copy of all files that are kept or new under `root`. Files that are as they were are left alone, so that only what
    /// changed is built again.
    pub(crate) fn make(root: &Path, folder: &Path) -> Result<Self, Failure> {
        let copy = folder.join("tree");
        let listing = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()?;
        if !listing.status.success() {
            return Err("git does not list the files of the sources".into());
        }
        for name in String::from_utf8(listing.stdout)?.split('\0').filter(|name| !name.is_empty()) {
            let (from, to) = (root.join(name), copy.join(name));
            if !from.is_file() {
                continue;
            }
            fs::create_dir_all(to.parent().ok_or("a file has a folder")?)?;
            put(&to, &fs::read(&from)?)?;
        }
        Ok(Self { copy, target: folder.join("target"), built: RefCell::default() })
    }

    /// The binary of a suite without a guard; `None` when that does not compile.
    pub(crate) fn without(&self, guard: &Guard, test: &Test) -> Result<Option<PathBuf>, Failure> {
        if guard.is_lua {
            return self.patched(guard, test).map(Some);
        }
        let file = self.copy.join(&guard.file);
        put(&file, guard.without.as_bytes())?;
        let built = self.build(&test.suite);
        put(&file, guard.with.as_bytes())?;
        self.built.borrow_mut().clear();
        built
    }

    /// A copy of the built binary, in which the script stands without the guard.
    fn patched(&self, guard: &Guard, test: &Test) -> Result<PathBuf, Failure> {
        let known = self.built.borrow().get(&test.suite).cloned();
        let built = match known {
            Some(built) => built,
            None => self.build(&test.suite)?.ok_or_else(|| format!("{} does not compile as it is", test.suite))?,
        };
        self.built.borrow_mut().insert(test.suite.clone(), built.clone());
        let mut bytes = fs::read(&built)?;
        let (with, without) = (guard.with.as_bytes(), guard.without.as_bytes());
        if with.len() != without.len() {
            return Err(format!("{}: a script is to stay as long as it was", guard.name).into());
        }
        let places: Vec<usize> = places(&bytes, with);
        if places.is_empty() {
            return Err(format!("{}: the script is not in {}", guard.name, built.display()).into());
        }
        for at in places {
            bytes[at..at + with.len()].copy_from_slice(without);
        }
        let patched = built.with_file_name(format!("{}-sabotaged", test.suite));
        fs::write(&patched, &bytes)?;
        fs::set_permissions(&patched, fs::metadata(&built)?.permissions())?;
        Ok(patched)
    }

    /// Builds a suite; `None` when it does not compile.
    fn build(&self, suite: &str) -> Result<Option<PathBuf>, Failure> {
        let mut command = Command::new("cargo");
        command.args(["test", "--no-run", "--message-format=json", "--quiet"]);
        match suite {
            "lib" => command.args(["--package", "workflow", "--lib"]),
            test => command.args(["--package", "tests", "--test", test]),
        };
        let built =
            command.current_dir(&self.copy).env("CARGO_TARGET_DIR", &self.target).stderr(Stdio::null()).output()?;
        if !built.status.success() {
            return Ok(None);
        }
        let name = if suite == "lib" { "workflow" } else { suite };
        let text = String::from_utf8(built.stdout)?;
        let messages = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let executable = messages
            .filter(|message| message["target"]["name"] == name && message["profile"]["test"] == true)
            .filter_map(|message| Some(PathBuf::from(message["executable"].as_str()?)))
            .next_back();
        executable.map(Some).ok_or_else(|| format!("cargo does not say where {suite} is").into())
    }
}

/// Where cargo would run the tests of a binary: in the folder of their package.
pub(crate) fn folder_of_tests(binary: &Path, suite: &str) -> Result<PathBuf, Failure> {
    let folder = binary.ancestors().nth(4).ok_or("a binary is in a target folder")?;
    Ok(folder.join("tree").join(if suite == "lib" { "workflow" } else { "tests" }))
}

/// Every place of a text in a program.
fn places(bytes: &[u8], text: &[u8]) -> Vec<usize> {
    let Some(first) = text.first() else { return Vec::new() };
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(next) = bytes[at..].iter().position(|byte| byte == first) {
        at += next;
        if bytes[at..].starts_with(text) {
            found.push(at);
        }
        at += 1;
    }
    found
}

/// Writes a file, if it is not so already.
fn put(file: &Path, bytes: &[u8]) -> Result<(), Failure> {
    if fs::read(file).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    Ok(fs::write(file, bytes)?)
}
