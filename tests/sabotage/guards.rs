//! What is removed, and which tests should notice.
//!
//! Every condition of a script is a guard, found by itself. `guards.txt` lists the others in blocks of lines, apart by
//! an empty line: `guard` (its name), `file`, `find` (text that is once in the file), `put` (what it becomes; in a
//! script, as many bytes), `tests` (`suite:part of a name`, the likeliest first). `reasons.txt` says of guards that no
//! test can miss why, each in a line: the name, `|`, the reason.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use crate::{Failure, lua};

/// Where the scripts are.
const SCRIPTS: &str = "workflow/src/store/redis/scripts";

/// One guard.
#[derive(Debug, Clone)]
pub(crate) struct Guard {
    pub(crate) name: String,
    /// From the root.
    pub(crate) file: String,
    /// The whole file, with the guard and without.
    pub(crate) with: String,
    pub(crate) without: String,
    pub(crate) tests: Vec<Test>,
    pub(crate) is_lua: bool,
}

/// Tests that should notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Test {
    /// A test target of the tests, or `lib`: the unit tests of the library.
    pub(crate) suite: String,
    /// Only tests whose names have this in them.
    pub(crate) filter: String,
}

impl Test {
    fn read(text: &str) -> Self {
        let (suite, filter) = text.trim().split_once(':').unwrap_or((text.trim(), ""));
        Self { suite: suite.to_owned(), filter: filter.to_owned() }
    }
}

/// Every guard: those of the scripts, then those of the list.
pub(crate) fn all(root: &Path) -> Result<Vec<Guard>, Failure> {
    let mut guards = Vec::new();
    let mut files: Vec<_> = fs::read_dir(root.join(SCRIPTS))?.collect::<Result<_, _>>()?;
    files.sort_by_key(fs::DirEntry::file_name);
    for file in files {
        let name = file.file_name().to_string_lossy().into_owned();
        if name.ends_with(".lua") {
            guards.extend(of_script(&name, &fs::read_to_string(file.path())?));
        }
    }
    guards.extend(listed(root)?);
    Ok(guards)
}

fn of_script(file: &str, text: &str) -> Vec<Guard> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let guard = |condition: lua::Condition| {
        let times = seen.entry(condition.text.clone()).or_default();
        *times += 1;
        let which = if *times > 1 { format!(" ({times})") } else { String::new() };
        Guard {
            name: format!("{file}: {}{which}", condition.text),
            file: format!("{SCRIPTS}/{file}"),
            with: text.to_owned(),
            without: lua::without(text, &condition),
            tests: tests_of(file),
            is_lua: true,
        }
    };
    lua::conditions(text).into_iter().map(guard).collect()
}

/// The tests of a script: what is about its commands, what is about its server, and then all.
fn tests_of(file: &str) -> Vec<Test> {
    let about: &[&str] = match file {
        "create.lua" => &["creates::redis", "children::redis"],
        "short.lua" => &["owners::redis", "creates::redis", "children::redis"],
        "base.lua" | "main.lua" => &["owners::redis", "creates::redis"],
        "send.lua" => &["events::redis"],
        "control.lua" => &["controls::redis", "forks::redis", "children::redis"],
        "own.lua" => &["owners::redis", "forks::redis", "children::redis"],
        "claim.lua" | "candidates.lua" => &["claims::redis", "limits::redis", "queues::redis"],
        "limit.lua" => &["limits::redis"],
        "session.lua" | "beat.lua" | "tied.lua" | "hearts.lua" => &["sessions::redis"],
        "sweep.lua" | "due.lua" | "stuck.lua" | "expired.lua" => &["timers::redis", "retention::redis"],
        _ => &["views::redis"],
    };
    let mut tests: Vec<Test> = about.iter().map(|filter| Test::read(&format!("conformance:{filter}"))).collect();
    // What is quick and close comes before what takes a minute.
    tests.extend(
        ["short", "large", "neighbours", "races", "damage", "mending", "hints"]
            .map(|part| Test::read(&format!("redis:{part}"))),
    );
    tests.extend(["conformance:redis::", "redis:", "semantics:redis::"].map(Test::read));
    tests
}

fn listed(root: &Path) -> Result<Vec<Guard>, Failure> {
    let text = fs::read_to_string(root.join("tests/sabotage/guards.txt"))?;
    let blocks = text.split("\n\n").filter(|block| block.lines().any(|line| line.starts_with("guard ")));
    blocks.map(|block| of_block(root, block)).collect()
}

fn of_block(root: &Path, block: &str) -> Result<Guard, Failure> {
    let line = |key: &str| {
        let found = block.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ').map(str::trim));
        found.ok_or_else(|| format!("tests/sabotage/guards.txt: a block has no line `{key}`:\n{block}"))
    };
    let (name, file, find, put) = (line("guard")?, line("file")?, line("find")?, line("put")?);
    let with = fs::read_to_string(root.join(file)).map_err(|error| format!("{name}: {file}: {error}"))?;
    if with.matches(find).count() != 1 {
        return Err(format!(
            "{name}: `{find}` is {} times in {file}, and must be there once",
            with.matches(find).count()
        )
        .into());
    }
    let tests = line("tests")?.split(',').map(Test::read).collect();
    let without = with.replacen(find, put, 1);
    Ok(Guard { name: name.to_owned(), file: file.to_owned(), with, without, tests, is_lua: file.ends_with(".lua") })
}

/// Why guards may be missed, by their names.
pub(crate) fn reasons(root: &Path) -> Result<HashMap<String, String>, Failure> {
    let text = fs::read_to_string(root.join("tests/sabotage/reasons.txt"))?;
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let read = |line: &str| {
        let (name, reason) =
            line.rsplit_once(" | ").ok_or_else(|| format!("tests/sabotage/reasons.txt: no ` | `: {line}"))?;
        Ok((name.to_owned(), reason.to_owned()))
    };
    lines.map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
    }

    #[test]
    fn every_guard_of_the_list_is_in_the_source_and_its_removal_changes_it() {
        let guards = all(&root()).expect("all are there");
        assert!(guards.iter().filter(|guard| !guard.is_lua).count() > 20);
        for guard in &guards {
            assert_ne!(guard.with, guard.without, "{}", guard.name);
            assert!(!guard.is_lua || guard.with.len() == guard.without.len(), "{}", guard.name);
            let same = guards.iter().filter(|other| other.name == guard.name).count();
            assert_eq!(same, 1, "{}", guard.name);
        }
    }

    #[test]
    fn every_reason_is_of_a_guard() {
        let names: Vec<String> = all(&root()).expect("all are there").into_iter().map(|guard| guard.name).collect();
        for name in reasons(&root()).expect("they can be read").keys() {
            assert!(names.contains(name), "{name} is no guard");
        }
    }
}
