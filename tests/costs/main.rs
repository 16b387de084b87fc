//! What hot paths cost, in counts that are the same on every machine, and so can be compared with those of another
//! change: allocations of a worker, commands and bytes of a server, and instructions of a worker.
//!
//! `cargo test -p tests --bin costs` compares the first two with `counts.txt`. `scripts/costs` counts instructions: it
//! runs this program, `costs PATH TIMES`, twice under callgrind, and compares the difference with `instructions.txt`.
#![expect(clippy::print_stderr, reason = "it is a program for a terminal")]

mod engine;
mod server;
#[cfg(test)]
mod table;

use std::process::ExitCode;

/// Runs a path so many times.
type Run = fn(usize);

/// What can be run.
const PATHS: [(&str, Run); 5] = [
    ("engine", engine::wf3),
    ("replay", engine::replay),
    ("redis-local", server::local),
    ("redis-queued", server::queued),
    ("redis-waits", server::waits),
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [path, times] = words.as_slice() else { return usage() };
    let known = PATHS.iter().find(|(name, _)| name == path);
    match (known, times.parse()) {
        (Some((_, run)), Ok(times)) => {
            run(times);
            ExitCode::SUCCESS
        }
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: costs PATH TIMES, of these paths: {}", PATHS.map(|(name, _)| name).join(", "));
    ExitCode::from(2)
}
