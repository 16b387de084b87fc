//! Requests that are on their way and may come back with instances.
//!
//! The store holds an instance for this worker from the moment it carries such a request out; the worker drives it from the
//! moment it hears the answer. Whoever finds one that is held and not driven must know whether an answer is still to come.
//! Owns their numbers. Used by claims, creates and the sweep over what is held.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use super::supervise::lock;

/// Those of one worker.
#[derive(Debug, Default)]
pub(super) struct Underway(Mutex<Numbers>);

#[derive(Debug, Default)]
struct Numbers {
    next: u64,
    open: BTreeSet<u64>,
}

/// One of them; over when this is dropped, which is after what came back is driven.
#[derive(Debug)]
pub(super) struct Request {
    of: Arc<Underway>,
    number: u64,
}

impl Underway {
    /// A request begins.
    pub(super) fn begin(self: &Arc<Self>) -> Request {
        let mut numbers = lock(&self.0);
        let number = numbers.next;
        numbers.next += 1;
        numbers.open.insert(number);
        Request { of: self.clone(), number }
    }

    /// Between those that have begun and those that will.
    pub(super) fn mark(&self) -> u64 {
        lock(&self.0).next
    }

    /// Whether all are over that had begun at a mark.
    pub(super) fn are_over(&self, mark: u64) -> bool {
        lock(&self.0).open.first().is_none_or(|first| *first >= mark)
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        lock(&self.of.0).open.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_began_before_a_mark_is_waited_for_and_nothing_else() {
        let underway = Arc::new(Underway::default());
        assert!(underway.are_over(underway.mark()));
        let (one, two) = (underway.begin(), underway.begin());
        let mark = underway.mark();
        let later = underway.begin();
        drop(two);
        assert!(!underway.are_over(mark));
        drop(one);
        assert!(underway.are_over(mark));
        drop(later);
        assert!(underway.are_over(underway.mark()));
    }
}
