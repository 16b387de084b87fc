//! Finds the built example, and builds it if it is missing or older than its sources.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

/// Folders whose sources the example is made of, from the workspace's root.
const SOURCES: [&str; 3] = ["examples/order", "workflow/src", "workflow-macros/src"];

/// The example's executable. A test of the whole workspace has built it already.
pub(crate) fn path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let path = beside_this_test();
        if is_stale(&path) {
            build();
        }
        assert!(path.is_file(), "the example is not where cargo puts it: {}", path.display());
        path
    })
}

/// The workspace's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are a folder of the workspace")
}

/// `target/debug/deps/order-…` runs this; `target/debug/examples/order` is what it is about.
fn beside_this_test() -> PathBuf {
    let this = std::env::current_exe().expect("a test knows its executable");
    let profile = this.parent().and_then(Path::parent).expect("tests are built two folders down");
    profile.join("examples").join(format!("order{}", std::env::consts::EXE_SUFFIX))
}

fn is_stale(path: &Path) -> bool {
    let Ok(built) = path.metadata().and_then(|metadata| metadata.modified()) else { return true };
    SOURCES.iter().any(|folder| newest(&root().join(folder)).is_some_and(|changed| changed > built))
}

fn newest(folder: &Path) -> Option<SystemTime> {
    let entries = std::fs::read_dir(folder).expect("a source folder can be read");
    let times = entries.map(|entry| {
        let entry = entry.expect("a source folder can be read");
        let metadata = entry.metadata().expect("a source has a time");
        if metadata.is_dir() { newest(&entry.path()) } else { metadata.modified().ok() }
    });
    times.flatten().max()
}

fn build() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--package", "examples", "--example", "order"])
        .current_dir(root())
        .status()
        .expect("cargo can be run");
    assert!(status.success(), "the example does not build");
}
