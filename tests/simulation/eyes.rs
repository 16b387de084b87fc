//! Sees every transition of the store and every body, and says when a promise is broken.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use workflow::journal::command::{ClaimReply, Command, PauseReason, Reply, SendReply};
use workflow::journal::head::{End, Head, Place};
use workflow::prelude::StepContext;
use workflow::store::model::Data;
use workflow::words::id::{InstanceId, SessionId};
use workflow::words::time::Timestamp;

use crate::plan::Plan;
use crate::process::RATE_SPAN;

/// What was seen.
#[derive(Debug)]
pub(crate) struct Eyes {
    limit: usize,
    rate: usize,
    seen: BTreeMap<InstanceId, Seen>,
    /// How each run ended, by when its instance was created: an id may be used again.
    pub(crate) ends: BTreeMap<(InstanceId, Timestamp, u32), End>,
    /// How often an instance was taken from a session that had not let go of it.
    taken: BTreeMap<String, u64>,
    /// When what one create made was created: again, when it is sent again after that was deleted. What it makes then has
    /// the same seed, and so its bodies the same keys.
    created: BTreeMap<(InstanceId, u128), Timestamp>,
    /// When runs of queue `mail` were started.
    starts: VecDeque<Timestamp>,
    /// Bodies by idempotency key.
    bodies: BTreeMap<String, Body>,
    /// Whose body gave which number.
    pub(crate) tokens: Vec<String>,
    /// When which event of whom was accepted first.
    pub(crate) accepted: BTreeMap<(InstanceId, Arc<str>), (u32, Timestamp)>,
}

#[derive(Debug)]
struct Seen {
    created_at: Timestamp,
    run: u32,
    v: u64,
    records: u32,
    begun: bool,
    held_by: Option<SessionId>,
}

#[derive(Debug, Default)]
struct Body {
    begun: u64,
    failed: u64,
}

impl Eyes {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            limit: plan.limit as usize,
            rate: plan.rate as usize,
            seen: BTreeMap::new(),
            ends: BTreeMap::new(),
            taken: BTreeMap::new(),
            created: BTreeMap::new(),
            starts: VecDeque::new(),
            bodies: BTreeMap::new(),
            tokens: Vec::new(),
            accepted: BTreeMap::new(),
        }
    }

    /// Looks at what a command changed.
    pub(crate) fn look(&mut self, data: &Data, command: &Command, reply: &Reply, now: Timestamp) -> Result<(), String> {
        if let (Command::Send(send), Reply::Send(SendReply::Accepted)) = (command, reply)
            && let Some(instance) = data.instances.get(&send.id)
        {
            let key = (send.id.clone(), send.message.event_id.clone());
            self.accepted.entry(key).or_insert((instance.head.run, now));
        }
        match command.instance() {
            Some(id) => match data.instances.get(id) {
                Some(instance) => self.look_at(id, &instance.head, command, now)?,
                None => drop(self.seen.remove(id)),
            },
            None if is_idle(reply) => return Ok(()),
            None => {
                for (id, instance) in &data.instances {
                    self.look_at(id, &instance.head, command, now)?;
                }
            }
        }
        self.look_at_limit(data)
    }

    fn look_at(&mut self, id: &InstanceId, head: &Head, command: &Command, now: Timestamp) -> Result<(), String> {
        let held_by = match &head.place {
            Place::Held { session, .. } => Some(*session),
            _ => None,
        };
        let created = self.created.insert((id.clone(), head.spec.seed), head.created_at);
        if created.is_some_and(|created| created != head.created_at) {
            *self.taken.entry(id.to_string()).or_default() += 1;
        }
        let before = self.seen.get(id).filter(|before| before.created_at == head.created_at);
        if let Some(before) = before {
            if head.v < before.v || head.run < before.run {
                return Err(format!("{id}: its version or run went back: {before:?}, {head:?}"));
            }
            if head.run == before.run && head.records < before.records {
                return Err(format!("{id}: records of run {} were lost: {before:?}", head.run));
            }
            if before.held_by.is_some() && before.held_by != held_by && !lets_go(command, before.held_by) {
                *self.taken.entry(id.to_string()).or_default() += 1;
            }
        }
        let begun_before = before.is_some_and(|before| before.run == head.run && before.begun);
        if head.begun && !begun_before && head.spec.queue.as_str() == "mail" {
            self.starts(now)?;
        }
        if let Place::Paused { reason, .. } = &head.place
            && !matches!(reason, PauseReason::Operator | PauseReason::Quarantined { .. })
        {
            return Err(format!("{id} is parked: {reason:?}"));
        }
        let life = (id.clone(), head.created_at, head.run);
        if let Some(end) = self.ends.get(&life) {
            match &head.place {
                Place::Done { end: now, .. } if now == end => {}
                place => return Err(format!("{id}: run {} ended by {end:?} and is {place:?}", head.run)),
            }
        } else if let Place::Done { end, .. } = &head.place {
            self.ends.insert(life, end.clone());
        }
        let seen = Seen {
            created_at: head.created_at,
            run: head.run,
            v: head.v,
            records: head.records,
            begun: head.begun,
            held_by,
        };
        self.seen.insert(id.clone(), seen);
        Ok(())
    }

    fn starts(&mut self, now: Timestamp) -> Result<(), String> {
        self.starts.push_back(now);
        while self.starts.front().is_some_and(|first| first.after(RATE_SPAN) <= now) {
            self.starts.pop_front();
        }
        if self.starts.len() > self.rate {
            return Err(format!("more than {} of `mail` started within {RATE_SPAN:?}: {:?}", self.rate, self.starts));
        }
        Ok(())
    }

    fn look_at_limit(&self, data: &Data) -> Result<(), String> {
        let held = data.instances.values().filter(|instance| {
            instance.head.spec.workflow.as_str() == "limited" && matches!(instance.head.place, Place::Held { .. })
        });
        let held = held.count();
        if held > self.limit {
            return Err(format!("{held} of `limited` are held where {} may be", self.limit));
        }
        Ok(())
    }

    /// A body begins: as often as it failed, and as its instance was taken from whoever ran it.
    pub(crate) fn begins(&mut self, cx: &StepContext) -> Result<u64, String> {
        let taken = self.taken.get(cx.instance_id()).copied().unwrap_or(0);
        let body = self.bodies.entry(cx.idempotency_key()).or_default();
        body.begun += 1;
        let explained = (1 + body.failed).max(u64::from(cx.attempt())) + taken;
        if body.begun > explained {
            let (id, path, begun) = (cx.instance_id(), cx.path(), body.begun);
            return Err(format!("{id}: the body of {path} ran {begun} times where {explained} are explained"));
        }
        self.tokens.push(cx.instance_id().to_owned());
        Ok(self.tokens.len() as u64 - 1)
    }

    /// A body fails on purpose.
    pub(crate) fn fails(&mut self, key: &str) {
        if let Some(body) = self.bodies.get_mut(key) {
            body.failed += 1;
        }
    }

    /// How many bodies ran more than once without having failed.
    pub(crate) fn extra_bodies(&self) -> u64 {
        self.bodies.values().map(|body| body.begun.saturating_sub(1 + body.failed)).sum()
    }
}

/// Whether a command for many found none.
fn is_idle(reply: &Reply) -> bool {
    match reply {
        Reply::Count { done, .. } => *done == 0,
        Reply::Claim(ClaimReply::Given { instances, .. }) => instances.is_empty(),
        _ => true,
    }
}

/// Whether the holder itself wrote.
fn lets_go(command: &Command, holder: Option<SessionId>) -> bool {
    matches!(command, Command::Own(write) if Some(write.owner.session) == holder)
}
