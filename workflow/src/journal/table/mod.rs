//! The transition table: what the store does with one instance, for every place it can be in and every command.
//!
//! Pure functions, with no async, no IO and no clock: the head as it is, the command, the facts the store looked up and
//! the store's time go in; a [`Transition`] comes out. A store looks the facts up, calls the function, and carries the
//! new head and the [`Effects`] out in one transaction. It decides nothing itself. The model store
//! ([`crate::store::model`]) is the shortest complete example.
//!
//! | command | function | per |
//! |---|---|---|
//! | `Create` | [`create::create`] | instance |
//! | `Send` | [`send::send`] | instance |
//! | `Control` | [`control::control`] | instance |
//! | `Own` | [`own::own`] | instance |
//! | `Claim` | [`claim::take`] | candidate |
//! | `Lease` | [`limit::lease`] | limit |
//! | `Recover`, `CloseSession` | [`session::hand_over`] | instance of the session |
//! | `WakeDue` | [`sweep::wake_due`] | sleeping instance |
//! | `Unstick` | [`sweep::unstick`] | instance in an inbox |
//! | `Expire` | [`sweep::expired`] | finished instance, old run |
//! | sessions themselves | [`session::Session`] | session |
//!
//! # Order of candidates
//! Every store takes candidates in the same order, so that stores can be compared: the own inbox by (since, id); shelves
//! of workflows the claimer knows by id, and ready by (score, id), both only of the claim's queues, ready ones first of
//! each queue in the claim's order as many as its quota; timers by (due, id);
//! inboxes to unstick by (since, id); a session's instances by id; finished instances by (expiry, id), then old runs by
//! (expiry, id, run). Notices are given by id. A limit of 0 gives nothing but notices.

use super::command::Outgoing;
use super::head::Head;
use super::lease::LimitName;
use super::message::Message;
use crate::words::id::{InstanceId, QueueName, SessionId};
use crate::words::payload::Payload;
use crate::words::time::Timestamp;

pub mod claim;
pub mod control;
pub mod create;
mod ending;
pub mod limit;
mod moves;
pub use moves::ready_since;
#[cfg(feature = "redis")]
pub(crate) use moves::{BEGUN_LEAD_MS, PRIORITY_STEP_MS};
pub mod outbox;
pub mod own;
pub mod send;
pub mod session;
pub mod sweep;

/// What one command does to one instance.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[must_use = "a transition that is not carried out is lost"]
pub struct Transition<R> {
    /// The new head; `None` when it stays as it is, and then there are no effects but a look into the mailbox.
    pub head: Option<Head>,
    /// The answer.
    pub reply: R,
    /// What else to write, in the same transaction, and what to tell after it.
    pub effects: Effects,
}

/// What a store writes beside the head, in this order, in the same transaction.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Effects {
    /// Records to append to the journal of the head's run. The first has the number `head.records` had before.
    pub append: Vec<Payload>,
    /// Positions of messages to remove from the mailbox. Their event ids stay.
    pub consume: Vec<u64>,
    /// The mailbox is emptied, and the run's event ids are forgotten.
    pub clear_mailbox: bool,
    /// A message to put into the mailbox; its event id is kept as a tombstone until the mailbox is cleared.
    pub deliver: Option<Message>,
    /// Commands to add to the outbox, with their numbers.
    pub outgoing: Vec<(u64, Outgoing)>,
    /// Runs that have been replaced: their journals stay readable until then. They may be known already.
    pub archives: Vec<Archive>,
    /// A session that held the instance and does no longer: see [`session::Session::lose`].
    pub lost_by: Option<SessionId>,
    /// The reply takes the messages after this position: read them when everything above is done.
    pub messages_after: Option<u64>,
    /// What to tell, once the transaction is committed.
    pub hints: Vec<Hint>,
}

/// A run that a restart replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Archive {
    /// The run.
    pub run: u32,
    /// When its journal is deleted.
    pub expires_at: Timestamp,
}

/// Something may have happened.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Hint {
    /// There may be work in this queue.
    Ready(QueueName),
    /// There may be something in this session's inbox, or a notice for it.
    Inbox(SessionId),
    /// This instance's state has changed.
    Changed(InstanceId),
    /// A timer was set for this time.
    Timer(Timestamp),
    /// There may be commands to send to other instances.
    Outbox,
    /// There may be tokens of this limit.
    Limit(LimitName),
    /// Anything may have happened: another process wrote, or the connection was lost for a while.
    Anything,
}

/// When the source of a fork expires that is still open: not before someone has taken over what is kept of it, or
/// the instance is deleted. The largest number of six bytes, which is how stores keep it.
pub(crate) const KEPT_WHILE_OPEN: Timestamp = Timestamp::from_millis((1 << 48) - 1);

impl<R> Transition<R> {
    /// Nothing changes.
    pub(super) fn refuse(reply: R) -> Self {
        Self { head: None, reply, effects: Effects::default() }
    }
}

impl Effects {
    fn hint(hint: Hint) -> Self {
        Self { hints: vec![hint], ..Self::default() }
    }
}

#[cfg(test)]
mod tests;
