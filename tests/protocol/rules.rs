//! What must hold of every transition and of every state, said without the table's own guards.

use workflow::journal::command::{Command, CreateReply, OwnReply, Reply, SendReply};
use workflow::journal::head::{End, Place};
use workflow::store::model::{Data, Instance};
use workflow::words::id::InstanceId;
use workflow::words::time::Timestamp;

use crate::model::Protocol;
use crate::program::{OPERATOR, Program, STEPS, belief, consumes, due, unstamp};
use crate::state::{Seen, Worker};

/// One transition of the store.
pub(crate) struct Step<'a> {
    pub(crate) before: &'a Data,
    pub(crate) command: &'a Command,
    pub(crate) reply: &'a Reply,
    pub(crate) after: &'a Data,
    pub(crate) now: Timestamp,
}

impl Seen {
    /// Looks at a transition.
    pub(crate) fn observe(&mut self, step: &Step<'_>) {
        self.remember(step);
        let broken = step
            .broken()
            .or_else(|| self.control_twice(step))
            .or_else(|| self.version_twice(step))
            .or_else(|| self.pauses(step.after));
        self.broken = self.broken.or(broken);
        if let (Command::Control(control), Some(_)) = (step.command, step.controlled()) {
            self.controls.insert(control.request);
        }
    }

    /// What operators want now.
    fn remember(&mut self, step: &Step<'_>) {
        if let (Command::Control(control), Some(action)) = (step.command, step.controlled()) {
            use workflow::journal::command::Action;
            match action {
                Action::Pause => self.paused.insert(control.id.clone()),
                Action::Resume
                | Action::Terminate { .. }
                | Action::Restart
                | Action::RestartFrom { .. }
                | Action::Delete => self.paused.remove(&control.id),
            };
        }
        let ended = |id: &InstanceId| {
            step.after.instances.get(id).is_none_or(|instance| matches!(instance.head.place, Place::Done { .. }))
        };
        self.paused.retain(|id| !ended(id));
        self.not_created |= matches!(step.reply, Reply::Create(CreateReply::Exists { .. }));
    }

    /// What holds of the limit until the store loses what it knew of it.
    pub(crate) fn count_tokens(&mut self, model: &Protocol, data: &Data, workers: &[Worker], lost: bool) {
        let Some(limit) = model.limit.filter(|_| !lost) else { return };
        let held = data.instances.values().filter(|instance| matches!(instance.head.place, Place::Held { .. })).count();
        let shares = data.limits.get(&model.limited()).map_or(&[][..], |known| &known.shares);
        let counted = |worker: &Worker| {
            let share = shares.iter().find(|share| share.session == worker.session);
            !data.sessions.contains_key(&worker.session) || share.map_or(0, |share| share.tokens) >= worker.hand.share
        };
        let broken = if held > usize::try_from(limit).expect("a limit is small") {
            Some("more is held than the limit")
        } else if shares.iter().map(|share| share.tokens).sum::<u32>() > limit {
            Some("more tokens are given than there are")
        } else {
            (!workers.iter().all(counted)).then_some("a worker has tokens that the store does not count")
        };
        self.broken = self.broken.or(broken);
    }

    /// A version that was lost may be known to who was given it.
    fn version_twice(&self, step: &Step<'_>) -> Option<&'static str> {
        let v = |data: &Data, id: &InstanceId| data.instances.get(id).map(|instance: &Instance| instance.head.v);
        let twice = |(id, (kept, lost)): (&InstanceId, &(u64, u64))| {
            let (before, after) = (v(step.before, id), v(step.after, id));
            before != after && after.is_some_and(|after| *kept < after && after <= *lost)
        };
        self.lost_versions.iter().any(twice).then_some("a version that was lost was given again")
    }

    fn control_twice(&self, step: &Step<'_>) -> Option<&'static str> {
        let Command::Control(control) = step.command else { return None };
        let again = step.controlled().is_some() && self.controls.contains(&control.request);
        again.then_some("a control was carried out twice")
    }

    fn pauses(&self, data: &Data) -> Option<&'static str> {
        data.instances.iter().find_map(|(id, instance)| {
            let wanted = self.paused.contains(id);
            match &instance.head.place {
                Place::Paused { reason, .. } if *reason == OPERATOR => {
                    (!wanted).then_some("paused though nobody wants it")
                }
                Place::Held { .. } => (wanted != instance.head.pause).then_some("the owner is not told of a pause"),
                Place::Done { .. } => None,
                _ => wanted.then_some("a pause was forgotten"),
            }
        })
    }
}

impl Step<'_> {
    /// The action of a control that changed its instance.
    fn controlled(&self) -> Option<&workflow::journal::command::Action> {
        let Command::Control(control) = self.command else { return None };
        let head = |data: &Data| {
            data.instances.get(&control.id).map(|instance| {
                let head = &instance.head;
                (head.v, head.run, head.pause, head.place.clone())
            })
        };
        let Reply::Control(workflow::journal::command::ControlReply::Done(_)) = self.reply else { return None };
        (head(self.before) != head(self.after)).then_some(&control.action)
    }

    fn broken(&self) -> Option<&'static str> {
        self.write_of_the_revoked()
            .or_else(|| self.lease_of_the_revoked())
            .or_else(|| self.ahead())
            .or_else(|| self.fence())
            .or_else(|| self.message_misplaced())
            .or_else(|| {
                self.before.instances.iter().find_map(|(id, before)| match self.after.instances.get(id) {
                    Some(after) => self.instance(before, after),
                    None => deleted(before),
                })
            })
    }

    fn write_of_the_revoked(&self) -> Option<&'static str> {
        let (Command::Own(request), Reply::Own(OwnReply::Ok(_) | OwnReply::Continue(_))) = (self.command, self.reply)
        else {
            return None;
        };
        let revoked = self.before.sessions.get(&request.owner.session).is_none_or(|session| session.revoked);
        let changed = self.before.instances != self.after.instances;
        (revoked && changed).then_some("a revoked session wrote")
    }

    fn lease_of_the_revoked(&self) -> Option<&'static str> {
        let Command::Lease(lease) = self.command else { return None };
        let revoked = self.before.sessions.get(&lease.session).is_none_or(|session| session.revoked);
        (revoked && self.before.limits != self.after.limits).then_some("a revoked session leased tokens")
    }

    /// An owner that is ahead of the store is told so, whatever else is wrong with its write.
    fn ahead(&self) -> Option<&'static str> {
        let (Command::Own(request), Reply::Own(reply)) = (self.command, self.reply) else { return None };
        let head = &self.before.instances.get(&request.owner.id)?.head;
        (head.v < request.owner.v && *reply != OwnReply::Behind).then_some("an owner ahead of the store was not told")
    }

    fn fence(&self) -> Option<&'static str> {
        let Command::Fence { session, beats } = self.command else { return None };
        let (before, after) = (self.before.sessions.get(session)?, self.after.sessions.get(session)?);
        let wrong = before.beats > *beats || before.expires_at > self.now;
        (after.revoked && !before.revoked && wrong).then_some("a session was fenced that lives")
    }

    fn message_misplaced(&self) -> Option<&'static str> {
        let (Command::Send(send), Reply::Send(SendReply::Accepted)) = (self.command, self.reply) else { return None };
        let after = self.after.instances.get(&send.id)?;
        if send.run.is_some_and(|run| run != after.head.run) {
            return Some("a message reached another run than the one it was for");
        }
        let event_id = &send.message.event_id;
        let in_mailbox = after.mailbox.values().any(|message| message.message.event_id == *event_id);
        // What a run keeps a part of may have consumed it, and that operation be forgotten.
        let of_source = after.head.fork.is_some();
        let runs = after.journals.keys().filter(|run| of_source || **run == after.head.run);
        let consumed = runs.into_iter().any(|run| consumes(&records(after, *run), event_id));
        (!in_mailbox && !consumed).then_some("an accepted message is nowhere")
    }

    fn instance(&self, before: &Instance, after: &Instance) -> Option<&'static str> {
        let (old, new) = (&before.head, &after.head);
        if new.v < old.v || new.run < old.run {
            return Some("the version or the run went back");
        }
        for (run, journal) in &before.journals {
            let expired = *self.command == Command::Expire { limit: 8 } && before.archives.contains_key(run);
            if !expired && !after.journals.get(run).is_some_and(|now| now.starts_with(journal)) {
                return Some("a record was lost or changed");
            }
        }
        if new.run == old.run {
            if let Place::Done { end, at, .. } = &old.place
                && !matches!(&new.place, Place::Done { end: now, at: then, .. } if (now, then) == (end, at))
            {
                return Some("a run has two outcomes");
            }
            if let Some(broken) = self.mailbox(before, after).or_else(|| self.timer(before, after)) {
                return Some(broken);
            }
        }
        self.fork(before, after).or_else(|| self.taken(before, after))
    }

    /// Unread messages stay for a run that keeps a part of the one before.
    fn fork(&self, before: &Instance, after: &Instance) -> Option<&'static str> {
        let forked = after.head.run != before.head.run && after.head.fork.is_some();
        let kept = before.mailbox == after.mailbox && before.event_ids == after.event_ids;
        (forked && !kept).then_some("a message was lost by a restart that keeps it")
    }

    /// A message leaves the mailbox when a record consumes it, or the run ends.
    fn mailbox(&self, before: &Instance, after: &Instance) -> Option<&'static str> {
        if matches!(after.head.place, Place::Done { .. }) {
            return None;
        }
        let records = records(after, after.head.run);
        let kept = |seq: &u64, event_id: &str| after.mailbox.contains_key(seq) || consumes(&records, event_id);
        let all = before.mailbox.iter().all(|(seq, message)| kept(seq, &message.message.event_id));
        (!all).then_some("a message was lost")
    }

    /// A timer is not early, and no pause counts.
    fn timer(&self, before: &Instance, after: &Instance) -> Option<&'static str> {
        let (old, new) = (records(before, before.head.run), records(after, after.head.run));
        if old.contains(&"t".to_owned()) || !new.contains(&"t".to_owned()) {
            return None;
        }
        let early = due(&new).is_none_or(|due| self.now < due) || after.head.shift_ms > 0;
        early.then_some("a timer was early")
    }

    /// What a session holds is taken from it by its own write, by an operator, or when it is lost.
    fn taken(&self, before: &Instance, after: &Instance) -> Option<&'static str> {
        let Place::Held { session, .. } = before.head.place else { return None };
        if after.head.held_by(session) && after.head.run == before.head.run {
            return None;
        }
        match self.command {
            Command::Own(request) if request.owner.session == session => None,
            Command::Control(_) => None,
            Command::CloseSession { session: closed } if *closed == session => None,
            Command::Recover { session: lost, .. } if *lost == session => {
                let lives = self.before.sessions.get(&session).is_some_and(|session| !session.revoked);
                lives.then_some("work was taken from a session that lives")
            }
            _ => Some("an instance was taken from its owner"),
        }
    }
}

/// What is deleted has told everyone.
fn deleted(before: &Instance) -> Option<&'static str> {
    (!before.outbox.is_empty()).then_some("what was to be sent was deleted")
}

/// The records of one run, without their stamps.
pub(crate) fn records(instance: &Instance, run: u32) -> Vec<String> {
    let journal = instance.journals.get(&run).map_or(&[][..], Vec::as_slice);
    journal.iter().filter_map(unstamp).map(|(_, what)| what).collect()
}

/// Whether everything kept of every instance makes sense: no record is missing, doubled, or of an owner that did not know
/// the whole journal.
pub(crate) fn sound(data: &Data) -> bool {
    data.instances.values().all(|instance| {
        instance.journals.keys().all(|run| journal_is_sound(instance, *run))
            && place_is_sound(instance)
            && source_is_kept(instance)
    })
}

fn journal_is_sound(instance: &Instance, run: u32) -> bool {
    let Some(journal) = instance.journals.get(&run) else { return true };
    let records = records(instance, run);
    let stamped = journal.iter().enumerate().all(|(index, record)| {
        records.get(..index).is_some_and(|known| unstamp(record).is_some_and(|(of, _)| of == belief(run, known)))
    });
    // An end forgets the ids of its run's events, also of those that a later run keeps.
    let once = instance.head.fork.is_some() || consumes_once(&records);
    stamped && once && follows(Program::of(&instance.head.spec), &records)
}

fn consumes_once(records: &[String]) -> bool {
    let consumed: Vec<&String> = records.iter().filter(|record| record.starts_with('x')).collect();
    consumed.iter().enumerate().all(|(index, record)| !consumed[..index].contains(record))
}

/// Whether a program can have written these records.
fn follows(program: Program, records: &[String]) -> bool {
    let shape: String = records.iter().filter_map(|record| record.chars().next()).filter(|kind| *kind != 'h').collect();
    let steps = "s".repeat(*STEPS);
    let longest: &[&str] = match program {
        Program::Steps => &[&steps],
        Program::TwoEvents => &["xx"],
        Program::EventOrTimer => &["bx", "bt"],
        Program::EventOrBody => &["x", "y"],
        Program::Parent | Program::ParentOfEvents => &["cx"],
    };
    longest.iter().any(|whole| whole.starts_with(&shape))
}

/// What an open fork comes from is there until someone has taken it over.
fn source_is_kept(instance: &Instance) -> bool {
    let open = instance.head.fork.as_ref().filter(|fork| fork.open);
    open.is_none_or(|fork| instance.journals.contains_key(&fork.source))
}

/// An ending and a wait say how many records their writer knew.
fn place_is_sound(instance: &Instance) -> bool {
    let head = &instance.head;
    let believed = belief(head.run, &records(instance, head.run));
    match &head.place {
        Place::Done { end: End::Returned(ending), .. } => match &ending.result {
            Ok(output) => unstamp(output) == Some((believed, "end".to_owned())),
            Err(_) => false,
        },
        Place::Asleep { waits, .. } => waits.iter().all(|wait| wait.path.as_str() == believed),
        _ => true,
    }
}
