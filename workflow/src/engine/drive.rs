//! One instance being driven, in one task: from the claim to the write that suspends, ends or parks it.
//!
//! ```text
//! claimed ─▶ (suspect: wait for the turn, mark) ─▶ from memory, or load and decode ─▶ ┐
//!   ┌──────────────────────────────────────────────────────────────────────────────────┘
//!   ├▶ advance ─▶ Write ─▶ Commands ─▶ granted ─┐   no hop between steps: after an answer the same task goes on
//!   │      └────▶ Idle: a body's wake, a notice, │   time, a look at the head now and then
//!   └────────────────────────────────────────────┘
//! ```
//!
//! What the store answers decides: fenced, stale, gone or behind, and everything in memory is dropped, bodies included.
//! Each write names session, run and state version ([`super::holding::Holding`]). Never decides what a run does next:
//! that is the machine's, behind [`RunTask`].

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, TryAcquireError};
use tokio::time::Instant;
use tracing::Span;

use super::backoff::Backoff;
use super::drives::{Entered, Tell};
use super::holding::{Holding, Over, Written, nothing};
use super::limits::DriveSlot;
use super::meter;
use super::session::Session;
use super::sticky::Point;
use super::supervise::panic_message;
use super::verify::verify;
use super::warnings::Limit;
use super::worker::Worker;
use crate::authoring::task::{Action, RunTask};
use crate::authoring::verify::Code;
use crate::definition::Registration;
use crate::journal::command::{Claimed, Ending, Granted, InstanceSpec, PauseReason, Then, Write};
use crate::journal::head::{Fork, Suspect};
use crate::journal::machine::{LIMIT_EXCEEDED, RunInfo, RunStart};
use crate::journal::record::Record;
use crate::words::failure::{FailureData, FailureKind};
use crate::words::id::InstanceId;
use crate::words::limits::CRASHES_MAX;
use crate::words::payload::Payload;
use crate::words::time::Timestamp;

/// After a hint that the instance may have changed, the drive looks after this: a body that ends sooner makes the look
/// needless.
const CHECK_AFTER: Duration = Duration::from_millis(20);
/// A look at the head may take this long.
const CHECK_LIMIT: Duration = Duration::from_secs(1);
/// Pauses between tries to load a journal.
const LOAD_FIRST: Duration = Duration::from_millis(20);
/// The longest.
const LOAD_LONGEST: Duration = Duration::from_secs(2);
/// The longest retry delay that is slept in memory, unless a tenth of the lease is less.
const SHORT_DELAY_MAX: Duration = Duration::from_secs(1);

/// The span of an instance while this worker has it: from the claim to the write that suspends, ends or parks it. It has
/// no parent, as it may go on where another worker stopped.
pub(super) fn span(claimed: &Claimed) -> Span {
    let Claimed { id, run, spec, .. } = claimed;
    tracing::info_span!(
        target: "workflow",
        parent: None,
        "instance",
        %id,
        workflow = spec.workflow.as_str(),
        version = spec.version,
        run,
        parent_id = spec.parent.as_ref().map(|parent| parent.id.as_str()),
    )
}

/// Drives an instance that was given to this session until it waits, ends, parks or is lost.
pub(super) async fn run(
    worker: Arc<Worker>,
    session: Arc<Session>,
    claimed: Claimed,
    entered: Entered,
    slot: DriveSlot,
) {
    let id = claimed.id.clone();
    let mut drive = Drive::new(worker.clone(), session, &claimed, &entered, slot);
    let went = {
        let going = pin!(drive.go(claimed));
        caught(going).await
    };
    let over = match went {
        Ok(over) => over,
        Err(panic) => drive.park_after_panic(panic_message(&*panic).to_owned()).await,
    };
    tracing::debug!(instance = %id, %over, "a drive is over");
    match over {
        Over::Suspended(task, point) => {
            task.leave();
            drop(worker.sticky.keep(id, point, *task));
        }
        Over::Behind => drive.holding.hand_back_after_loss().await,
        Over::Ended | Over::Released | Over::Lost => {}
    }
    drop(entered);
    // With it goes the slot, if it is not free yet.
    drop(drive);
}

/// Makes a panic of the engine's own code an answer. The code of users is caught closer to it.
///
/// Takes the future pinned: by value it would be in this one twice, as argument and pinned.
async fn caught<T>(mut future: Pin<&mut impl Future<Output = T>>) -> Result<T, Box<dyn Any + Send>> {
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await
}

struct Drive {
    worker: Arc<Worker>,
    holding: Holding,
    spec: Arc<InstanceSpec>,
    created_at: Timestamp,
    /// While it is a suspect that is being tried.
    trial: Option<Trial>,
    /// The worker stops: no new body starts, and the run is handed back when those that run have ended.
    draining: bool,
    /// When to look at the head at the latest.
    check_at: Instant,
    /// How often the store had lost acknowledged writes when this began.
    losses: u64,
}

struct Trial {
    _turn: OwnedSemaphorePermit,
    /// Survived until then, it is no suspect any more.
    until: Instant,
}

impl Drive {
    fn new(worker: Arc<Worker>, session: Arc<Session>, claimed: &Claimed, entered: &Entered, slot: DriveSlot) -> Self {
        let check_at = Instant::now() + worker.lease / 3;
        Self {
            holding: Holding::new(worker.clone(), session, claimed, entered.signal().clone(), slot),
            losses: worker.losses(),
            worker,
            spec: claimed.spec.clone(),
            created_at: claimed.created_at,
            trial: None,
            draining: false,
            check_at,
        }
    }

    async fn go(&mut self, claimed: Claimed) -> Over {
        match self.steps(claimed).await {
            Ok(over) | Err(over) => over,
        }
    }

    async fn steps(&mut self, mut claimed: Claimed) -> Result<Over, Over> {
        // A claim brings all that is unread.
        let unread = claimed.granted.messages.len() as u64;
        self.worker.warnings.look(&claimed.id, Limit::Unread, unread);
        if claimed.suspect {
            self.begin_trial(&mut claimed).await?;
        }
        let mut task = self.task(claimed).await?;
        self.holding.signal.shows(task.peek());
        loop {
            if !self.draining && self.holding.signal.was_told(Tell::Drain) {
                self.draining = true;
                // As a pause asked for by the worker itself: no new body starts.
                let now = self.holding.told_at;
                task.granted(Granted { v: self.holding.v, now, pause: true, messages: Vec::new() });
            }
            if self.holding.session.may_be_over() {
                // A process that was frozen has not heard yet that others took over: it asks before it begins anything.
                self.look(&mut task, Then::Hold).await?;
            }
            let action = task.advance();
            if meter::ON {
                meter::ran(&self.spec.workflow, &task.measured());
            }
            match action {
                Action::Idle { until } => self.idle(&mut task, until).await?,
                Action::Write(mut write) => {
                    if self.draining && matches!(write.then, Then::Suspend { paused: true, .. }) {
                        write.then = Then::Release;
                    }
                    if matches!(write.then, Then::Finish(_))
                        && let Some(reason) = verify(&self.worker, &task)
                    {
                        // What led here is recorded all the same: it happened, and a resume goes on from it.
                        write.then = Then::Park(reason);
                    }
                    let last = After::of(&write.then);
                    match (self.write(Some(&mut task), write).await?, last) {
                        (Written::Ok(granted), After::GoOn) | (Written::Continue(granted), _) => {
                            self.pass(&task, granted);
                        }
                        (Written::Ok(_), After::Sleep) => return Ok(self.suspended(task)),
                        (Written::Ok(_), After::HandedBack) => return Ok(Over::Released),
                        (Written::Ok(_), After::End) => return Ok(Over::Ended),
                        (Written::Full, _) => return self.end_at_limit().await,
                    }
                }
            }
        }
    }

    /// Tells the run what the store said.
    fn pass(&self, task: &RunTask, granted: Granted) {
        task.granted(Granted { pause: granted.pause || self.draining, ..granted });
    }

    async fn write(&mut self, task: Option<&mut RunTask>, write: Write) -> Result<Written, Over> {
        let records = !write.records.is_empty();
        let written = self.holding.write(task, write).await?;
        if records && !matches!(written, Written::Full) {
            // A committed record clears a suspect: others may have their turn.
            self.trial = None;
        }
        self.check_at = Instant::now() + self.worker.lease / 3;
        Ok(written)
    }

    fn suspended(&self, task: RunTask) -> Over {
        let point = Point {
            seed: self.spec.seed,
            created_at: self.created_at,
            run: self.holding.run,
            records: self.holding.records,
            bytes: self.holding.bytes,
            v: self.holding.v,
            losses: self.losses,
        };
        Over::Suspended(Box::new(task), point)
    }

    /// Waits for its turn to be tried alone, and says so in the store before anything of it is decoded.
    async fn begin_trial(&mut self, claimed: &mut Claimed) -> Result<(), Over> {
        let turn = match self.worker.trial.clone().try_acquire_owned() {
            Ok(turn) => turn,
            Err(TryAcquireError::Closed) => return Err(Over::Lost),
            Err(TryAcquireError::NoPermits) => self.wait_for_turn().await?,
        };
        let Written::Ok(granted) = self.write(None, nothing(Then::Mark)).await? else { return Err(Over::Lost) };
        self.trial = Some(Trial { _turn: turn, until: Instant::now() + self.worker.lease });
        claimed.learn(granted);
        self.tell_crashes().await
    }

    /// Names an instance that crashes whoever tries it, before it is quarantined: nobody may live to say so then.
    async fn tell_crashes(&mut self) -> Result<(), Over> {
        let reading = tokio::time::timeout(CHECK_LIMIT, self.worker.store.inspect(self.holding.id.clone()));
        let Ok(Ok(Some(snapshot))) = self.holding.beside(None, pin!(reading)).await? else { return Ok(()) };
        if let Suspect::Marked { crashes: crashes @ 1.. } = snapshot.head.suspect {
            tracing::warn!(
                instance = %self.holding.id,
                workflow = %self.spec.workflow,
                crashes,
                "workers have crashed while they tried this instance alone; at {CRASHES_MAX} crashes it is paused, until \
                 somebody has looked at it and resumes it"
            );
        }
        Ok(())
    }

    async fn wait_for_turn(&mut self) -> Result<OwnedSemaphorePermit, Over> {
        tokio::select! {
            biased;
            () = self.holding.signal.until_told(&[Tell::Stop, Tell::Drain]) => {}
            turn = self.worker.trial.clone().acquire_owned() => return turn.map_err(|_| Over::Lost),
        }
        if self.holding.signal.was_told(Tell::Stop) {
            return Err(Over::Lost);
        }
        Err(self.hand_back().await)
    }

    /// Gives it back as it is.
    async fn hand_back(&mut self) -> Over {
        match self.write(None, nothing(Then::Release)).await {
            Ok(_) => Over::Released,
            Err(over) => over,
        }
    }

    /// The run, from memory if it stands where it was left there, else from its journal.
    async fn task(&mut self, mut claimed: Claimed) -> Result<RunTask, Over> {
        match self.worker.sticky.take(&claimed, self.losses) {
            Some(Ok((task, bytes))) => {
                self.holding.bytes = bytes;
                task.reclaimed(claimed.shift_ms, claimed.granted);
                return Ok(task);
            }
            Some(Err(outdated)) => drop(outdated),
            None => {}
        }
        let key = (claimed.spec.workflow.clone(), claimed.spec.version);
        let Some(registration) = self.worker.registry.get(&key).copied() else {
            // Between the look and the claim it was deleted and created anew, as something else. The next claim that finds it
            // knows what it is, and puts it on its shelf.
            return Err(self.hand_back().await);
        };
        let info = RunInfo {
            namespace: self.worker.namespace.clone(),
            id: claimed.id.clone(),
            run: claimed.run,
            streams: claimed.fork.as_ref().map_or(claimed.run, |fork| fork.streams),
            spec: claimed.spec.clone(),
            created_at: claimed.created_at,
            started_at: claimed.started_at,
        };
        let Loaded { records, bytes } = match claimed.fork.clone().filter(|fork| fork.open) {
            Some(fork) => self.take_over(&mut claimed, fork, registration, &info).await?,
            None => self.load(&claimed.id, claimed.run, claimed.records).await?,
        };
        self.holding.bytes = bytes;
        meter::replays(&claimed.spec.workflow, records.len());
        let start = RunStart {
            compared: self.worker.verify_replay.of(&info),
            info,
            shift_ms: claimed.shift_ms,
            journal_bytes: bytes,
            granted: claimed.granted,
            short_delay: SHORT_DELAY_MAX.min(self.worker.lease / 10),
            holds_results: self.worker.holds_results,
        };
        Ok({
            let (resources, clock) = (self.worker.resources.clone(), self.worker.time.clone());
            RunTask::new(start, records, registration, resources, None, clock)
        })
    }

    /// The records of a run; one whose records cannot be read is parked.
    async fn load(&mut self, id: &InstanceId, run: u32, records: u32) -> Result<Loaded, Over> {
        if records == 0 {
            return Ok(Loaded::default());
        }
        let encoded = self.journal(id, run).await?.ok_or(Over::Lost)?;
        let counted = match u32::try_from(encoded.len()) {
            Ok(count) if count == records => decode(&encoded),
            _ => Err(format!("the journal has {} records where the head counts {records}", encoded.len())),
        };
        match counted {
            Ok(loaded) => Ok(loaded),
            Err(message) => Err(self.park(PauseReason::Unreadable { message }).await),
        }
    }

    /// The encoded records of a run, or `None` when it is not kept (any more). Asks until the store answers.
    async fn journal(&self, id: &InstanceId, run: u32) -> Result<Option<Vec<Payload>>, Over> {
        let mut backoff = Backoff::new(LOAD_FIRST, LOAD_LONGEST);
        loop {
            let reading = self.worker.store.journal(id.clone(), run, 0);
            match self.holding.beside(None, pin!(reading)).await? {
                Ok(encoded) => return Ok(encoded),
                Err(error) => {
                    tracing::warn!(instance = %id, %error, "the journal of this instance could not be read; trying again");
                    let pause = tokio::time::sleep(backoff.next());
                    self.holding.beside(None, pin!(pause)).await?;
                }
            }
        }
    }

    /// The first thing a run does that was restarted from an operation: writes what it keeps of its source.
    async fn take_over(
        &mut self,
        claimed: &mut Claimed,
        fork: Fork,
        registration: &'static Registration,
        info: &RunInfo,
    ) -> Result<Loaded, Over> {
        let kept = match self.journal(&claimed.id, fork.source).await? {
            Some(encoded) => decode(&encoded).map_err(|message| PauseReason::Unreadable { message }),
            None => Err(PauseReason::Unreadable { message: format!("run {} is not kept any more", fork.source) }),
        };
        let code = Code { registration, resources: self.worker.resources.clone() };
        let now = self.holding.told_at;
        let kept = kept.and_then(|source| code.fork(info.clone(), source.records, fork.path, now));
        let records = match kept {
            Ok(records) => records,
            Err(reason) => return Err(self.park(reason).await),
        };
        let encoded: Vec<Payload> = records.iter().map(Record::encode).collect();
        let bytes = encoded.iter().map(|record| record.as_bytes().len() as u64).sum();
        // What it was paused since it was restarted is part of the time that has passed.
        let shifted_ms = std::mem::take(&mut claimed.shift_ms);
        match self.write(None, Write { records: encoded, shifted_ms, ..nothing(Then::Forked) }).await? {
            Written::Ok(granted) | Written::Continue(granted) => claimed.learn(granted),
            // The source was within the limits, and something of it was left out.
            Written::Full => return Err(self.end_at_limit().await?),
        }
        Ok(Loaded { records, bytes })
    }

    /// Nothing can be done now: waits for a body, a notice, or time.
    async fn idle(&mut self, task: &mut RunTask, until: Option<Timestamp>) -> Result<(), Over> {
        let until = until.map(|time| Instant::now() + self.worker.time.until(time));
        loop {
            let signal = self.holding.signal.clone();
            if signal.was_told(Tell::Stop) {
                return Err(Over::Lost);
            }
            if signal.take(Tell::Look) {
                return self.look(task, Then::Hold).await;
            }
            if signal.was_told(Tell::Drain) && !self.draining {
                return Ok(());
            }
            if signal.take(Tell::Check) {
                self.check_at = self.check_at.min(Instant::now() + CHECK_AFTER);
            }
            let trial_until = self.trial.as_ref().map(|trial| trial.until);
            let next = [until, trial_until].into_iter().flatten().fold(self.check_at, Instant::min);
            tokio::select! {
                biased;
                // First: a body that wakes itself again and again must not put off the look at the head.
                () = tokio::time::sleep_until(next) => return self.time_is_up(task, next).await,
                () = signal.rung() => {}
                () = poll_fn(|cx| task.poll_woken(cx)) => return Ok(()),
            }
        }
    }

    async fn time_is_up(&mut self, task: &mut RunTask, now: Instant) -> Result<(), Over> {
        if self.trial.as_ref().is_some_and(|trial| trial.until <= now) {
            // It survived: whatever crashes workers, it is not this.
            self.look(task, Then::Clear).await?;
            self.trial = None;
        }
        if self.check_at <= now {
            self.check(task).await?;
        }
        Ok(())
    }

    /// A write of nothing, whose answer brings what happened outside.
    async fn look(&mut self, task: &mut RunTask, then: Then) -> Result<(), Over> {
        let write = Write { then, ..task.look() };
        match self.write(Some(task), write).await? {
            Written::Ok(granted) | Written::Continue(granted) => self.pass(task, granted),
            Written::Full => {}
        }
        Ok(())
    }

    /// Reads the head: whether the instance is still held as it was, and whether something came that no notice told of.
    async fn check(&mut self, task: &mut RunTask) -> Result<(), Over> {
        self.check_at = Instant::now() + self.worker.lease / 3;
        let reading = tokio::time::timeout(CHECK_LIMIT, self.worker.store.inspect(self.holding.id.clone()));
        let head = match self.holding.beside(Some(task), pin!(reading)).await? {
            Ok(Ok(Some(snapshot))) => snapshot.head,
            Ok(Ok(None)) => return Err(Over::Lost),
            // The next look may succeed; a write will in any case.
            Ok(Err(_)) | Err(_) => return Ok(()),
        };
        if head.v < self.holding.v {
            return Err(Over::Behind);
        }
        if head.run != self.holding.run || !head.held_by(self.holding.session.id()) {
            return Err(Over::Lost);
        }
        if head.arrivals > self.holding.seen || head.pause != self.holding.pause {
            return self.look(task, Then::Hold).await;
        }
        Ok(())
    }

    async fn park(&mut self, reason: PauseReason) -> Over {
        match self.write(None, nothing(Then::Park(reason))).await {
            Ok(_) => Over::Ended,
            Err(over) => over,
        }
    }

    /// The engine's own code panicked. The run cannot go on here; it is shown, not lost.
    async fn park_after_panic(&mut self, said: String) -> Over {
        let message = format!("the engine panicked while it drove this run: {said}");
        tracing::error!(instance = %self.holding.id, message, "a fault of the engine: please report it");
        self.worker.counts.drive_panics.add();
        self.park(PauseReason::Panic { message }).await
    }

    /// The journal is full: nothing but the end of the run can be written.
    async fn end_at_limit(&mut self) -> Result<Over, Over> {
        let message = "the journal would pass its limits; split the work into child workflows";
        let failure = FailureData::new(FailureKind::Failed, LIMIT_EXCEEDED, message);
        let ending = Ending { result: Err(FailureData { fatal: true, ..failure }) };
        self.write(None, nothing(Then::Finish(ending))).await?;
        Ok(Over::Ended)
    }
}

/// What follows when a write is done as asked.
#[derive(Debug, Clone, Copy)]
enum After {
    GoOn,
    Sleep,
    HandedBack,
    End,
}

impl After {
    const fn of(then: &Then) -> Self {
        match then {
            Then::Hold | Then::Clear | Then::Mark | Then::Forked => Self::GoOn,
            Then::Suspend { .. } => Self::Sleep,
            Then::Release => Self::HandedBack,
            Then::Finish(_) | Then::Park(_) => Self::End,
        }
    }
}

/// A journal.
#[derive(Debug, Default)]
struct Loaded {
    records: Vec<Record>,
    bytes: u64,
}

fn decode(encoded: &[Payload]) -> Result<Loaded, String> {
    let decode = |(number, bytes): (usize, &Payload)| {
        Record::decode(bytes.as_bytes()).map_err(|damaged| format!("record {number}: {damaged}"))
    };
    let bytes = encoded.iter().map(|bytes| bytes.as_bytes().len() as u64).sum();
    Ok(Loaded { records: encoded.iter().enumerate().map(decode).collect::<Result<_, _>>()?, bytes })
}
