//! What the periodic sweep asks for: ended sessions, due timers, inboxes nobody empties, retention.

use std::time::Duration;

use super::super::fault::Fault;
use super::super::spot;
use super::Batch;
use crate::journal::command::Reply;
use crate::journal::table::session::{Loss, hand_over};
use crate::journal::table::sweep::{expired, unstick, wake_due};
use crate::words::id::{InstanceId, SessionId};
use crate::words::time::millis_rounded_up;

impl Batch<'_> {
    pub(super) fn close(&mut self, session: SessionId) -> Result<Reply, Fault> {
        // Of a revoked session the instances are suspects: closing it late does not clear them.
        let loss = if self.alive(session)? { Loss::Closed } else { Loss::Crashed };
        let done = self.hand_over(session, usize::MAX, loss)?;
        self.forget_session(session)?;
        Ok(Reply::Count { done, next_due: None })
    }

    pub(super) fn fence(&mut self, session: SessionId, beats: u64) -> Result<bool, Fault> {
        let Some(state) = self.session(session)? else { return Ok(true) };
        match state.fence(beats, self.now) {
            Some(revoked) => {
                self.save_session(session, revoked)?;
                Ok(true)
            }
            None => Ok(state.revoked),
        }
    }

    pub(super) fn recover(&mut self, session: SessionId, limit: usize) -> Result<Reply, Fault> {
        // Revoked first, then moved: a session that lives loses nothing.
        if !self.session(session)?.is_some_and(|state| state.revoked) {
            return Ok(Reply::Count { done: 0, next_due: None });
        }
        let done = self.hand_over(session, limit, Loss::Crashed)?;
        if self.tables.of_session(session, 1)?.is_empty() {
            self.forget_session(session)?;
        }
        Ok(Reply::Count { done, next_due: None })
    }

    fn hand_over(&mut self, session: SessionId, limit: usize, loss: Loss) -> Result<usize, Fault> {
        let mut done = 0;
        for id in self.tables.of_session(session, limit)? {
            let Some(stored) = self.take_candidate(&id)? else { continue };
            let transition = hand_over(&id, &stored.head, session, loss, self.now);
            done += usize::from(self.settle(&id, Some(stored), transition)?.0);
        }
        Ok(done)
    }

    pub(super) fn wake_due(&mut self, limit: usize) -> Result<Reply, Fault> {
        let mut done = 0;
        let due = self.tables.at_spot_until(&[spot::kind::ASLEEP], self.now.as_millis(), limit)?;
        for (_, id) in due {
            let Some(stored) = self.take_candidate(&id)? else { continue };
            let alive = self.session_alive(&stored.head)?;
            let transition = wake_due(&stored.head, alive, self.now);
            done += usize::from(self.settle(&id, Some(stored), transition)?.0);
        }
        Ok(Reply::Count { done, next_due: self.next_due()? })
    }

    pub(super) fn unstick(&mut self, older_than: Duration, limit: usize) -> Result<Reply, Fault> {
        let until = self.now.as_millis().saturating_sub(millis_rounded_up(older_than));
        let mut stuck = Vec::new();
        for inbox in self.tables.spots(spot::kind::INBOX)? {
            stuck.extend(self.tables.at_spot_until(&inbox, until, limit)?);
        }
        stuck.sort_unstable();
        stuck.truncate(limit);
        let mut done = 0;
        for (_, id) in stuck {
            let Some(stored) = self.take_candidate(&id)? else { continue };
            let transition = unstick(&stored.head, older_than, self.now);
            done += usize::from(self.settle(&id, Some(stored), transition)?.0);
        }
        Ok(Reply::Count { done, next_due: None })
    }

    pub(super) fn expire(&mut self, limit: usize) -> Result<Reply, Fault> {
        let mut done = 0;
        for (_, id) in self.tables.expired(self.now, limit)? {
            done += usize::from(self.delete_expired(&id)?);
        }
        for (key, run) in self.tables.archives_expired(self.now, limit - done)? {
            self.tables.delete_run(key, run)?;
            done += 1;
        }
        self.done.deleted |= done > 0;
        Ok(Reply::Count { done, next_due: None })
    }

    fn delete_expired(&mut self, id: &InstanceId) -> Result<bool, Fault> {
        let Some(stored) = self.take_candidate(id)? else { return Ok(false) };
        // Those with unsent commands are not among the candidates.
        if !expired(&stored.head, 0, self.now) {
            self.cache.put(id.clone(), stored);
            return Ok(false);
        }
        self.tables.delete(stored.key)?;
        Ok(true)
    }
}
