//! Notices when the server has lost what it had acknowledged: after a failover to a replica that was behind, a power cut,
//! a backup that was put back, or when somebody emptied it.
//!
//! Every call of the transitions raises a counter of its partition and is answered with it, and the counter is kept as the
//! rest is. So a call that is sent after the answer `n` is answered with more than `n`, and whoever only looks reads no less;
//! anything else proves a loss. Owns the greatest answer of each partition, in memory: a process that starts anew knows of no
//! loss before. What proves nothing: calls that were lost while others, unseen here, made up for their number before this
//! process asked again. Called by whatever hears an answer: calls, hearts, and the look at each new connection.

use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

use crate::store::LostWrites;
use crate::words::time::{Clock, SystemClock};

/// What one store has heard of the counters.
#[derive(Debug)]
pub(super) struct Losses {
    shown: String,
    /// The key of each partition's counter.
    keys: Vec<Vec<u8>>,
    heard: Vec<Mutex<Heard>>,
    told: watch::Sender<LostWrites>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Heard {
    greatest: u64,
    /// How many losses were noticed: what was asked before one proves nothing after it.
    losses: u64,
}

/// What had been heard when something was asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    partition: usize,
    heard: Heard,
}

impl Losses {
    pub(super) fn new(shown: &str, keys: Vec<Vec<u8>>) -> Self {
        let heard = keys.iter().map(|_| Mutex::default()).collect();
        Self { shown: shown.to_owned(), keys, heard, told: watch::channel(LostWrites::default()).0 }
    }

    /// The key of each partition's counter.
    pub(super) fn keys(&self) -> &[Vec<u8>] {
        &self.keys
    }

    /// What was noticed so far, and from now on.
    pub(super) fn told(&self) -> watch::Receiver<LostWrites> {
        self.told.subscribe()
    }

    /// To be called before a partition is asked something.
    pub(super) fn asking(&self, partition: usize) -> Asked {
        let heard = *self.heard[partition].lock().unwrap_or_else(PoisonError::into_inner);
        Asked { partition, heard }
    }

    /// A call was answered with the counter that it had raised; 0: it could not raise it.
    pub(super) fn called(&self, asked: Asked, counter: u64) {
        if counter > 0 {
            // The call itself is the last that was counted.
            self.heard(asked, counter - 1, counter);
        }
    }

    /// Somebody only looked at the counter.
    pub(super) fn looked(&self, asked: Asked, counter: u64) {
        self.heard(asked, counter, counter);
    }

    /// `before`: what the counter stood at when what was asked came.
    fn heard(&self, asked: Asked, before: u64, counter: u64) {
        let lost = {
            let mut heard = self.heard[asked.partition].lock().unwrap_or_else(PoisonError::into_inner);
            if heard.losses != asked.heard.losses {
                // It may be the answer of the server that is gone.
                return;
            }
            let lost = asked.heard.greatest.saturating_sub(before);
            if lost == 0 {
                heard.greatest = heard.greatest.max(counter);
                return;
            }
            *heard = Heard { greatest: counter, losses: heard.losses + 1 };
            lost
        };
        tracing::error!(
            store = self.shown,
            partition = asked.partition,
            calls = lost,
            "the server has lost writes that it had acknowledged, {lost} calls of this process and others at least: it is \
             older than what it answered before. What it still has goes on from there. See to how the server keeps its data"
        );
        self.told.send_modify(|told| {
            told.times += 1;
            told.calls += lost;
            told.newest_at = Some(SystemClock::default().now().to_system_time());
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn losses() -> Losses {
        Losses::new("redis://h", vec![b"one".to_vec(), b"two".to_vec()])
    }

    fn told(losses: &Losses) -> (u64, u64) {
        let told = losses.told().borrow().clone();
        assert_eq!(told.newest_at.is_some(), told.times > 0);
        (told.times, told.calls)
    }

    #[test]
    fn a_counter_that_grows_proves_nothing_whatever_the_order_of_answers() {
        let losses = losses();
        let (one, two) = (losses.asking(0), losses.asking(0));
        losses.called(two, 8);
        losses.called(one, 7);
        losses.looked(losses.asking(0), 8);
        losses.called(losses.asking(0), 9);
        losses.called(losses.asking(0), 0);
        losses.called(losses.asking(1), 1);
        assert_eq!(told(&losses), (0, 0));
    }

    #[test]
    fn each_loss_is_told_once_with_how_much_was_lost_at_least() {
        let losses = losses();
        losses.called(losses.asking(0), 10);
        // Sent before the loss, and answered after it was noticed.
        let (one, two, late) = (losses.asking(0), losses.asking(0), losses.asking(0));
        losses.called(one, 8);
        assert_eq!(told(&losses), (1, 3), "the calls 8, 9 and 10 are gone");
        losses.called(two, 9);
        losses.called(late, 11);
        losses.called(losses.asking(0), 9);
        assert_eq!(told(&losses), (1, 3), "the answer of a server that is gone is not taken for one of the other");
        losses.called(losses.asking(0), 9);
        assert_eq!(told(&losses), (2, 4));
    }

    #[test]
    fn who_only_looks_notices_too_but_not_what_stands_still() {
        let losses = losses();
        losses.called(losses.asking(1), 10);
        losses.looked(losses.asking(1), 10);
        assert_eq!(told(&losses), (0, 0));
        losses.looked(losses.asking(1), 0);
        assert_eq!(told(&losses), (1, 10), "the server is empty");
        losses.called(losses.asking(1), 1);
        assert_eq!(told(&losses), (1, 10));
    }
}
