//! Finds the built examples.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use support::examples::{executables, root};

/// The executable of an example.
pub(crate) fn path(example: &str) -> &'static Path {
    static PATHS: OnceLock<HashMap<String, PathBuf>> = OnceLock::new();
    let paths = PATHS.get_or_init(|| {
        let names = names();
        let paths = executables(&names.iter().map(String::as_str).collect::<Vec<_>>());
        names.into_iter().zip(paths).collect()
    });
    paths.get(example).unwrap_or_else(|| panic!("there is no example {example}"))
}

/// The names of all examples, as their manifest has them.
pub(crate) fn names() -> Vec<String> {
    let manifest = std::fs::read_to_string(root().join("examples/Cargo.toml")).expect("the examples have a manifest");
    let sections = manifest.split("[[example]]").skip(1);
    let name = |section: &str| Some(section.split_once("name = \"")?.1.split_once('"')?.0.to_owned());
    sections.map(|section| name(section).expect("an example has a name")).collect()
}
