//! Finds the built example.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The example's executable.
pub(crate) fn path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| support::examples::executables(&["order"]).swap_remove(0))
}
