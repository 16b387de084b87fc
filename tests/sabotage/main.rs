//! Removes each guard in turn, and shows which test notices. What nothing notices is missing a test.
//!
//! ```text
//! sabotage [--list] [--only <part of a name>] [--again] [--limit <n>] [--seconds <n>] [--folder <where>] [--json]
//! ```
//!
//! There are two kinds of guards. Each condition of a Lua script is one: it is made false. The texts of the scripts are
//! in the test binaries as they are in the sources, so a copy of a built binary is changed, and nothing is compiled
//! again. Guards of the Rust code are listed in `guards.txt`; they are removed in a copy of the sources, which is built
//! with a target folder of its own.
//!
//! Each result is written down when it is known, and what is known is not tried again, unless it is asked for with
//! `--again`. The program ends with 1 when a guard is missed that has no reason in `reasons.txt`, when tests are not over in
//! time, when a guard of the list is not in the source, or when its removal does not compile.

mod guards;
mod lua;
mod results;
mod suites;
mod tree;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use guards::Guard;
use results::{Outcome, Results};
use suites::Noticed;
use tree::Tree;

/// How long a suite may take.
const SUITE_SECONDS: u64 = 900;

type Failure = Box<dyn std::error::Error>;

/// What is asked for.
#[derive(Debug)]
struct Options {
    list: bool,
    only: Vec<String>,
    again: bool,
    limit: usize,
    suite: Duration,
    folder: PathBuf,
    json: bool,
}

fn options() -> Result<Options, Failure> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/sabotage");
    let suite = Duration::from_secs(SUITE_SECONDS);
    let mut options =
        Options { list: false, only: Vec::new(), again: false, limit: usize::MAX, suite, folder, json: false };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--list" => options.list = true,
            "--only" => options.only.push(value()?),
            "--again" => options.again = true,
            "--limit" => options.limit = value()?.parse()?,
            "--seconds" => options.suite = Duration::from_secs(value()?.parse()?),
            "--folder" => options.folder = PathBuf::from(value()?),
            "--json" => options.json = true,
            other => return Err(format!("{other} is no option: see the head of tests/sabotage/main.rs").into()),
        }
    }
    Ok(options)
}

fn main() -> ExitCode {
    match options().and_then(|options| run(&options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "this is what a program of the command line answers with")]
fn say(text: &str) {
    println!("{text}");
}

/// Everything that was asked for. False when a guard is missed.
fn run(options: &Options) -> Result<bool, Failure> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
    let wanted = |guard: &Guard| options.only.is_empty() || options.only.iter().any(|part| guard.name.contains(part));
    let guards: Vec<Guard> = guards::all(&root)?.into_iter().filter(wanted).collect();
    if options.list {
        guards.iter().for_each(|guard| say(&guard.name));
        return Ok(true);
    }
    std::fs::create_dir_all(&options.folder)?;
    let folder = options.folder.canonicalize()?;
    let mut results = Results::open(&folder.join("results.jsonl"))?;
    let tree = Tree::make(&root, &folder)?;
    let left = guards.iter().filter(|guard| options.again || !results.knows(guard)).take(options.limit);
    for guard in left.collect::<Vec<_>>() {
        let outcome = attempt(&tree, guard, options.suite)?;
        say(&format!("{}: {outcome}", guard.name));
        results.add(guard, outcome)?;
    }
    let reasons = guards::reasons(&root)?;
    say(&if options.json { results.json(&guards, &reasons) } else { results.table(&guards, &reasons) });
    Ok(results.all_is_well(&guards, &reasons))
}

/// Removes one guard, and asks the tests.
fn attempt(tree: &Tree, guard: &Guard, suite: Duration) -> Result<Outcome, Failure> {
    for test in &guard.tests {
        let Some(binary) = tree.without(guard, test)? else { return Ok(Outcome::DoesNotCompile) };
        match suites::run(&binary, test, suite)? {
            Noticed::No => {}
            Noticed::By(name) => return Ok(Outcome::Noticed(name)),
            Noticed::TooLate => return Ok(Outcome::TooLate(test.suite.clone())),
            Noticed::None => {
                return Err(format!("{}: no test of {} has {} in its name", guard.name, test.suite, test.filter).into());
            }
        }
    }
    Ok(Outcome::NotNoticed)
}
