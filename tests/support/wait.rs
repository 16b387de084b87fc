//! Waiting for conditions: look, wait a moment, look again, until a generous deadline.

use std::fmt::Debug;
use std::future::Future;
use std::time::{Duration, Instant};

use workflow::Subject;
use workflow::prelude::*;

/// How long a condition may take to come true. Generous: it is only used up by a test that fails.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Waits until a moment has passed: for tests of what the passing of time does, such as a timer that comes due.
pub async fn moment(moment: Instant) {
    tokio::time::sleep_until(moment.into()).await;
}

/// Waits until `look` gives something, and gives that.
///
/// # Panics
/// When it does not in time.
pub async fn until<T, Fut>(what: &str, mut look: impl FnMut() -> Fut) -> T
where
    Fut: Future<Output = Option<T>>,
{
    let give_up = Instant::now() + PATIENCE;
    let mut looks = tokio::time::interval(LOOK_EVERY);
    loop {
        looks.tick().await;
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < give_up, "gave up waiting until {what}");
    }
}

/// Waits until an instance is in one state.
///
/// # Panics
/// When it does not come to it in time, or ends in another.
pub async fn state<W: Subject>(handle: &Handle<W>, wanted: State) -> Status<W::Output> {
    let give_up = Instant::now() + PATIENCE;
    let mut looks = tokio::time::interval(LOOK_EVERY);
    loop {
        looks.tick().await;
        let status = handle.status().await.expect("the store of a test answers");
        if status.state == wanted {
            return status;
        }
        assert!(!status.state.is_final(), "{} ended instead of being {wanted:?}: {status:?}", handle.id());
        assert!(Instant::now() < give_up, "{} did not become {wanted:?}: {status:?}", handle.id());
    }
}

/// Waits until each of many instances is in one state.
///
/// # Panics
/// When one does not come to it in time.
pub async fn states<W: Subject>(handles: &[Handle<W>], wanted: State) {
    for handle in handles {
        state(handle, wanted).await;
    }
}

/// Says what differs when two things that must be equal after a replay are not.
///
/// # Panics
/// When they differ.
pub fn same_after_replay<T: PartialEq + Debug>(live: &T, replayed: &T) {
    assert_eq!(live, replayed, "what the workflow saw live is not what it saw when it was replayed");
}
