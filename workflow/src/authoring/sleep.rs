//! Durable sleeps.

use std::future::Future;
use std::panic::Location as Caller;
use std::time::{Duration, SystemTime};

use super::context::Ctx;
use super::durable::Durable;
use super::operation::{Label, Operation, misfit};
use crate::journal::machine::Ask;
use crate::journal::path::Kind;
use crate::journal::record::Outcome;
use crate::words::location::Location;
use crate::words::time::Timestamp;

/// A durable sleep.
#[derive(Debug)]
#[must_use = "a sleep does nothing until it is awaited, joined or raced"]
pub struct SleepToAwaitInWorkflow {
    ask: Ask,
    at: Location,
}

/// Sleeps for this long: to the millisecond, at most ten years. A longer one ends the run with an error that says so.
///
/// # Durability
/// The wake time is recorded when the sleep begins. Crashes and restarts of workers neither shorten nor lengthen it; it
/// is never early by the store's clock. A pause of the instance lengthens it by the time paused.
#[track_caller]
pub fn sleep(duration: Duration) -> SleepToAwaitInWorkflow {
    SleepToAwaitInWorkflow { ask: Ask::SleepFor(duration), at: caller(Caller::caller()) }
}

/// Sleeps until this moment, by the store's clock. A moment in the past is over at once.
///
/// # Durability
/// As [`sleep`], but a pause of the instance does not move it.
#[track_caller]
pub fn sleep_until(moment: SystemTime) -> SleepToAwaitInWorkflow {
    SleepToAwaitInWorkflow { ask: Ask::SleepUntil(Timestamp::from_system_time(moment)), at: caller(Caller::caller()) }
}

#[diagnostic::do_not_recommend]
impl Durable for SleepToAwaitInWorkflow {
    type Output = ();

    fn run(self, cx: Ctx) -> impl Future<Output = ()> + Send {
        let label = Label { kind: Kind::Sleep, name: "", key: None, at: self.at };
        let mut operation = Operation::new(cx, label, self.ask);
        async move {
            match (&mut operation).await {
                Outcome::Slept => (),
                _ => misfit(&operation.cx, &operation.label).await,
            }
        }
    }
}

/// Where the user's code called, for messages.
pub(super) const fn caller(at: &'static Caller<'static>) -> Location {
    Location::new(at.file(), at.line(), at.column())
}
