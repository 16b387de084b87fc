//! The heads and sessions the writer has seen last, so that a write need not read what the write before it wrote.
//!
//! Right only as long as no other connection has written: the writer clears it when `PRAGMA data_version` changes and
//! after every failure. Heads are bounded in number and bytes: two generations, of which the older is dropped when the
//! younger is full. Sessions are as many as there are workers.

use std::collections::HashMap;
use std::mem;

use super::tables::Stored;
use crate::journal::head::Place;
use crate::journal::table::session::Session;
use crate::words::id::{InstanceId, SessionId};

/// Most heads of one generation.
const HEADS_MAX: usize = 4_096;
/// Most bytes of what their payloads hold, of one generation.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Cache {
    young: HashMap<InstanceId, Stored>,
    old: HashMap<InstanceId, Stored>,
    young_bytes: usize,
    /// What the store holds of each session; `None` for one it does not know.
    pub(super) sessions: HashMap<SessionId, Option<Session>>,
}

impl Cache {
    /// Takes a head out, if it is known. Whoever changes it puts it back.
    pub(super) fn take(&mut self, id: &InstanceId) -> Option<Stored> {
        self.young.remove(id).or_else(|| self.old.remove(id))
    }

    /// Puts a head in as it stands in the store now. What has ended is not kept: hardly anything is written to it.
    pub(super) fn put(&mut self, id: InstanceId, stored: Stored) {
        if matches!(stored.head.place, Place::Done { .. }) {
            return;
        }
        self.young_bytes += stored.bytes();
        self.young.insert(id, stored);
        if self.young.len() >= HEADS_MAX || self.young_bytes >= BYTES_MAX {
            mem::swap(&mut self.old, &mut self.young);
            self.young.clear();
            self.young_bytes = 0;
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
        self.young_bytes = 0;
        self.sessions.clear();
    }
}
