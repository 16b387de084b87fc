//! Runs the tests of a built binary until one of them fails.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::Failure;
use crate::guards::Test;

/// What the tests say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Noticed {
    No,
    By(String),
    /// They were not over in time: they hang, or the machine is busy.
    TooLate,
    /// There was no such test.
    None,
}

/// Runs the tests that are meant. The first that fails ends them all, with the servers they started.
pub(crate) fn run(binary: &Path, test: &Test, longest: Duration) -> Result<Noticed, Failure> {
    let mut command = Command::new(binary);
    command.arg(&test.filter).current_dir(crate::tree::folder_of_tests(binary, &test.suite)?);
    // A group of its own: servers and workers are killed with it.
    command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    let noticed = watch(&mut child, Instant::now() + longest);
    let group = format!("-{}", child.id());
    // Most often nothing is left of it, and that is said: it is no error.
    let _ = Command::new("sh").args(["-c", "kill -KILL -- \"$0\" 2>/dev/null", &group]).status();
    let status = child.wait()?;
    match noticed? {
        Noticed::No if !status.success() => Ok(Noticed::By("the tests did not come to their end".to_owned())),
        noticed => Ok(noticed),
    }
}

fn watch(child: &mut Child, until: Instant) -> Result<Noticed, Failure> {
    let output = BufReader::new(child.stdout.take().ok_or("no output")?);
    let (told, lines) = channel();
    std::thread::spawn(move || output.lines().map_while(Result::ok).all(|line| told.send(line).is_ok()));
    let mut ran = 0;
    loop {
        match lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                let Some(rest) = line.strip_prefix("test ") else { continue };
                if let Some((name, "FAILED")) = rest.rsplit_once(" ... ") {
                    return Ok(Noticed::By(name.to_owned()));
                }
                ran += u32::from(rest.ends_with(" ... ok"));
            }
            Err(RecvTimeoutError::Timeout) => return Ok(Noticed::TooLate),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    // It closes its output a moment before it has ended.
    child.wait()?;
    Ok(if ran == 0 { Noticed::None } else { Noticed::No })
}
