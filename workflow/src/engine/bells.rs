//! How the worker's loops are woken: by hints of the store, and by each other.
//!
//! A bell is only a shortcut: each loop also looks by itself now and then.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use crate::words::time::Timestamp;

/// The bells of one worker.
#[derive(Debug)]
pub(super) struct Bells {
    partitions: Vec<PartitionBells>,
    /// This worker queued commands for other instances: send them at once.
    pub(super) outbox_here: Notify,
    /// Some worker may have queued commands for other instances.
    pub(super) outbox: Notify,
}

/// The bells of the loops of one partition.
#[derive(Debug)]
pub(super) struct PartitionBells {
    /// There may be work to claim.
    pub(super) work: Notify,
    /// There may be something for this session: a wake, or a notice.
    pub(super) inbox: Notify,
    pub(super) timer: TimerBell,
}

impl Bells {
    pub(super) fn new(partitions: usize) -> Self {
        let partition = || PartitionBells { work: Notify::new(), inbox: Notify::new(), timer: TimerBell::default() };
        Self {
            partitions: (0..partitions).map(|_| partition()).collect(),
            outbox_here: Notify::new(),
            outbox: Notify::new(),
        }
    }

    pub(super) fn of(&self, partition: usize) -> &PartitionBells {
        &self.partitions[partition]
    }

    /// Those of a partition; of each where it may be any.
    pub(super) fn among(&self, partition: Option<usize>) -> &[PartitionBells] {
        match partition {
            Some(one) => self.partitions.get(one..=one).unwrap_or_default(),
            None => &self.partitions,
        }
    }
}

/// The earliest known timer, and a bell for earlier ones.
#[derive(Debug)]
pub(super) struct TimerBell {
    earliest: AtomicI64,
    bell: Notify,
}

impl Default for TimerBell {
    fn default() -> Self {
        Self { earliest: AtomicI64::new(i64::MAX), bell: Notify::new() }
    }
}

impl TimerBell {
    /// A timer was set; rings when it is earlier than all others known.
    pub(super) fn set(&self, due: Timestamp) {
        if self.earliest.fetch_min(due.as_millis(), Ordering::AcqRel) > due.as_millis() {
            self.bell.notify_one();
        }
    }

    /// Forgets what is known: the store is about to be asked.
    pub(super) fn forget(&self) {
        self.earliest.store(i64::MAX, Ordering::Release);
    }

    /// The earliest timer known.
    pub(super) fn earliest(&self) -> Option<Timestamp> {
        let millis = self.earliest.load(Ordering::Acquire);
        (millis != i64::MAX).then(|| Timestamp::from_millis(millis))
    }

    /// Ready when an earlier timer was set than those known before, or after this long.
    pub(super) async fn wait(&self, at_most: Duration) {
        // Either way the loop looks at the earliest timer again.
        let _ = tokio::time::timeout(at_most, self.bell.notified()).await;
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    #[test]
    fn a_timer_rings_when_it_is_earlier_than_all_that_are_known() {
        let timer = TimerBell::default();
        let rings = |due| {
            timer.set(Timestamp::from_millis(due));
            pin!(timer.bell.notified()).poll(&mut Context::from_waker(Waker::noop())).is_ready()
        };
        assert_eq!(timer.earliest(), None);
        assert_eq!([5, 7, 5, 3].map(rings), [true, false, false, true]);
        assert_eq!(timer.earliest(), Some(Timestamp::from_millis(3)));
        timer.forget();
        assert_eq!(timer.earliest(), None);
        assert!(rings(9));
    }

    #[test]
    fn what_is_of_one_partition_rings_there_and_what_may_be_of_any_in_all() {
        let bells = Bells::new(3);
        let rung = |partition| {
            bells.among(partition).iter().for_each(|bells| bells.timer.set(Timestamp::from_millis(1)));
            [0, 1, 2].map(|partition| bells.of(partition).timer.earliest().is_some())
        };
        assert_eq!(rung(Some(1)), [false, true, false]);
        assert_eq!(rung(Some(3)), [false, true, false], "there is none");
        assert_eq!(rung(None), [true; 3]);
    }
}
