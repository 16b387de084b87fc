//! What a store keeps of an instance beside its journal, mailbox and outbox: enough to decide every transition.
//!
//! Where the instance stands in the store's indexes (ready, timers, inboxes, shelves, paused, finished) follows from
//! its head alone, so a store can never show it in two places.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::command::{ControlReply, Ending, InstanceSpec, OwnReply, PauseReason, Wait};
use super::path::Path;
use crate::words::id::{RequestId, SessionId};
use crate::words::time::Timestamp;

/// The state of an instance, as users see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum State {
    /// It waits for a worker, or for its start time.
    Queued,
    /// A worker holds it.
    Running,
    /// It waits for a timer, an event or a child, and holds no slot.
    Waiting,
    /// It is paused, for a reason.
    Paused,
    /// It ended with its output.
    Complete,
    /// It ended with an error.
    Errored,
    /// It was ended from outside.
    Terminated,
}

impl State {
    /// All of them. Stores number them in this order: it never changes.
    pub const ALL: [Self; 7] =
        [Self::Queued, Self::Running, Self::Waiting, Self::Paused, Self::Complete, Self::Errored, Self::Terminated];

    /// Whether the run has ended.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Complete | Self::Errored | Self::Terminated)
    }

    /// The word for it, as it is serialised.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Paused => "paused",
            Self::Complete => "complete",
            Self::Errored => "errored",
            Self::Terminated => "terminated",
        }
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

/// What a store knows of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Head {
    /// What it is.
    pub spec: Arc<InstanceSpec>,
    /// The request that created it.
    pub created_by: RequestId,
    /// When it was created.
    pub created_at: Timestamp,
    /// The run, from 1; a restart begins the next.
    pub run: u32,
    /// When this run began.
    pub started_at: Timestamp,
    /// When the head last changed.
    pub updated_at: Timestamp,
    /// The state version: raised by every commit, suspend, wake, claim, resume, restart and terminate. It never goes
    /// back, and is never behind the store's time in milliseconds when it is given: neither an instance created anew
    /// under the id of a deleted one nor a store that lost what it acknowledged repeats a version that former owners may
    /// still know.
    pub v: u64,
    /// Where it is.
    pub place: Place,
    /// A pause is asked for, and takes effect when its owner suspends.
    pub pause: bool,
    /// Whether a worker ever held this run.
    pub begun: bool,
    /// Records in the journal of this run.
    pub records: u32,
    /// Their bytes.
    pub journal_bytes: u64,
    /// Messages ever accepted in this run: the newest one's position.
    pub arrivals: u64,
    /// Messages in the mailbox.
    pub unread: u32,
    /// Outgoing commands ever queued: the newest one's number.
    pub outgoing: u64,
    /// How long it was paused since its owner last looked, in milliseconds.
    pub shift_ms: i64,
    /// Whether it may be what crashes workers.
    pub suspect: Suspect,
    /// The newest owner's write and its answer (without messages), for a repeat.
    pub last_write: Option<(RequestId, OwnReply)>,
    /// The newest controls and their answers, for repeats: at most [`CONTROLS_REMEMBERED`](crate::words::limits::CONTROLS_REMEMBERED), oldest
    /// first.
    pub last_controls: Vec<(RequestId, ControlReply)>,
    /// Where this run comes from, if it did not begin at the beginning.
    pub fork: Option<Fork>,
    /// Children of this run that are to be terminated when it ends. A child leaves the list when its end arrives.
    pub children: Vec<crate::words::id::InstanceId>,
}

/// Where a run comes from that was restarted from one of its operations.
///
/// Which records it keeps is known to the code only: everything of an operation that was asked for before the one it is
/// restarted from. So the first owner of the run replays the source up to there, and writes what is kept before anything
/// else ([`Then::Forked`](super::command::Then::Forked)). Until then the fork is open, and its source is not deleted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fork {
    /// The run it comes from.
    pub source: u32,
    /// The run whose random streams it goes on with: what it keeps was drawn from them.
    pub streams: u32,
    /// The operation from which on everything is forgotten.
    pub path: Path,
    /// Nothing of the source was taken over yet.
    pub open: bool,
}

/// Where an instance is. Exactly one place at a time.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// In the ready list of its queue.
    Ready {
        /// Its place in it: smaller comes first. Milliseconds since 1970; priority adds 30 s a step, a wake takes a
        /// day off, so that what has begun ends before new work starts and nothing starves.
        score: i64,
    },
    /// On the shelf of its workflow and version: a worker met it that does not know them.
    Shelved,
    /// Woken, for the session that still has it in memory.
    Inbox {
        /// The session.
        session: SessionId,
        /// Since when.
        since: Timestamp,
        /// What it waited for.
        waits: Vec<Wait>,
    },
    /// Held by a session.
    Held {
        /// The session.
        session: SessionId,
        /// Something happened that its owner should look at.
        notice: bool,
    },
    /// Waiting. With no timer it is in the timer index all the same, at infinity.
    Asleep {
        /// For what.
        waits: Vec<Wait>,
        /// The session that has it in memory.
        sticky: Option<SessionId>,
    },
    /// Paused.
    Paused {
        /// Why.
        reason: PauseReason,
        /// Since when.
        since: Timestamp,
        /// What it waited for; `due` is as it was before the pause.
        waits: Vec<Wait>,
    },
    /// Ended.
    Done {
        /// How.
        end: End,
        /// When.
        at: Timestamp,
        /// When it is deleted.
        expires_at: Timestamp,
    },
}

/// How a run ended, operators included.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum End {
    /// By its own return.
    Returned(Ending),
    /// From outside.
    Terminated {
        /// Why.
        reason: String,
    },
}

/// Whether an instance may be what crashes its workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Suspect {
    /// No.
    #[default]
    No,
    /// Its session was lost while it was held.
    Yes {
        /// Crashes of workers that were trying it alone.
        crashes: u8,
    },
    /// A worker is trying it now, alone.
    Marked {
        /// Crashes before this try.
        crashes: u8,
    },
}

impl Head {
    /// Gives the next state version: see [`Self::v`].
    pub(crate) fn raise(&mut self, now: Timestamp) {
        self.v = (self.v + 1).max(u64::try_from(now.as_millis()).unwrap_or(0));
    }

    /// The session this instance is tied to: that holds it, that it was woken for, or that has it in memory while it
    /// sleeps. The one whose life a transition may ask for.
    #[must_use]
    pub const fn session(&self) -> Option<SessionId> {
        match &self.place {
            Place::Held { session, .. } | Place::Inbox { session, .. } => Some(*session),
            Place::Asleep { sticky, .. } => *sticky,
            _ => None,
        }
    }

    /// Whether `session` holds it.
    #[must_use]
    pub fn held_by(&self, session: SessionId) -> bool {
        matches!(self.place, Place::Held { session: holder, .. } if holder == session)
    }

    /// The state as users see it.
    #[must_use]
    pub fn state(&self) -> State {
        match &self.place {
            Place::Ready { .. } | Place::Shelved => State::Queued,
            Place::Asleep { .. } if !self.begun => State::Queued,
            Place::Inbox { .. } | Place::Held { .. } => State::Running,
            Place::Asleep { .. } => State::Waiting,
            Place::Paused { .. } => State::Paused,
            Place::Done { end: End::Terminated { .. }, .. } => State::Terminated,
            Place::Done { end: End::Returned(ending), .. } => match ending.result {
                Ok(_) => State::Complete,
                Err(_) => State::Errored,
            },
        }
    }

    /// When a sleeping instance must be woken; [`Timestamp::MAX`] when only a message can wake it.
    #[must_use]
    pub fn due(&self) -> Option<Timestamp> {
        match &self.place {
            Place::Asleep { waits, .. } => {
                Some(waits.iter().filter_map(|wait| wait.due).min().unwrap_or(Timestamp::MAX))
            }
            _ => None,
        }
    }
}
