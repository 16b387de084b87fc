//! Small libraries in C that are preloaded into programs, which see the system through them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Compiles one into a folder, and says where it is.
///
/// # Panics
/// When there is no C compiler, or the folder cannot be written.
#[must_use]
pub fn compile(folder: &Path, name: &str, source: &str) -> PathBuf {
    let (file, library) = (folder.join(format!("{name}.c")), folder.join(format!("{name}.so")));
    fs::write(&file, source).expect("the folder can be written");
    let compiled = Command::new("cc").args(["-O2", "-shared", "-fPIC", "-o"]).args([&library, &file]).status();
    assert!(compiled.is_ok_and(|status| status.success()), "{name}.c cannot be compiled: `cc` is needed");
    library
}
