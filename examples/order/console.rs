//! The two streams: results on standard output, everything else on standard error.
//!
//! A line is handed to the system in one piece, so that lines of several threads, and of several processes that share
//! a terminal or a file, never mix. A stream that nobody reads any more is no reason to stop the orders.

use std::io::Write as _;

/// Writes one line, or several in one piece, to standard error.
pub(crate) fn say(text: impl std::fmt::Display) {
    let line = format!("{text}\n");
    let _closed = std::io::stderr().lock().write_all(line.as_bytes());
}

/// Writes one result line to standard output, at once.
///
/// # Errors
/// When standard output is closed or full: then the results did not reach whoever asked for them.
pub(crate) fn result(line: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(format!("{line}\n").as_bytes())?;
    stdout.flush()
}
