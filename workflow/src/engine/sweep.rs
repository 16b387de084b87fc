//! The periodic sweep: finds what hints did not, and what a crash left behind.
//!
//! Every worker sweeps; the store makes each sweep safe to repeat and to run beside others. Each loop here ends only
//! with the worker; an error ends its current turn and the supervisor begins the next.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::backoff::Backoff;
use super::holding::nothing;
use super::underway::Underway;
use super::worker::Worker;
use crate::journal::command::{Command, Owner, OwnerWrite, Reply, Then};
use crate::store::{SessionView, StoreError};
use crate::words::id::{InstanceId, RequestId, SessionId};
use crate::words::time::Timestamp;

/// Most instances one command of a sweep touches: a bound on the time it takes the store.
const LIMIT: usize = 100;
/// How long a woken instance may wait for the session that has it in memory before it goes to anyone.
const STUCK_AFTER: Duration = Duration::from_millis(250);
/// The longest pause between two looks for those, when the last looks found none.
const STUCK_LONGEST: Duration = Duration::from_secs(2);
/// How often retention is looked at.
const EXPIRE_EVERY: Duration = Duration::from_secs(1);
/// The longest pause between two such looks, when the last ones found nothing.
const EXPIRE_LONGEST: Duration = Duration::from_secs(5);
/// How often some instances are looked at for what indexes lack of them, and how many. That takes a Redis server two
/// milliseconds at a time, less than a two-thousandth of a core, and each worker comes around a million in six hours.
const MEND_EVERY: Duration = Duration::from_secs(5);
const MENDED_AT_ONCE: usize = 250;
/// How often timers are looked at when none is known to be due.
const TIMERS_EVERY: Duration = Duration::from_secs(2);
/// The shortest pause between two looks at timers: the estimate of the store's time may be a little behind, and what is due
/// soon after each other is woken at once.
const TIMERS_PAUSE: Duration = Duration::from_millis(4);

/// The shortest pause between two looks for what this worker's session holds and nobody drives; and the longest, with
/// long leases.
const STRAYS_EVERY: Duration = Duration::from_secs(1);
const STRAYS_LONGEST: Duration = Duration::from_secs(5);

/// The shortest pause between two tries to fence a session.
const FENCE_PAUSE: Duration = Duration::from_millis(10);

/// How often sessions are looked at: a quarter of the lease, from 100 ms to 2 s.
fn sweep_every(lease: Duration) -> Duration {
    (lease / 4).clamp(Duration::from_millis(100), Duration::from_secs(2))
}

/// Waits; false when the worker has closed.
async fn pause(worker: &Worker, duration: Duration) -> bool {
    tokio::select! {
        biased;
        () = worker.until_closed() => false,
        () = tokio::time::sleep(duration) => true,
    }
}

/// Repeats a command of a partition as long as it finds as much as it may.
pub(super) async fn exhaust(
    worker: &Worker,
    partition: usize,
    command: impl Fn(usize) -> Command,
) -> Result<(usize, Option<Timestamp>), StoreError> {
    let mut total = 0;
    loop {
        let reply = worker.commands.send_to(partition, command(LIMIT)).await?;
        let Reply::Count { done, next_due } = reply else {
            let message = "it answered a sweep with something else than a count".to_owned();
            return Err(StoreError::Damaged { store: worker.store.describe(), message });
        };
        total += done;
        if done < LIMIT {
            return Ok((total, next_due));
        }
    }
}

/// How long to wait for the next look at timers, when the earliest is due in `due_in` and the newest look was `since` ago.
fn until_next_look(due_in: Duration, since: Duration) -> Duration {
    due_in.max(TIMERS_PAUSE.saturating_sub(since)).min(TIMERS_EVERY.saturating_sub(since))
}

/// Wakes what is due, when it is due.
pub(super) async fn wake_due(worker: Arc<Worker>, partition: usize) -> Result<(), StoreError> {
    let bell = &worker.bells.of(partition).timer;
    loop {
        bell.forget();
        let (_, next_due) = exhaust(&worker, partition, |limit| Command::WakeDue { limit }).await?;
        if let Some(due) = next_due {
            bell.set(due);
        }
        let looked = Instant::now();
        // A timer that is set while this waits may be earlier; the wait is then made anew.
        loop {
            let due_in = bell.earliest().map_or(TIMERS_EVERY, |due| worker.time.until(due));
            let left = until_next_look(due_in, looked.elapsed());
            let waiting_since = Instant::now();
            tokio::select! {
                biased;
                () = worker.until_closed() => return Ok(()),
                () = bell.wait(left) => {}
            }
            if waiting_since.elapsed() >= left {
                break;
            }
        }
    }
}

/// Gives to anyone what waits too long for the session that has it in memory.
pub(super) async fn unstick(worker: Arc<Worker>) -> Result<(), StoreError> {
    let command = |limit| Command::Unstick { older_than: STUCK_AFTER, limit };
    sweep(&worker, Backoff::new(STUCK_AFTER, STUCK_LONGEST), command).await
}

/// Deletes what was kept long enough.
pub(super) async fn expire(worker: Arc<Worker>) -> Result<(), StoreError> {
    sweep(&worker, Backoff::new(EXPIRE_EVERY, EXPIRE_LONGEST), |limit| Command::Expire { limit }).await
}

/// Puts back what somebody took out of the indexes, some instances at a time.
pub(super) async fn mend(worker: Arc<Worker>) -> Result<(), StoreError> {
    while pause(&worker, MEND_EVERY).await {
        for partition in 0..worker.commands.partitions() {
            worker.store.mend(partition, MENDED_AT_ONCE).await?;
        }
    }
    Ok(())
}

/// Repeats a command in every partition until the worker closes: the more rarely, the longer it finds nothing.
async fn sweep(worker: &Worker, mut pauses: Backoff, command: impl Fn(usize) -> Command) -> Result<(), StoreError> {
    while pause(worker, pauses.next()).await {
        for partition in 0..worker.commands.partitions() {
            let (found, _) = exhaust(worker, partition, &command).await?;
            if found > 0 {
                pauses.reset();
            }
        }
    }
    Ok(())
}

/// Revokes sessions whose workers are gone, and gives what they held to others.
pub(super) async fn recover(worker: Arc<Worker>) -> Result<(), StoreError> {
    let every = sweep_every(worker.lease);
    let mut hearts = Hearts::new(worker.lease);
    let mut wait = Duration::ZERO;
    while pause(&worker, wait).await {
        // After an error this loop begins anew, and with it the watch over hearts: they could not reach the store
        // either.
        let sessions = worker.store.sessions().await?;
        let due = hearts.look(&sessions, Instant::now(), worker.time.now());
        let alive = sessions.iter().filter(|view| !view.revoked).count();
        worker.alive.store(alive as u64, Ordering::Relaxed);
        for view in sessions {
            let revoked = view.revoked || due.contains(&view.session) && fence(&worker, &view).await?;
            if revoked {
                take_over(&worker, view.session).await?;
            }
        }
        let due_in = hearts.next_due(Instant::now(), worker.time.now());
        wait = due_in.map_or(every, |due| due.clamp(FENCE_PAUSE, every));
    }
    Ok(())
}

/// Revokes it in every partition first, so that nothing of it is written while its instances move.
async fn fence(worker: &Worker, view: &SessionView) -> Result<bool, StoreError> {
    let mut revoked = true;
    for partition in 0..worker.commands.partitions() {
        let command = Command::Fence { session: view.session, beats: view.beats };
        revoked &= matches!(worker.commands.send_to(partition, command).await?, Reply::Fence(true));
    }
    Ok(revoked)
}

async fn take_over(worker: &Worker, session: SessionId) -> Result<(), StoreError> {
    for partition in 0..worker.commands.partitions() {
        let (moved, _) = exhaust(worker, partition, |limit| Command::Recover { session, limit }).await?;
        if moved > 0 {
            tracing::warn!(
                ?session,
                instances = moved,
                "a worker crashed, or was not heard of for its lease: the instances it had go on with others"
            );
        }
    }
    Ok(())
}

/// Hands back what the store says this worker's session holds and nobody drives here.
///
/// A store that lost writes it had acknowledged may be back at a moment at which this session held what it has let go
/// of since. The session lives, so that nobody else would ever take it.
///
/// What was just given is held before its answer is here, however long that takes: so it is nobody's only if it has not
/// moved since a look, and everything is answered that was on its way then.
pub(super) async fn hand_back(worker: Arc<Worker>) -> Result<(), StoreError> {
    let every = (worker.lease / 2).clamp(STRAYS_EVERY, STRAYS_LONGEST);
    let mut strays = Strays::default();
    while pause(&worker, every).await {
        let Some(session) = worker.session.current() else { continue };
        strays.look_anew();
        // More than are driven: so what is not driven is among them.
        let limit = worker.drives.count() + LIMIT;
        for id in worker.store.held(session.id(), limit).await? {
            if worker.drives.has(&id) {
                continue;
            }
            let Some(snapshot) = worker.store.inspect(id.clone()).await? else { continue };
            let owner = Owner { id, session: session.id(), run: snapshot.head.run, v: snapshot.head.v };
            if !snapshot.head.held_by(owner.session) || worker.drives.has(&owner.id) {
                continue;
            }
            if strays.is_nobodys(&owner.id, owner.v, &worker.underway) {
                release(&worker, owner).await?;
            }
        }
    }
    Ok(())
}

/// What was held and not driven when the newest looks came by: in which state, and what was on its way when it was
/// first seen so.
#[derive(Debug, Default)]
struct Strays {
    before: BTreeMap<InstanceId, (u64, u64)>,
    now: BTreeMap<InstanceId, (u64, u64)>,
}

impl Strays {
    /// Another look begins.
    fn look_anew(&mut self) {
        self.before = std::mem::take(&mut self.now);
    }

    /// Whether this one is nobody's, which is held in the state `v` and not driven. Else it is remembered for the next
    /// look.
    fn is_nobodys(&mut self, id: &InstanceId, v: u64, underway: &Underway) -> bool {
        let unmoved = self.before.get(id).copied().filter(|(seen, _)| *seen == v);
        if unmoved.is_some_and(|(_, mark)| underway.are_over(mark)) {
            return true;
        }
        self.now.insert(id.clone(), unmoved.unwrap_or_else(|| (v, underway.mark())));
        false
    }
}

async fn release(worker: &Worker, owner: Owner) -> Result<(), StoreError> {
    tracing::warn!(
        instance = %owner.id,
        "the store says that this worker has the instance, which it has not: the store is older than it was; the instance \
         goes on from what is left"
    );
    let write = OwnerWrite { request: RequestId::generate(), owner, write: nothing(Then::Release) };
    // Another answer than yes means that it has moved by itself.
    worker.commands.own(write, false).await.map(drop)
}

/// Watches the beat counters of all sessions by this worker's monotonic clock.
#[derive(Debug)]
struct Hearts {
    lease: Duration,
    seen: BTreeMap<SessionId, Seen>,
    looked: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    beats: u64,
    since: Instant,
    expires_at: Timestamp,
}

impl Seen {
    /// How long until both clocks agree that it is gone: this worker's, that its counter stood still for a lease, and
    /// the store's, that its own lease is over.
    fn due_in(&self, lease: Duration, now: Instant, store_now: Timestamp) -> Duration {
        let still = (self.since + lease).saturating_duration_since(now);
        still.max(self.expires_at.until(store_now))
    }
}

impl Hearts {
    fn new(lease: Duration) -> Self {
        Self { lease, seen: BTreeMap::new(), looked: None }
    }

    /// Takes the counters in, and gives the sessions that are gone.
    fn look(&mut self, sessions: &[SessionView], now: Instant, store_now: Timestamp) -> Vec<SessionId> {
        // Whoever slept through half a lease has not watched: the counters may have moved and stopped again, and the
        // hearts may have slept as well.
        let slept = self.looked.is_some_and(|looked| now - looked > self.lease / 2 + Duration::from_secs(1));
        if slept {
            self.seen.clear();
        }
        self.looked = Some(now);
        let before = std::mem::take(&mut self.seen);
        for view in sessions.iter().filter(|view| !view.revoked) {
            let same = before.get(&view.session).filter(|seen| seen.beats == view.beats);
            let since = same.map_or(now, |seen| seen.since);
            self.seen.insert(view.session, Seen { beats: view.beats, since, expires_at: view.expires_at });
        }
        let gone = self.seen.iter().filter(|(_, seen)| seen.due_in(self.lease, now, store_now).is_zero());
        gone.map(|(session, _)| *session).collect()
    }

    /// How long until the next session is gone if its counter stands still from now on.
    fn next_due(&self, now: Instant, store_now: Timestamp) -> Option<Duration> {
        self.seen.values().map(|seen| seen.due_in(self.lease, now, store_now)).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(10);
    const EXPIRED: Timestamp = Timestamp::from_millis(0);

    fn view(beats: u64) -> Vec<SessionView> {
        let session = SessionId(1);
        vec![SessionView { session, beats, expires_at: EXPIRED, revoked: false }]
    }

    #[test]
    fn a_heart_must_stand_still_for_a_whole_lease_while_it_is_watched() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut hearts = Hearts::new(LEASE);
        assert!(hearts.look(&view(1), at(0), EXPIRED).is_empty());
        assert!(hearts.look(&view(1), at(4), EXPIRED).is_empty());
        assert_eq!(hearts.next_due(at(4), EXPIRED), Some(Duration::from_secs(6)));
        assert!(hearts.look(&view(2), at(9), EXPIRED).is_empty(), "it beat");
        assert!(hearts.look(&view(2), at(14), EXPIRED).is_empty());
        assert!(hearts.look(&view(2), at(18), EXPIRED).is_empty(), "a second too early");
        assert_eq!(hearts.look(&view(2), at(19), EXPIRED), [SessionId(1)]);
    }

    #[test]
    fn a_lease_that_lasts_by_the_stores_clock_is_not_over() {
        let start = Instant::now();
        let mut hearts = Hearts::new(LEASE);
        let expires_at = Timestamp::from_millis(60_000);
        let view = [SessionView { session: SessionId(1), beats: 1, expires_at, revoked: false }];
        assert!(hearts.look(&view, start, EXPIRED).is_empty());
        let later = start + Duration::from_secs(5);
        assert!(hearts.look(&view, later, EXPIRED).is_empty());
        let later = start + LEASE;
        assert!(hearts.look(&view, later, Timestamp::from_millis(59_000)).is_empty());
        assert_eq!(hearts.next_due(later, Timestamp::from_millis(59_000)), Some(Duration::from_secs(1)));
        assert_eq!(hearts.look(&view, later, expires_at), [SessionId(1)]);
    }

    #[test]
    fn a_sweeper_that_slept_has_watched_nothing() {
        let start = Instant::now();
        let mut hearts = Hearts::new(LEASE);
        assert!(hearts.look(&view(1), start, EXPIRED).is_empty());
        let woken = start + Duration::from_secs(11);
        assert!(hearts.look(&view(1), woken, EXPIRED).is_empty());
        for seconds in [3, 6, 9] {
            assert!(hearts.look(&view(1), woken + Duration::from_secs(seconds), EXPIRED).is_empty());
        }
        assert_eq!(hearts.look(&view(1), woken + LEASE, EXPIRED), [SessionId(1)]);
    }

    #[test]
    fn what_is_held_is_nobodys_when_it_has_not_moved_and_no_answer_can_bring_it() {
        let id = InstanceId::new("a").expect("valid");
        let underway = Arc::new(Underway::default());
        let mut strays = Strays::default();
        let mut look = |v: u64| {
            strays.look_anew();
            strays.is_nobodys(&id, v, &underway)
        };
        let claim = underway.begin();
        assert!(!look(5), "it may have been given just now");
        assert!(!look(5), "the answer is still to come");
        drop(claim);
        // It was driven, it let go, and another claim gave it.
        let next = underway.begin();
        assert!(!look(8), "it has moved");
        assert!(!look(8), "what was on its way at first says nothing of what came later");
        drop(next);
        let _later = underway.begin();
        assert!(look(8), "what began after it was seen did not give it");
    }

    #[test]
    fn what_was_not_seen_by_the_look_before_is_seen_for_the_first_time() {
        let id = InstanceId::new("a").expect("valid");
        let underway = Underway::default();
        let mut strays = Strays::default();
        assert!(!strays.is_nobodys(&id, 5, &underway));
        strays.look_anew();
        // Driven meanwhile.
        strays.look_anew();
        assert!(!strays.is_nobodys(&id, 5, &underway));
        strays.look_anew();
        assert!(strays.is_nobodys(&id, 5, &underway));
    }

    #[test]
    fn the_sweep_keeps_its_bounds() {
        assert_eq!(sweep_every(Duration::from_millis(200)), Duration::from_millis(100));
        assert_eq!(sweep_every(Duration::from_secs(2)), Duration::from_millis(500));
        assert_eq!(sweep_every(Duration::from_secs(60)), Duration::from_secs(2));
    }

    #[test]
    fn timers_that_follow_each_other_are_looked_at_together_and_one_alone_when_it_is_due() {
        let (none, moment) = (Duration::ZERO, Duration::from_millis(1));
        assert_eq!(until_next_look(none, none), TIMERS_PAUSE);
        assert_eq!(until_next_look(moment, moment), TIMERS_PAUSE - moment);
        assert_eq!(until_next_look(moment, TIMERS_PAUSE), moment, "alone");
        assert_eq!(until_next_look(none, TIMERS_PAUSE), none);
        assert_eq!(until_next_look(TIMERS_EVERY * 2, moment), TIMERS_EVERY - moment, "nobody told of an earlier one");
        assert_eq!(until_next_look(TIMERS_EVERY * 2, TIMERS_EVERY * 2), none);
    }
}
