//! Signals to processes.

use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::wait::PATIENCE;

/// How often a process is looked at that is to stand still.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Sends a signal by name, such as `TERM`.
///
/// # Panics
/// When there is no such process (any more).
pub fn signal(process: u32, name: &str) {
    assert!(try_signal(process, name), "SIG{name} could not be sent to process {process}");
}

/// Sends a signal by name; says whether there was a process to send it to.
#[must_use]
pub fn try_signal(process: u32, name: &str) -> bool {
    // The shell's own `kill`, so that no program has to be installed.
    let mut kill = Command::new("sh");
    kill.arg("-c").arg(format!("kill -{name} {process}")).stderr(Stdio::null());
    kill.status().is_ok_and(|status| status.success())
}

/// Freezes a process: SIGSTOP, and none of its threads does anything any more when this returns.
///
/// That the signal was sent does not say so. A thread that is inside of a call of the system ends the call first, and
/// one that waits there for its turn on a busy machine does later what it was about to do, such as to lock a file.
///
/// # Panics
/// When it does not stand still in time.
pub fn freeze(process: u32) {
    signal(process, "STOP");
    let give_up = Instant::now() + PATIENCE;
    while !stands_still(process) {
        assert!(Instant::now() < give_up, "process {process} goes on after SIGSTOP");
        thread::park_timeout(LOOK_EVERY);
    }
}

/// Lets a process go on that was frozen: SIGCONT.
///
/// # Panics
/// As [`signal`].
pub fn thaw(process: u32) {
    signal(process, "CONT");
}

/// Whether each thread of a process has stopped, by what Linux says of it. Taken for so where nothing is said.
fn stands_still(process: u32) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{process}/task")) else { return true };
    threads.flatten().all(|thread| {
        // A thread that has ended in between has no file any more.
        std::fs::read_to_string(thread.path().join("stat")).map_or(true, |stat| state(&stat) == Some('T'))
    })
}

/// The state in a line of `/proc/…/stat`: the first letter after the name, which stands in brackets and may hold some.
fn state(stat: &str) -> Option<char> {
    stat.rsplit_once(") ")?.1.chars().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_frozen_stands_and_goes_on_when_it_thaws() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut writer = Command::new("dd");
        // Each write is one long call of the system, which goes on after SIGSTOP. It is killed long before it is done.
        writer.args(["if=/dev/zero", "bs=16M", "count=200"]).arg(format!("of={}/file", folder.path().display()));
        let mut child = writer.stderr(Stdio::null()).spawn().expect("dd is everywhere");
        for _ in 0..10 {
            freeze(child.id());
            assert!(stands_still(child.id()));
            thaw(child.id());
            let give_up = Instant::now() + PATIENCE;
            while stands_still(child.id()) {
                assert!(Instant::now() < give_up, "it goes on");
            }
        }
        child.kill().expect("a child can be killed");
        child.wait().expect("a killed child ends");
    }

    #[test]
    fn a_state_is_found_behind_any_name() {
        assert_eq!(state("7 (a) R (b) T 1 7"), Some('T'));
        assert_eq!(state("7 (redis-server) S 1 7"), Some('S'));
        assert_eq!(state(""), None);
    }
}
