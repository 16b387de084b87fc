//! What a workflow's own code logs, once and not in every replay.

use std::cell::Cell;

thread_local! {
    /// Whether this thread is polling a workflow that has records left to replay.
    static REPLAYING: Cell<bool> = const { Cell::new(false) };
}

/// Whether what is logged now is new: false only in workflow code that a replay runs again.
#[must_use]
pub fn is_live() -> bool {
    !REPLAYING.get()
}

/// Polls workflow code; what it logs is new unless it is replaying.
pub(super) fn polling<T>(replaying: bool, poll: impl FnOnce() -> T) -> T {
    let before = Restore(REPLAYING.replace(replaying));
    let result = poll();
    drop(before);
    result
}

/// Also when the code panics.
struct Restore(bool);

impl Drop for Restore {
    fn drop(&mut self) {
        REPLAYING.set(self.0);
    }
}

/// Logs from a workflow's own code, and is silent in a replay: `log!("paid {amount}")`, `log!(warn, order = %id, "late")`.
///
/// The arguments are those of [`tracing::info!`], or after one of the words `error`, `warn`, `info`, `debug` and `trace`
/// of the macro of that name. What lies before the newest record is logged once; what comes after it is logged again when
/// a crash lets it run again. Elsewhere, as in a step's body, it logs like `tracing`.
///
/// [`tracing::info!`]: https://docs.rs/tracing/latest/tracing/macro.info.html
#[macro_export]
macro_rules! log {
    (error, $($arguments:tt)+) => { $crate::__log!(error, $($arguments)+) };
    (warn, $($arguments:tt)+) => { $crate::__log!(warn, $($arguments)+) };
    (info, $($arguments:tt)+) => { $crate::__log!(info, $($arguments)+) };
    (debug, $($arguments:tt)+) => { $crate::__log!(debug, $($arguments)+) };
    (trace, $($arguments:tt)+) => { $crate::__log!(trace, $($arguments)+) };
    ($($arguments:tt)+) => { $crate::__log!(info, $($arguments)+) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __log {
    ($level:ident, $($arguments:tt)+) => {
        if $crate::__private::is_live() {
            $crate::__private::tracing::$level!($($arguments)+);
        }
    };
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::{is_live, polling};

    #[test]
    fn only_code_that_replays_is_silent() {
        assert!(is_live());
        polling(true, || {
            assert!(!is_live());
            polling(false, || assert!(is_live()));
            assert!(!is_live());
        });
        assert!(is_live());
        let panicked = catch_unwind(|| polling(true, || panic!("on purpose")));
        assert!(panicked.is_err() && is_live(), "a panic leaves nothing behind");
    }
}
