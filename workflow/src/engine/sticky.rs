//! Suspended runs that stay in memory, so that a wake goes on where it stopped instead of replaying the journal.
//!
//! A bounded cache, in count and bytes: the least recently suspended goes first. What is in it is only memory; the truth is in the store,
//! and an entry is used only when the store's journal is exactly as long as the one the entry has seen.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Mutex;

use super::meter;
use super::supervise::lock;
use crate::journal::command::Claimed;
use crate::words::id::InstanceId;
use crate::words::time::Timestamp;

/// Most bytes of journals whose runs are kept: what a run holds in memory grows with its journal.
const BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The point of a run at which it was suspended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Point {
    /// Tells it from an earlier instance of the same id.
    pub(crate) seed: u128,
    /// As above.
    pub(crate) created_at: Timestamp,
    /// The run.
    pub(crate) run: u32,
    /// The length of its journal.
    pub(crate) records: u32,
    /// Its bytes.
    pub(crate) bytes: u64,
    /// The state version the suspend was answered with.
    pub(crate) v: u64,
    /// How often the store had lost acknowledged writes when the run came into memory: after one more, the same numbers may
    /// stand for other records.
    pub(crate) losses: u64,
}

impl Point {
    /// Whether an instance that is claimed now stands where it was suspended.
    ///
    /// The claim itself and the wake before it raised `v`, and a pause and its resume may have. None of these changes
    /// what is in memory: only records do, and the journal is append-only within a run.
    fn is_of(&self, claimed: &Claimed, losses: u64) -> bool {
        self.losses == losses
            && self.seed == claimed.spec.seed
            && self.created_at == claimed.created_at
            && self.run == claimed.run
            && self.records == claimed.records
            && self.v < claimed.v
    }
}

/// The cache. `T` is what is kept of a run.
pub(crate) struct Sticky<T> {
    capacity: usize,
    kept: Mutex<Kept<T>>,
}

struct Kept<T> {
    bytes: u64,
    entries: HashMap<InstanceId, Entry<T>>,
    by_age: BTreeMap<u64, InstanceId>,
    next: u64,
}

struct Entry<T> {
    age: u64,
    point: Point,
    run: T,
}

impl<T> Sticky<T> {
    /// A cache of at most this many runs.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            kept: Mutex::new(Kept { bytes: 0, entries: HashMap::new(), by_age: BTreeMap::new(), next: 0 }),
        }
    }

    /// Keeps a run. Returned is what must go for it (or it itself): dropping that runs users' code, which is for the
    /// caller to do, outside the cache's lock.
    #[must_use = "dropping a run is to be done on purpose"]
    pub(crate) fn keep(&self, id: InstanceId, point: Point, run: T) -> Vec<T> {
        if self.capacity == 0 || point.bytes > BYTES_MAX {
            return vec![run];
        }
        let mut kept = lock(&self.kept);
        let mut gone: Vec<T> = kept.remove(&id).map(|entry| entry.run).into_iter().collect();
        let age = kept.next;
        kept.next += 1;
        kept.bytes += point.bytes;
        kept.by_age.insert(age, id.clone());
        kept.entries.insert(id, Entry { age, point, run });
        while kept.entries.len() > self.capacity || kept.bytes > BYTES_MAX {
            let Some(oldest) = kept.by_age.first_key_value().map(|(_, oldest)| oldest.clone()) else { break };
            gone.extend(kept.remove(&oldest).map(|entry| entry.run));
        }
        meter::in_memory(1, gone.len());
        gone
    }

    /// Takes what is kept of an instance that is claimed now, of a store that has lost writes so often: `Ok`, with the bytes of its journal, when it can go on;
    /// `Err` when it is out of date.
    #[must_use = "dropping a run is to be done on purpose"]
    pub(crate) fn take(&self, claimed: &Claimed, losses: u64) -> Option<Result<(T, u64), T>> {
        let Entry { point, run, .. } = lock(&self.kept).remove(&claimed.id)?;
        meter::in_memory(0, 1);
        Some(if point.is_of(claimed, losses) { Ok((run, point.bytes)) } else { Err(run) })
    }

    /// Takes everything out.
    #[must_use = "dropping runs is to be done on purpose"]
    pub(crate) fn clear(&self) -> Vec<T> {
        let mut kept = lock(&self.kept);
        kept.by_age.clear();
        kept.bytes = 0;
        meter::in_memory(0, kept.entries.len());
        kept.entries.drain().map(|(_, entry)| entry.run).collect()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        lock(&self.kept).entries.len()
    }
}

impl<T> Drop for Sticky<T> {
    fn drop(&mut self) {
        meter::in_memory(0, self.len());
    }
}

impl<T> Kept<T> {
    fn remove(&mut self, id: &InstanceId) -> Option<Entry<T>> {
        let entry = self.entries.remove(id)?;
        self.by_age.remove(&entry.age);
        self.bytes -= entry.point.bytes;
        Some(entry)
    }
}

impl<T> fmt::Debug for Sticky<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sticky").field("len", &self.len()).field("capacity", &self.capacity).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tests::claimed;

    const NONE: [i32; 0] = [];

    fn point(claimed: &Claimed) -> Point {
        Point {
            seed: claimed.spec.seed,
            created_at: claimed.created_at,
            run: claimed.run,
            records: claimed.records,
            bytes: 100,
            v: claimed.v,
            losses: 1,
        }
    }

    fn id(text: &str) -> InstanceId {
        InstanceId::new(text).expect("valid")
    }

    #[test]
    fn only_a_run_whose_journal_did_not_move_goes_on_from_memory() {
        let sticky = Sticky::new(4);
        let suspended = claimed("a", 1, 5);
        let woken = |change: fn(&mut Claimed)| {
            let mut woken = claimed("a", 1, 7);
            change(&mut woken);
            assert!(sticky.keep(id("a"), point(&suspended), ()).is_empty());
            sticky.take(&woken, 1).expect("it was kept")
        };
        assert_eq!(woken(|_| {}), Ok(((), 100)));
        assert_eq!(woken(|woken| woken.records += 1), Err(()));
        assert_eq!(woken(|woken| woken.run = 2), Err(()));
        assert_eq!(woken(|woken| woken.v = 5), Err(()));
        assert_eq!(woken(|woken| woken.created_at = Timestamp::from_millis(99)), Err(()));
        assert_eq!(woken(|woken| std::sync::Arc::make_mut(&mut woken.spec).seed += 1), Err(()));
        assert!(sticky.take(&suspended, 1).is_none());
        assert!(sticky.keep(id("a"), point(&suspended), ()).is_empty());
        assert_eq!(sticky.take(&claimed("a", 1, 7), 2), Some(Err(())), "the store has lost writes since");
    }

    #[test]
    fn the_least_recently_suspended_goes_first() {
        let sticky = Sticky::new(2);
        let at = point(&claimed("a", 1, 5));
        assert_eq!(sticky.keep(id("a"), at, 1), NONE);
        assert_eq!(sticky.keep(id("b"), at, 2), NONE);
        assert_eq!(sticky.keep(id("a"), at, 3), [1]);
        assert_eq!(sticky.keep(id("c"), at, 4), [2]);
        assert_eq!(sticky.len(), 2);
        let mut rest = sticky.clear();
        rest.sort_unstable();
        assert_eq!(rest, [3, 4]);
        assert_eq!(Sticky::new(0).keep(id("a"), at, 1), [1]);
    }

    #[test]
    fn large_runs_make_room_for_each_other() {
        let sticky = Sticky::new(10);
        let at = |bytes: u64| Point { bytes, ..point(&claimed("a", 1, 5)) };
        assert_eq!(sticky.keep(id("a"), at(BYTES_MAX / 2), 1), NONE);
        assert_eq!(sticky.keep(id("b"), at(BYTES_MAX / 2), 2), NONE);
        assert_eq!(sticky.keep(id("c"), at(BYTES_MAX), 3), [1, 2]);
        assert_eq!(sticky.keep(id("d"), at(BYTES_MAX + 1), 4), [4]);
        assert_eq!(sticky.take(&claimed("c", 1, 7), 1), Some(Ok((3, BYTES_MAX))));
        assert_eq!(sticky.keep(id("a"), at(BYTES_MAX), 5), NONE, "what was taken makes room");
    }
}
