//! How far a run is: one line on standard error that is written over, and gone in the end. Nothing where that is not a
//! terminal, so that logs stay clean.

use std::io::{IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

/// How often the line is written: seldom enough to cost nothing that is measured.
const EVERY: Duration = Duration::from_millis(250);
/// Erases the line and stands at its beginning.
const ERASE: &str = "\r\x1b[2K";

/// Whether the line is over. Held while something is written, so that nothing is written after the line is erased.
static OVER: Mutex<bool> = Mutex::new(false);
/// How many have ended.
static ENDED: AtomicUsize = AtomicUsize::new(0);

/// Counts one more.
pub(crate) fn one_ended() {
    ENDED.fetch_add(1, Ordering::Relaxed);
}

/// The line, as long as this lives.
pub(crate) struct Progress(Option<JoinHandle<()>>);

impl Progress {
    /// Shows it, if somebody can see it.
    pub(crate) fn of(workflows: usize) -> Self {
        Self(std::io::stderr().is_terminal().then(|| tokio::spawn(show(workflows))))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(shown) = &self.0 {
            shown.abort();
            write(ERASE, true);
        }
    }
}

async fn show(workflows: usize) {
    let began = Instant::now();
    loop {
        tokio::time::sleep(EVERY).await;
        write(&line(ENDED.load(Ordering::Relaxed), workflows, began.elapsed()), false);
    }
}

fn line(ended: usize, of: usize, after: Duration) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a count of workflows is far below where a float is not exact")]
    let rate = ended as f64 / after.as_secs_f64();
    format!("{ERASE}{ended} of {of} workflows ({} %), {rate:.0}/s", 100 * ended / of.max(1))
}

/// Writes, unless the line is over; `last` makes it so.
fn write(text: &str, last: bool) {
    let mut over = OVER.lock().unwrap_or_else(PoisonError::into_inner);
    if !*over {
        // A terminal that is gone is no reason to stop measuring.
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }
    *over |= last;
}
