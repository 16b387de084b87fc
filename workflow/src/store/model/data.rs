//! What the model store holds, and how it carries out a command: look up the facts, ask the table, apply the effects.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::journal::command::{
    Command, Control, ControlReply, Create, CreateReply, Outgoing, OwnReply, OwnerWrite, Reply, Send, SendReply,
};
use crate::journal::head::{Head, Place};
use crate::journal::lease::{Lease, LeaseReply, LimitName};
use crate::journal::message::Message;
use crate::journal::table::limit::{self, Limit};
use crate::journal::table::session::{Loss, Session, hand_over};
use crate::journal::table::{Effects, Transition, control, create, own, send, sweep};
use crate::store::{Beat, Hint};
use crate::words::id::{InstanceId, SessionId};
use crate::words::payload::Payload;
use crate::words::time::Timestamp;

/// All instances and sessions. The fields are open: tests compare them and forge them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Data {
    /// The instances.
    pub instances: BTreeMap<InstanceId, Instance>,
    /// The sessions of workers that live, or are not recovered yet.
    pub sessions: BTreeMap<SessionId, Session>,
    /// The limits that sessions have asked for.
    pub limits: BTreeMap<LimitName, Limit>,
}

/// Everything of one instance.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Instance {
    /// Its head.
    pub head: Head,
    /// The records of each run that is kept.
    pub journals: BTreeMap<u32, Vec<Payload>>,
    /// Old runs, and when each is deleted.
    pub archives: BTreeMap<u32, Timestamp>,
    /// Messages that are not consumed, by position.
    pub mailbox: BTreeMap<u64, Message>,
    /// The ids of all messages of this run.
    pub event_ids: BTreeSet<Arc<str>>,
    /// Outgoing commands that are not acknowledged, by number, and when each was queued.
    pub outbox: BTreeMap<u64, (Timestamp, Outgoing)>,
}

impl Data {
    /// Carries out one command at the store's time `now`. What is to be told goes to `hints`.
    pub fn apply(&mut self, command: &Command, now: Timestamp, hints: &mut Vec<Hint>) -> Reply {
        match command {
            Command::Create(create) => Reply::Create(self.create(create, now, hints)),
            Command::Send(send) => Reply::Send(self.send(send, now, hints)),
            Command::Control(control) => Reply::Control(self.control(control, now, hints)),
            Command::Own(request) => Reply::Own(self.own(request, now, hints)),
            Command::Lease(request) => Reply::Lease(self.lease(request, now, hints)),
            Command::Claim(claim) => Reply::Claim(self.claim(claim, now, hints)),
            Command::OpenSession { session, lease } => self.open(*session, *lease, now),
            Command::CloseSession { session } => self.close(*session, now, hints),
            Command::Fence { session, beats } => Reply::Fence(self.fence(*session, *beats, now)),
            Command::Recover { session, limit } => self.recover(*session, *limit, now, hints),
            Command::WakeDue { limit } => self.wake_due(*limit, now, hints),
            Command::Unstick { older_than, limit } => self.unstick(*older_than, *limit, now, hints),
            Command::Sent { source, numbers } => self.sent(source, numbers),
            Command::Expire { limit } => self.expire(*limit, now),
        }
    }

    pub(super) fn head(&self, id: &InstanceId) -> Option<&Head> {
        self.instances.get(id).map(|instance| &instance.head)
    }

    pub(super) fn alive(&self, session: Option<SessionId>) -> bool {
        session.and_then(|session| self.sessions.get(&session)).is_some_and(Session::alive)
    }

    /// Carries out what the table decided of one instance, and returns the messages its reply takes.
    pub(super) fn carry_out<R>(
        &mut self,
        id: &InstanceId,
        transition: Transition<R>,
        now: Timestamp,
        hints: &mut Vec<Hint>,
    ) -> (R, Vec<Message>) {
        let Transition { head, reply, effects } = transition;
        if let Some(session) = effects.lost_by.and_then(|session| self.sessions.get_mut(&session)) {
            session.lose(id);
        }
        hints.extend(effects.hints.iter().cloned());
        let after = effects.messages_after;
        if let Some(head) = head {
            let instance = self.instances.entry(id.clone()).or_insert_with(|| Instance::new(head.clone()));
            instance.put(head, effects, now);
        }
        let messages = match (after, self.instances.get(id)) {
            // As the other stores: an instance that counts no unread message is not looked through for any.
            (Some(seen), Some(instance)) if instance.head.unread > 0 => {
                instance.mailbox.range(seen + 1..).map(|(_, message)| message.clone()).collect()
            }
            _ => Vec::new(),
        };
        (reply, messages)
    }

    fn create(&mut self, command: &Create, now: Timestamp, hints: &mut Vec<Hint>) -> CreateReply {
        let facts =
            create::Facts { alive: self.alive(command.local), ready_empty: self.ready_empty(&command.spec.queue) };
        let transition = create::create(self.head(&command.id), command, facts, now);
        let (mut reply, messages) = self.carry_out(&command.id, transition, now, hints);
        if let CreateReply::Created { claimed: Some(claimed) } = &mut reply {
            claimed.granted.messages = messages;
        }
        reply
    }

    fn send(&mut self, command: &Send, now: Timestamp, hints: &mut Vec<Hint>) -> SendReply {
        let instance = self.instances.get(&command.id);
        let facts = send::Facts {
            known: instance.is_some_and(|instance| instance.event_ids.contains(&command.message.event_id)),
            alive: self.alive(instance.and_then(|instance| instance.head.session())),
        };
        let transition = send::send(self.head(&command.id), command, facts, now);
        self.carry_out(&command.id, transition, now, hints).0
    }

    fn control(&mut self, command: &Control, now: Timestamp, hints: &mut Vec<Hint>) -> ControlReply {
        let transition = control::control(self.head(&command.id), command, now);
        self.carry_out(&command.id, transition, now, hints).0
    }

    fn own(&mut self, request: &OwnerWrite, now: Timestamp, hints: &mut Vec<Hint>) -> OwnReply {
        let id = &request.owner.id;
        let transition = own::own(self.head(id), request, self.alive(Some(request.owner.session)), now);
        let (mut reply, messages) = self.carry_out(id, transition, now, hints);
        if let OwnReply::Ok(granted) | OwnReply::Continue(granted) = &mut reply {
            granted.messages = messages;
        }
        reply
    }

    fn lease(&mut self, request: &Lease, now: Timestamp, hints: &mut Vec<Hint>) -> LeaseReply {
        let alive = self.alive(Some(request.session));
        let known = |session| self.sessions.contains_key(&session);
        let leased = limit::lease(self.limits.get(&request.name), request, alive, &known, now);
        self.limits.extend(leased.limit.map(|limit| (request.name.clone(), limit)));
        hints.extend(leased.hint);
        leased.reply
    }

    fn open(&mut self, session: SessionId, lease: Duration, now: Timestamp) -> Reply {
        let opened = Session::open(self.sessions.get(&session), lease, now);
        let done = usize::from(opened.is_some());
        self.sessions.extend(opened.map(|opened| (session, opened)));
        Reply::Count { done, next_due: None }
    }

    pub(super) fn beat(&mut self, session: SessionId, lease: Duration, now: Timestamp) -> Beat {
        match self.sessions.get(&session).and_then(|known| known.beat(lease, now)) {
            Some(beaten) => {
                self.sessions.insert(session, beaten);
                Beat::Alive
            }
            None => Beat::Fenced,
        }
    }

    fn fence(&mut self, session: SessionId, beats: u64, now: Timestamp) -> bool {
        let Some(known) = self.sessions.get_mut(&session) else { return true };
        if let Some(revoked) = known.fence(beats, now) {
            *known = revoked;
        }
        known.revoked
    }

    fn close(&mut self, session: SessionId, now: Timestamp, hints: &mut Vec<Hint>) -> Reply {
        // Of a revoked session the instances are suspects: closing it late does not clear them.
        let loss = if self.alive(Some(session)) { Loss::Closed } else { Loss::Crashed };
        let done = self.hand_over(session, loss, usize::MAX, now, hints);
        self.sessions.remove(&session);
        Reply::Count { done, next_due: None }
    }

    fn recover(&mut self, session: SessionId, limit: usize, now: Timestamp, hints: &mut Vec<Hint>) -> Reply {
        let revoked = self.sessions.get(&session).is_some_and(|known| known.revoked);
        let done = if revoked { self.hand_over(session, Loss::Crashed, limit, now, hints) } else { 0 };
        if revoked && !self.tied(session).any(|_| true) {
            self.sessions.remove(&session);
        }
        Reply::Count { done, next_due: None }
    }

    fn hand_over(
        &mut self,
        session: SessionId,
        loss: Loss,
        limit: usize,
        now: Timestamp,
        hints: &mut Vec<Hint>,
    ) -> usize {
        let ids: Vec<InstanceId> = self.tied(session).take(limit).cloned().collect();
        self.each(&ids, now, hints, |id, head, _| hand_over(id, head, session, loss, now))
    }

    /// The instances a session holds or has in its inbox.
    fn tied(&self, session: SessionId) -> impl Iterator<Item = &InstanceId> {
        self.instances.iter().filter_map(move |(id, instance)| match instance.head.place {
            Place::Held { session: holder, .. } | Place::Inbox { session: holder, .. } => {
                (holder == session).then_some(id)
            }
            _ => None,
        })
    }

    fn wake_due(&mut self, limit: usize, now: Timestamp, hints: &mut Vec<Hint>) -> Reply {
        let ids = self.by(limit, |head| head.due().filter(|due| *due <= now));
        let done = self.each(&ids, now, hints, |_, head, alive| sweep::wake_due(head, alive, now));
        Reply::Count { done, next_due: self.next_due() }
    }

    fn unstick(&mut self, older_than: Duration, limit: usize, now: Timestamp, hints: &mut Vec<Hint>) -> Reply {
        let ids = self.by(limit, |head| match head.place {
            Place::Inbox { since, .. } if sweep::unstick(head, older_than, now).reply => Some(since),
            _ => None,
        });
        let done = self.each(&ids, now, hints, |_, head, _| sweep::unstick(head, older_than, now));
        Reply::Count { done, next_due: None }
    }

    fn sent(&mut self, source: &InstanceId, numbers: &[u64]) -> Reply {
        let outbox = self.instances.get_mut(source).map(|instance| &mut instance.outbox);
        let removed =
            outbox.map_or(0, |outbox| numbers.iter().filter(|number| outbox.remove(number).is_some()).count());
        Reply::Count { done: removed, next_due: None }
    }

    fn expire(&mut self, limit: usize, now: Timestamp) -> Reply {
        let unsent = |id: &InstanceId| self.instances.get(id).map_or(0, |instance| instance.outbox.len());
        let mut ids: Vec<(Timestamp, InstanceId)> = self
            .instances
            .iter()
            .filter(|(id, instance)| sweep::expired(&instance.head, unsent(id), now))
            .filter_map(|(id, instance)| match instance.head.place {
                Place::Done { expires_at, .. } => Some((expires_at, id.clone())),
                _ => None,
            })
            .collect();
        ids.sort();
        ids.truncate(limit);
        for (_, id) in &ids {
            self.instances.remove(id);
        }
        let done = ids.len() + self.expire_archives(limit - ids.len(), now);
        Reply::Count { done, next_due: None }
    }

    fn expire_archives(&mut self, limit: usize, now: Timestamp) -> usize {
        let mut old: Vec<(Timestamp, InstanceId, u32)> = self
            .instances
            .iter()
            .flat_map(|(id, instance)| instance.archives.iter().map(move |(run, at)| (*at, id.clone(), *run)))
            .filter(|(at, ..)| *at <= now)
            .collect();
        old.sort();
        old.truncate(limit);
        for (_, id, run) in &old {
            if let Some(instance) = self.instances.get_mut(id) {
                instance.archives.remove(run);
                instance.journals.remove(run);
            }
        }
        old.len()
    }

    /// The ids of at most `limit` instances that have the key `key` asks for, by (key, id).
    pub(super) fn by<K: Ord>(&self, limit: usize, key: impl Fn(&Head) -> Option<K>) -> Vec<InstanceId> {
        let mut found: Vec<(K, &InstanceId)> =
            self.instances.iter().filter_map(|(id, instance)| Some((key(&instance.head)?, id))).collect();
        found.sort();
        found.into_iter().take(limit).map(|(_, id)| id.clone()).collect()
    }

    /// Asks the table about each instance, with whether its session lives; counts those that moved.
    fn each(
        &mut self,
        ids: &[InstanceId],
        now: Timestamp,
        hints: &mut Vec<Hint>,
        decide: impl Fn(&InstanceId, &Head, bool) -> Transition<bool>,
    ) -> usize {
        let mut moved = 0;
        for id in ids {
            let Some(head) = self.head(id) else { continue };
            let transition = decide(id, head, self.alive(head.session()));
            moved += usize::from(self.carry_out(id, transition, now, hints).0);
        }
        moved
    }
}

impl Instance {
    fn new(head: Head) -> Self {
        Self {
            head,
            journals: BTreeMap::new(),
            archives: BTreeMap::new(),
            mailbox: BTreeMap::new(),
            event_ids: BTreeSet::new(),
            outbox: BTreeMap::new(),
        }
    }

    fn put(&mut self, head: Head, effects: Effects, now: Timestamp) {
        self.journals.entry(head.run).or_default().extend(effects.append);
        self.mailbox.retain(|seq, _| !effects.consume.contains(seq));
        if effects.clear_mailbox {
            self.mailbox.clear();
            self.event_ids.clear();
        }
        if let Some(message) = effects.deliver {
            self.event_ids.insert(message.message.event_id.clone());
            self.mailbox.insert(message.seq, message);
        }
        self.outbox.extend(effects.outgoing.into_iter().map(|(number, outgoing)| (number, (now, outgoing))));
        self.archives.extend(effects.archives.into_iter().map(|archive| (archive.run, archive.expires_at)));
        self.head = head;
    }
}
