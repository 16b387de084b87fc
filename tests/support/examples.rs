//! The built examples: found beside the test that runs, and built when one is missing or older than the sources.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

/// Folders whose sources the examples are made of, from the workspace's root.
const SOURCES: [&str; 3] = ["examples", "workflow/src", "workflow-macros/src"];

/// The executables of these examples, in their order. A test of the whole workspace has built them already.
///
/// # Panics
/// When they cannot be built.
#[must_use]
pub fn executables(names: &[&str]) -> Vec<PathBuf> {
    let folder = beside_this_test();
    let executable = |name: &&str| folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    let paths: Vec<_> = names.iter().map(executable).collect();
    let built = paths.iter().map(|path| modified(path)).min().flatten();
    let changed = SOURCES.iter().filter_map(|source| newest(&root().join(source))).max();
    // What is missing is older than everything.
    if built < changed {
        build(names);
    }
    for path in &paths {
        assert!(path.is_file(), "the example is not where cargo puts it: {}", path.display());
    }
    paths
}

/// The workspace's root.
///
/// # Panics
/// Never: the tests are a folder of the workspace.
#[must_use]
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are a folder of the workspace")
}

/// `target/debug/deps/order-…` runs this; `target/debug/examples/order` is what it is about.
fn beside_this_test() -> PathBuf {
    let this = std::env::current_exe().expect("a test knows its executable");
    let profile = this.parent().and_then(Path::parent).expect("tests are built two folders down");
    profile.join("examples")
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|metadata| metadata.modified()).ok()
}

/// When a source below the folder last changed.
fn newest(folder: &Path) -> Option<SystemTime> {
    let entries = std::fs::read_dir(folder).expect("a source folder can be read");
    let times = entries.map(|entry| {
        let path = entry.expect("a source folder can be read").path();
        let is_source = path.extension().is_some_and(|extension| extension == "rs" || extension == "lua");
        if path.is_dir() { newest(&path) } else { modified(&path).filter(|_| is_source) }
    });
    times.flatten().max()
}

fn build(names: &[&str]) {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--package", "examples"]).current_dir(root());
    command.args(names.iter().flat_map(|name| ["--example", name]));
    // What cargo says to this test of its package: build scripts that look at it would be run again, and all that depends
    // on them compiled anew, here and by the next cargo that is started outside of a test.
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    for name in names.filter(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
        command.env_remove(name);
    }
    let status = command.status().expect("cargo can be run");
    assert!(status.success(), "the examples do not build");
}
