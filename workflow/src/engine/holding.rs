//! An instance as its owner holds it: who writes, what was seen, and what the store's answers make of it.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::backoff::Backoff;
use super::drives::{Signal, Tell};
use super::limits::DriveSlot;
use super::meter;
use super::session::Session;
use super::sticky::Point;
use super::worker::Worker;
use crate::authoring::task::RunTask;
use crate::journal::command::{Claimed, Granted, InstanceSpec, OwnReply, Owner, OwnerWrite, PauseReason, Then, Write};
use crate::words::id::{InstanceId, RequestId};
use crate::words::time::Timestamp;

/// Pauses between tries of a write that the store meets damage at.
const RETRY_FIRST: Duration = Duration::from_millis(100);
/// The longest.
const RETRY_LONGEST: Duration = Duration::from_secs(5);

/// How a drive came to its end.
#[derive(Debug)]
pub(super) enum Over {
    /// It waits in the store. The run in memory can go on from there.
    Suspended(Box<RunTask>, Point),
    /// It ended or is parked.
    Ended,
    /// It was handed back for others.
    Released,
    /// It is not ours any more: fenced, stale, gone, or the drive was told to stop. Nothing is to be written.
    Lost,
    /// The store is older than what it had acknowledged.
    Behind,
}

impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Suspended(..) => "it waits",
            Self::Ended => "it ended or is parked",
            Self::Released => "it was handed back",
            Self::Lost => "it is not ours any more",
            Self::Behind => "the store lost acknowledged writes",
        })
    }
}

/// What became of a write.
#[derive(Debug)]
pub(super) enum Written {
    /// As asked.
    Ok(Granted),
    /// The records are kept, but the owner must go on.
    Continue(Granted),
    /// The journal is full; nothing was written.
    Full,
}

/// A write without records.
pub(super) const fn nothing(then: Then) -> Write {
    Write { records: Vec::new(), consumed: Vec::new(), seen: 0, outgoing: Vec::new(), shifted_ms: 0, then }
}

/// An instance that this session holds.
pub(super) struct Holding {
    worker: Arc<Worker>,
    pub(super) session: Arc<Session>,
    pub(super) signal: Arc<Signal>,
    pub(super) id: InstanceId,
    pub(super) run: u32,
    pub(super) v: u64,
    pub(super) records: u32,
    /// The bytes of its journal, once that is known.
    pub(super) bytes: u64,
    /// Position of the newest message the store has told of.
    pub(super) seen: u64,
    pub(super) pause: bool,
    /// The store's time in its newest answer.
    pub(super) told_at: Timestamp,
    spec: Arc<InstanceSpec>,
    started_at: Timestamp,
    /// The place among what this worker runs at once, until the run has ended.
    slot: Option<DriveSlot>,
}

impl Holding {
    pub(super) fn new(
        worker: Arc<Worker>,
        session: Arc<Session>,
        claimed: &Claimed,
        signal: Arc<Signal>,
        slot: DriveSlot,
    ) -> Self {
        Self {
            worker,
            slot: Some(slot),
            session,
            signal,
            id: claimed.id.clone(),
            run: claimed.run,
            v: claimed.v,
            records: claimed.records,
            bytes: 0,
            seen: claimed.arrivals,
            pause: claimed.granted.pause,
            told_at: claimed.granted.now,
            spec: claimed.spec.clone(),
            started_at: claimed.started_at,
        }
    }

    /// Writes, however long it takes the store to answer. The bodies of `task` go on meanwhile.
    pub(super) async fn write(&mut self, mut task: Option<&mut RunTask>, mut write: Write) -> Result<Written, Over> {
        // A replayed run may not know the positions of all messages it consumed; the claim does.
        write.seen = write.seen.max(self.seen);
        if let Some(task) = task.as_deref() {
            self.worker.warnings.look_at_run(&self.id, task);
        }
        let request = RequestId::generate();
        let mut backoff = Backoff::new(RETRY_FIRST, RETRY_LONGEST);
        let mut again = false;
        loop {
            let own = OwnerWrite { request, owner: self.owner(), write: write.clone() };
            let worker = self.worker.clone();
            match self.beside(task.as_deref_mut(), pin!(worker.commands.own(own, again))).await? {
                Ok(reply) => return self.take(&write, reply),
                Err(error) => {
                    tracing::warn!(instance = %self.id, %error, "a write of this instance was not answered; it is sent again, and done once");
                    again = true;
                    self.beside(task.as_deref_mut(), pin!(tokio::time::sleep(backoff.next()))).await?;
                }
            }
        }
    }

    fn owner(&self) -> Owner {
        Owner { id: self.id.clone(), session: self.session.id(), run: self.run, v: self.v }
    }

    fn take(&mut self, write: &Write, reply: OwnReply) -> Result<Written, Over> {
        match reply {
            OwnReply::Ok(granted) => {
                self.written(write, &granted);
                Ok(Written::Ok(granted))
            }
            OwnReply::Continue(granted) => {
                self.written(write, &granted);
                Ok(Written::Continue(granted))
            }
            OwnReply::Full => Ok(Written::Full),
            OwnReply::Fenced => {
                self.session.revoke();
                Err(Over::Lost)
            }
            OwnReply::Stale | OwnReply::Gone => Err(Over::Lost),
            OwnReply::Behind => Err(Over::Behind),
        }
    }

    fn written(&mut self, write: &Write, granted: &Granted) {
        self.v = granted.v;
        self.pause = granted.pause;
        self.told_at = granted.now;
        self.records += u32::try_from(write.records.len()).expect("the store accepted no more than a journal holds");
        self.bytes += write.records.iter().map(|record| record.as_bytes().len() as u64).sum::<u64>();
        self.seen = granted.messages.iter().map(|message| message.seq).fold(self.seen, u64::max);
        self.worker.warnings.look_at_write(&self.id, write, self.records, self.bytes, self.seen);
        if let Then::Finish(end) = &write.then {
            // First: whoever hears of the end and makes the next one shall find a slot, or that one must queue, and all
            // that come after it.
            self.slot = None;
            meter::finished(&self.spec.workflow, end.result.is_ok(), self.started_at, granted.now);
            self.signal.ended(end);
        }
        if let Then::Park(reason) = &write.then {
            meter::parked(&self.spec.workflow, reason);
            self.tell_parked(reason);
        }
        let told_parent = self.spec.parent.is_some() && matches!(write.then, Then::Finish(_));
        if told_parent || !write.outgoing.is_empty() {
            self.worker.bells.outbox_here.notify_one();
        }
        if let Some(due) = earliest(&write.then) {
            let partition = self.worker.store.partition_of(&self.id);
            self.worker.bells.of(partition).timer.set(due);
        }
    }

    /// Says that it stands still until somebody has looked at it. Not what a panic or a decoder said: that can repeat what is
    /// recorded; the status shows it.
    fn tell_parked(&self, reason: &PauseReason) {
        let why = match reason {
            // Said already, where the two were compared.
            PauseReason::Divergence(divergence) if divergence.traces.is_some() => return,
            PauseReason::Divergence(divergence) => divergence.to_string(),
            PauseReason::Panic { .. } => "its code panicked".to_owned(),
            PauseReason::Unreadable { .. } => "its inputs or its journal cannot be read".to_owned(),
            PauseReason::Operator | PauseReason::Quarantined { .. } => return,
        };
        tracing::error!(
            instance = %self.id,
            run = self.run,
            workflow = %self.spec.workflow,
            version = self.spec.version,
            "the instance is parked: {why}; its status says more. Mend the code, or go back to the one before, and resume it"
        );
    }

    /// Waits for something unless the drive is told to stop; the bodies of `task` go on meanwhile.
    ///
    /// Takes the future pinned: by value it would be in this one twice, as argument and pinned.
    pub(super) async fn beside<T>(
        &self,
        mut task: Option<&mut RunTask>,
        mut future: Pin<&mut impl Future<Output = T>>,
    ) -> Result<T, Over> {
        let mut stopped = pin!(self.signal.until_told(&[Tell::Stop]));
        poll_fn(|cx| {
            if stopped.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(Over::Lost));
            }
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Ok(output));
            }
            if let Some(task) = task.as_deref_mut() {
                // Twice: once for what is woken, and once to be told of what will be.
                for _ in 0..2 {
                    if task.poll_woken(cx).is_ready() {
                        task.poll_bodies();
                    }
                }
            }
            Poll::Pending
        })
        .await
    }

    /// The store lost acknowledged writes, this owner's among them. What it still has goes on from there, with another
    /// owner: the instance must not stay held by one that has given it up.
    pub(super) async fn hand_back_after_loss(&mut self) {
        self.worker.counts.data_losses.add();
        tracing::error!(
            instance = %self.id,
            v = self.v,
            store = self.worker.store.describe(),
            "the store has lost acknowledged writes: it is older than what it answered before; the instance goes on from \
             what is left. See to how the store keeps its data"
        );
        // Where the read fails, or the store has lost the session too, the sweep finds the instance.
        let Ok(Some(snapshot)) = self.worker.store.inspect(self.id.clone()).await else { return };
        if snapshot.head.held_by(self.session.id()) {
            (self.run, self.v, self.seen) = (snapshot.head.run, snapshot.head.v, snapshot.head.arrivals);
            if let Err(over) = self.write(None, nothing(Then::Release)).await {
                tracing::debug!(instance = %self.id, %over, "it could not be handed back");
            }
        }
    }
}

/// The earliest timer of a suspend.
fn earliest(then: &Then) -> Option<Timestamp> {
    match then {
        Then::Suspend { waits, .. } => waits.iter().filter_map(|wait| wait.due).min(),
        _ => None,
    }
}
