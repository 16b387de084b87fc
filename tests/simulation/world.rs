//! A world: one store, its clock, processes on it, and the eyes that see whether the promises are kept.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use support::chance::Chance;
use tokio::sync::Notify;
use tokio::time::Instant;
use workflow::journal::command::{Command, Reply};
use workflow::store::model::ModelStore;
use workflow::words::time::{Clock, Timestamp};

use crate::eyes::Eyes;
use crate::plan::Plan;
use crate::process::Process;
use crate::sabotage::{Sabotage, carry_out};
use crate::trace::Trace;

/// What is said of a loop that never waits.
pub(crate) const WITHOUT_END: &str = "commands without end, in one moment";
/// So long a worker may not have heard the store's time.
const UNHEARD_MS: i64 = 30_000;

/// When every world begins: a moment whose milliseconds are easily told from durations.
const BEGINNING: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// Waits in virtual time.
#[expect(clippy::disallowed_methods, reason = "the time is virtual, and what is waited for is a moment of it")]
pub(crate) async fn pause(how_long: Duration) {
    if !how_long.is_zero() {
        tokio::time::sleep(how_long).await;
    }
}

/// The store's clock: the virtual one, and by how much it jumped.
#[derive(Debug)]
pub(crate) struct StoreClock {
    began: Instant,
    jumped_ms: AtomicI64,
    /// When it jumped, by itself, and by how many milliseconds.
    jumps: Mutex<Vec<(Timestamp, i64)>>,
}

impl Clock for StoreClock {
    fn now(&self) -> Timestamp {
        let passed = i64::try_from(self.began.elapsed().as_millis()).expect("worlds are short");
        BEGINNING.shifted(passed + self.jumped_ms.load(Ordering::Relaxed))
    }
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) plan: Plan,
    /// A guard that the store has lost, to see whether that is noticed.
    pub(crate) sabotage: Option<Sabotage>,
    pub(crate) store: ModelStore,
    clock: Arc<StoreClock>,
    chance: Mutex<Chance>,
    trace: Mutex<Trace>,
    eyes: Mutex<Eyes>,
    violation: Mutex<Option<String>>,
    violated: Notify,
    /// Whether things go wrong.
    troubled: AtomicBool,
    /// Nobody reaches the store before this.
    down_until: Mutex<Instant>,
    processes: Mutex<Vec<Option<Arc<Process>>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    pub(crate) fn new(mut chance: Chance, sabotage: Option<Sabotage>) -> Arc<Self> {
        let plan = Plan::of(&mut chance);
        let clock =
            Arc::new(StoreClock { began: Instant::now(), jumped_ms: AtomicI64::new(0), jumps: Mutex::default() });
        Arc::new(Self {
            sabotage,
            store: ModelStore::new(clock.clone()),
            clock,
            chance: Mutex::new(chance),
            trace: Mutex::default(),
            eyes: Mutex::new(Eyes::new(&plan)),
            violation: Mutex::default(),
            violated: Notify::new(),
            troubled: AtomicBool::new(true),
            down_until: Mutex::new(Instant::now()),
            processes: Mutex::new(vec![None; plan.processes]),
            plan,
        })
    }

    // ---- chance

    /// Whether something goes wrong that does in so many of a thousand cases. Nothing does once the trouble is over.
    pub(crate) fn happens(&self, odds: u64) -> bool {
        self.is_troubled() && odds > 0 && lock(&self.chance).within(0..1_000) < odds
    }

    /// An index into something of `len` items.
    pub(crate) fn draw(&self, len: usize) -> usize {
        lock(&self.chance).index(len)
    }

    pub(crate) fn draw_ms(&self, from: u64, to: u64) -> Duration {
        lock(&self.chance).millis(from..to)
    }

    /// A part of the lease, in percent.
    pub(crate) fn draw_of_lease(&self, from: u64, to: u64) -> Duration {
        let percent = lock(&self.chance).within(from..to);
        self.plan.lease * u32::try_from(percent).expect("small") / 100
    }

    /// How long something takes on the wire, one way.
    pub(crate) fn delay(&self) -> Duration {
        if self.happens(self.plan.wire.slow) {
            let longest = if self.happens(50) { 1_500 } else { 25 };
            return self.draw_ms(0, longest);
        }
        Duration::ZERO
    }

    // ---- time and trouble

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn jump(&self, by: Duration) {
        let by_ms = i64::try_from(by.as_millis()).expect("small");
        lock(&self.clock.jumps).push((self.now(), by_ms));
        self.clock.jumped_ms.fetch_add(by_ms, Ordering::Relaxed);
    }

    /// By how much the clock has jumped since shortly before this moment: a worker that begins a timer then may not have
    /// heard of it yet.
    pub(crate) fn jumped_since(&self, since: Timestamp) -> Duration {
        let jumps = lock(&self.clock.jumps);
        let unheard = jumps.iter().filter(|(at, by_ms)| at.shifted(by_ms + UNHEARD_MS) >= since);
        Duration::from_millis(unheard.map(|(_, by_ms)| by_ms.unsigned_abs()).sum())
    }

    pub(crate) fn is_troubled(&self) -> bool {
        self.troubled.load(Ordering::Relaxed)
    }

    /// From here on nothing goes wrong.
    pub(crate) fn calm(&self) {
        self.troubled.store(false, Ordering::Relaxed);
        self.say("from here on nothing goes wrong".to_owned());
    }

    pub(crate) fn is_down(&self) -> bool {
        Instant::now() < *lock(&self.down_until)
    }

    /// Nobody reaches the store for so long.
    pub(crate) fn take_down(&self, how_long: Duration) {
        *lock(&self.down_until) = Instant::now() + how_long;
    }

    // ---- processes

    pub(crate) fn process(&self, by: usize) -> Option<Arc<Process>> {
        lock(&self.processes)[by].clone()
    }

    pub(crate) fn set_process(&self, by: usize, process: Option<Arc<Process>>) {
        // What was there is dropped when nothing is locked.
        let before = std::mem::replace(&mut lock(&self.processes)[by], process);
        drop(before);
    }

    /// A process that runs.
    pub(crate) async fn some_process(&self) -> Arc<Process> {
        loop {
            let running: Vec<_> = lock(&self.processes).iter().flatten().cloned().collect();
            if !running.is_empty() {
                return running[self.draw(running.len())].clone();
            }
            pause(Duration::from_millis(50)).await;
        }
    }

    // ---- what happens

    /// Carries a command out, for this process.
    pub(crate) fn carry_out(&self, by: usize, command: &Command) -> Reply {
        let reply = carry_out(self.sabotage, &self.store, command);
        let now = self.now();
        if lock(&self.trace).carried(now, by, command, &reply) {
            self.violation(WITHOUT_END.to_owned());
        }
        let seen = self.store.look(|data| lock(&self.eyes).look(data, command, &reply, now));
        self.check(seen);
        reply
    }

    pub(crate) fn say(&self, what: String) {
        lock(&self.trace).said(self.now(), what);
    }

    pub(crate) fn eyes<T>(&self, see: impl FnOnce(&mut Eyes) -> T) -> T {
        see(&mut lock(&self.eyes))
    }

    pub(crate) fn check(&self, seen: Result<(), String>) {
        if let Err(what) = seen {
            self.violation(what);
        }
    }

    /// A promise is broken. The first one counts.
    pub(crate) fn violation(&self, what: String) {
        lock(&self.violation).get_or_insert(what);
        self.violated.notify_one();
    }

    pub(crate) fn violated(&self) -> Option<String> {
        lock(&self.violation).clone()
    }

    /// Ready once a promise is broken.
    pub(crate) async fn until_violated(&self) {
        self.violated.notified().await;
    }

    pub(crate) fn trace<T>(&self, see: impl FnOnce(&Trace) -> T) -> T {
        see(&lock(&self.trace))
    }
}
