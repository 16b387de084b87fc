//! Limits that hold across all workers: what a worker asks of the store about one, and what it is answered.
//!
//! A limit is a number of **tokens**, kept in the partition that its name leads to. A worker leases tokens before it
//! claims what is limited: its **share**. Of a workflow's concurrency a token is in use as long as an instance is driven;
//! of a queue's rate a token is spent by the first claim of a run, and counts until its time is over. What decides is
//! [`super::table::limit`].

use std::fmt;
use std::time::Duration;

use crate::words::id::{InvalidId, QueueName, SessionId, WorkflowName};
use crate::words::time::Timestamp;

/// What is limited.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LimitName {
    /// How many instances of a workflow are driven at once.
    Workflow(WorkflowName),
    /// How many runs of a queue are started in some time.
    Queue(QueueName),
}

impl LimitName {
    /// The name as stores keep it: its kind in one letter, and the name.
    #[must_use]
    pub fn key(&self) -> String {
        let (kind, name) = match self {
            Self::Workflow(name) => ('w', name.as_str()),
            Self::Queue(name) => ('q', name.as_str()),
        };
        format!("{kind}{name}")
    }

    /// Reads what [`Self::key`] wrote.
    ///
    /// # Errors
    /// When it names nothing that can be limited.
    pub fn of_key(key: &str) -> Result<Self, InvalidId> {
        match key.strip_prefix('w') {
            Some(name) => WorkflowName::new(name).map(Self::Workflow),
            None => QueueName::new(key.strip_prefix('q').unwrap_or_default()).map(Self::Queue),
        }
    }
}

impl fmt::Display for LimitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Workflow(name) => write!(f, "workflow {name}"),
            Self::Queue(name) => write!(f, "queue {name}"),
        }
    }
}

/// Asks for tokens of a limit, and gives tokens back: says what the session's share is to be from here on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lease {
    /// For which session.
    pub session: SessionId,
    /// Of which limit.
    pub name: LimitName,
    /// Which request of its session for this limit it is, from 1. A repeat is answered as the first time, or, if that was in
    /// vain, asks again; a late copy of an older one changes nothing.
    pub number: u64,
    /// How many tokens there are, as this worker was told.
    pub limit: u32,
    /// For rates: for how long a spent token counts.
    pub per: Option<Duration>,
    /// For rates: how many tokens of the share were spent since the request before.
    pub spent: u32,
    /// How many tokens of the share are in use: the share does not become smaller.
    pub held: u32,
    /// How many tokens the share is to have at most.
    pub want: u32,
}

/// The answer to a [`Lease`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LeaseReply {
    /// The share.
    Granted {
        /// How many tokens it has.
        tokens: u32,
        /// For rates, where it has fewer than were wanted: when the next spent token counts no more, by the store's
        /// clock.
        free_at: Option<Timestamp>,
    },
    /// A newer request of the session came before. Nothing was changed.
    Late,
    /// The session is revoked or unknown. Nothing was changed.
    Fenced,
}
