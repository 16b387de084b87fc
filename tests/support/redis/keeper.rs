//! Ends what must not outlive the process of the tests, however that ends.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};

/// Kills the processes and removes the folders when it is dropped, and also when the process that has it is killed: a shell
/// waits for the end of a pipe, which the system closes for whoever is gone.
#[derive(Debug)]
pub(super) struct Keeper {
    _pipe: ChildStdin,
}

impl Keeper {
    /// One for these.
    ///
    /// # Panics
    /// When there is no shell.
    pub(super) fn of<'a>(processes: impl Iterator<Item = u32>, folders: impl Iterator<Item = &'a Path>) -> Self {
        let processes: Vec<String> = processes.map(|id| id.to_string()).collect();
        let mut command = Command::new("sh");
        command.arg("-c").arg(r#"read -r nothing; kill -KILL $0; rm -rf "$@""#).arg(processes.join(" ")).args(folders);
        // In a group of its own: what interrupts the tests at a terminal does not end it before its work is done.
        let child = command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let pipe = child.expect("there is a shell").stdin.take().expect("it was piped");
        Self { _pipe: pipe }
    }
}
