//! Carries commands out inside one transaction: looks the facts up, asks the transition table, writes what it says.
//!
//! Owns the way from a command to rows. Decides nothing itself: every new head and every reply is the table's. Never
//! begins or ends a transaction, and remembers nothing beyond the cache it was lent. Called by the writer.
//!
//! A head that cannot be read is an error to a command that names its instance. A command that comes upon one while it
//! looks for work puts it aside and goes on, so that one damaged instance stops no queue.

mod claim;
mod sweep;

use std::collections::HashSet;

use super::cache::Cache;
use super::fault::Fault;
use super::spot::{self, Placement};
use super::tables::{Stored, Tables};
use crate::journal::command::{
    Claimed, Command, Control, ControlReply, Create, CreateReply, Granted, OwnReply, OwnerWrite, Reply, Send, SendReply,
};
use crate::journal::head::Head;
use crate::journal::lease::{Lease, LeaseReply};
use crate::journal::message::Message;
use crate::journal::table::session::Session;
use crate::journal::table::{Effects, Hint, Transition, control, create, limit, own, send};
use crate::words::id::{InstanceId, SessionId};
use crate::words::time::Timestamp;

/// The commands of one transaction.
pub(super) struct Batch<'a> {
    tables: Tables<'a>,
    cache: &'a mut Cache,
    now: Timestamp,
    done: Done,
}

/// What is left to do once the transaction is committed.
#[derive(Default)]
pub(super) struct Done {
    /// What to tell.
    pub(super) hints: HashSet<Hint>,
    /// Instances or runs were deleted: the file may have free pages.
    pub(super) deleted: bool,
}

impl<'a> Batch<'a> {
    pub(super) fn new(tables: Tables<'a>, cache: &'a mut Cache, now: Timestamp) -> Self {
        Self { tables, cache, now, done: Done::default() }
    }

    pub(super) fn done(self) -> Done {
        self.done
    }

    /// Carries out one command. After an error the transaction must be rolled back and the cache cleared.
    pub(super) fn carry_out(&mut self, command: &Command) -> Result<Reply, Fault> {
        Ok(match command {
            Command::Create(create) => Reply::Create(self.create(create)?),
            Command::Send(send) => Reply::Send(self.send(send)?),
            Command::Control(control) => Reply::Control(self.control(control)?),
            Command::Own(write) => Reply::Own(self.own(write)?),
            Command::Lease(lease) => Reply::Lease(self.lease(lease)?),
            Command::Claim(claim) => Reply::Claim(self.claim(claim)?),
            Command::OpenSession { session, lease } => {
                let next = Session::open(self.session(*session)?.as_ref(), *lease, self.now);
                let done = usize::from(next.is_some());
                if let Some(next) = next {
                    self.save_session(*session, next)?;
                }
                Reply::Count { done, next_due: None }
            }
            Command::CloseSession { session } => self.close(*session)?,
            Command::Fence { session, beats } => Reply::Fence(self.fence(*session, *beats)?),
            Command::Recover { session, limit } => self.recover(*session, *limit)?,
            Command::WakeDue { limit } => self.wake_due(*limit)?,
            Command::Unstick { older_than, limit } => self.unstick(*older_than, *limit)?,
            Command::Sent { source, numbers } => {
                Reply::Count { done: self.tables.sent(source, numbers)?, next_due: None }
            }
            Command::Expire { limit } => self.expire(*limit)?,
        })
    }

    fn create(&mut self, request: &Create) -> Result<CreateReply, Fault> {
        let before = self.take(&request.id)?;
        let alive = match request.local {
            Some(session) => self.alive(session)?,
            None => false,
        };
        // Asked only where it decides anything.
        let (from, to) = spot::all_ready(&request.spec.queue);
        let ready_empty = alive && before.is_none() && self.tables.is_empty(&from, &to)?;
        let facts = create::Facts { alive, ready_empty };
        let head = before.as_ref().map(|stored| &stored.head);
        let transition = create::create(head, request, facts, self.now);
        let (mut reply, messages) = self.settle(&request.id, before, transition)?;
        if let CreateReply::Created { claimed: Some(claimed) } = &mut reply {
            claimed.granted.messages = messages;
        }
        Ok(reply)
    }

    fn send(&mut self, request: &Send) -> Result<SendReply, Fault> {
        let before = self.take(&request.id)?;
        let facts = match &before {
            None => send::Facts { known: false, alive: false },
            Some(stored) => send::Facts {
                known: stored.head.arrivals > 0 && self.tables.event_known(stored.key, &request.message.event_id)?,
                alive: self.session_alive(&stored.head)?,
            },
        };
        let head = before.as_ref().map(|stored| &stored.head);
        let transition = send::send(head, request, facts, self.now);
        Ok(self.settle(&request.id, before, transition)?.0)
    }

    fn control(&mut self, request: &Control) -> Result<ControlReply, Fault> {
        let before = self.take(&request.id)?;
        let head = before.as_ref().map(|stored| &stored.head);
        let transition = control::control(head, request, self.now);
        Ok(self.settle(&request.id, before, transition)?.0)
    }

    fn own(&mut self, request: &OwnerWrite) -> Result<OwnReply, Fault> {
        let before = self.take(&request.owner.id)?;
        let alive = self.alive(request.owner.session)?;
        let head = before.as_ref().map(|stored| &stored.head);
        let transition = own::own(head, request, alive, self.now);
        let (mut reply, messages) = self.settle(&request.owner.id, before, transition)?;
        if let OwnReply::Ok(granted) | OwnReply::Continue(granted) = &mut reply {
            granted.messages = messages;
        }
        Ok(reply)
    }

    fn lease(&mut self, request: &Lease) -> Result<LeaseReply, Fault> {
        let alive = self.alive(request.session)?;
        let limit = self.tables.limit(&request.name)?;
        let mut known = HashSet::new();
        for share in limit.iter().flat_map(|limit| &limit.shares) {
            if self.session(share.session)?.is_some() {
                known.insert(share.session);
            }
        }
        let known = |session: SessionId| known.contains(&session);
        let leased = limit::lease(limit.as_ref(), request, alive, &known, self.now);
        if let Some(limit) = &leased.limit {
            self.tables.save_limit(&request.name, limit)?;
        }
        self.done.hints.extend(leased.hint);
        Ok(leased.reply)
    }

    // ---- carrying a transition out

    /// Writes a transition. Returns its reply, and the messages that belong into it.
    fn settle<R>(
        &mut self,
        id: &InstanceId,
        before: Option<Stored>,
        transition: Transition<R>,
    ) -> Result<(R, Vec<Message>), Fault> {
        let Transition { head, reply, effects } = transition;
        let stored = match (before, head) {
            (None, None) => return Ok((reply, Vec::new())),
            (Some(before), None) => before,
            (None, Some(head)) => {
                let key = self.tables.insert(id, &head)?;
                self.write_effects(id, key, None, &head, &effects)?;
                Stored { key, head }
            }
            (Some(before), Some(head)) => {
                self.tables.update(before.key, &Placement::of(&before.head), &head)?;
                self.write_effects(id, before.key, Some(&before.head), &head, &effects)?;
                Stored { key: before.key, head }
            }
        };
        let messages = match effects.messages_after {
            Some(after) if stored.head.unread > 0 => self.tables.messages(stored.key, after)?,
            _ => Vec::new(),
        };
        self.done.hints.extend(effects.hints);
        self.cache.put(id.clone(), stored);
        Ok((reply, messages))
    }

    /// Everything beside the head, in the order the table asks for.
    fn write_effects(
        &mut self,
        id: &InstanceId,
        key: i64,
        before: Option<&Head>,
        head: &Head,
        effects: &Effects,
    ) -> Result<(), Fault> {
        if !effects.append.is_empty() {
            let first = before.map_or(0, |before| before.records);
            self.tables.append(key, head.run, first, &effects.append)?;
        }
        if !effects.consume.is_empty() {
            self.tables.consume(key, &effects.consume)?;
        }
        // A run that no message ever came to has nothing to clear.
        if effects.clear_mailbox && before.is_some_and(|before| before.arrivals > 0) {
            self.tables.clear_mailbox(key)?;
        }
        if let Some(message) = &effects.deliver {
            self.tables.deliver(key, message)?;
        }
        if !effects.outgoing.is_empty() {
            self.tables.queue(key, self.now, &effects.outgoing)?;
        }
        for archive in &effects.archives {
            self.tables.archive(key, archive.run, archive.expires_at)?;
        }
        if let Some(session) = effects.lost_by
            && let Some(mut state) = self.session(session)?
        {
            state.lose(id);
            self.save_session(session, state)?;
        }
        Ok(())
    }

    // ---- looking facts up

    /// Takes an instance out of the cache or the tables; [`Self::settle`] puts it back.
    fn take(&mut self, id: &InstanceId) -> Result<Option<Stored>, Fault> {
        match self.cache.take(id) {
            Some(stored) => Ok(Some(stored)),
            None => self.tables.load(id),
        }
    }

    /// As [`Self::take`], for an instance that was come upon: one that cannot be read is put aside.
    fn take_candidate(&mut self, id: &InstanceId) -> Result<Option<Stored>, Fault> {
        match self.take(id) {
            Err(Fault::Damaged(what)) => {
                tracing::error!(instance = %id, "an instance cannot be read and is set aside: {what}");
                self.tables.set_aside(id)?;
                Ok(None)
            }
            outcome => outcome,
        }
    }

    fn session(&mut self, session: SessionId) -> Result<Option<Session>, Fault> {
        if let Some(known) = self.cache.sessions.get(&session) {
            return Ok(known.clone());
        }
        let state = self.tables.session(session)?;
        self.cache.sessions.insert(session, state.clone());
        Ok(state)
    }

    fn save_session(&mut self, session: SessionId, state: Session) -> Result<(), Fault> {
        self.tables.save_session(session, &state)?;
        self.cache.sessions.insert(session, Some(state));
        Ok(())
    }

    fn forget_session(&mut self, session: SessionId) -> Result<(), Fault> {
        self.tables.delete_session(session)?;
        self.cache.sessions.remove(&session);
        Ok(())
    }

    fn alive(&mut self, session: SessionId) -> Result<bool, Fault> {
        if let Some(known) = self.cache.sessions.get(&session) {
            return Ok(known.as_ref().is_some_and(Session::alive));
        }
        Ok(self.session(session)?.as_ref().is_some_and(Session::alive))
    }

    /// Whether the session an instance is tied to lives.
    fn session_alive(&mut self, head: &Head) -> Result<bool, Fault> {
        head.session().map_or(Ok(false), |session| self.alive(session))
    }

    /// The earliest timer of any sleeping instance; `None` when nothing sleeps, or only without a timer.
    fn next_due(&self) -> Result<Option<Timestamp>, Fault> {
        let first = self.tables.first_rank(&[spot::kind::ASLEEP])?.map(Timestamp::from_millis);
        Ok(first.filter(|due| *due != Timestamp::MAX))
    }
}

/// Puts the messages into what a claimer learns.
fn with_messages(claimed: Claimed, messages: Vec<Message>) -> Claimed {
    Claimed { granted: Granted { messages, ..claimed.granted }, ..claimed }
}
