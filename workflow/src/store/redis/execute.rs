//! Carries out batches: packs commands, sends them in bounded calls, reads the answers.
//!
//! Owns the order: commands of a batch are carried out as they stand in it. Those that must find their instances first
//! are asked in two calls, one that looks and one that decides. Decides nothing itself. Called by the store.

use std::collections::HashSet;

use redis::Value;

use super::RedisStore;
use super::keys::Keys;
use super::link::Request;
use super::losses;
use super::scripts::claim::{Answered, Given, Unreadable};
use super::scripts::session::Why;
use super::scripts::{
    Answer, Call, Misread, Said, Sender, Skipped, Way, claim, control, create, limit, look, own, send, session, sweep,
    transitions,
};
use crate::journal::command::{Claim, ClaimReply, Command, Owner, Reply, Then};
use crate::journal::lease::LimitName;
use crate::store::{Hint, Hinted, StoreError};
use crate::words::id::{InstanceId, SessionId};
use crate::words::time::Timestamp;

/// Most commands of one call: no script may hold the server up for long.
const CALL_COMMANDS_MAX: usize = 64;
/// Most bytes of one call; a larger single command goes alone.
const CALL_BYTES_MAX: usize = 256 * 1024;
/// How often a claim looks: what it found is out of date only when a late copy of another claim of its session came
/// between.
const CLAIM_LOOKS_MAX: u32 = 8;
/// Most instances taken from a session by one call. What else is found for many, its caller bounds.
const MOVED_MAX: usize = 128;

impl RedisStore {
    /// Carries out a batch in one partition.
    pub(super) async fn carry_out(&self, partition: usize, batch: &[Command]) -> Result<Vec<Reply>, StoreError> {
        let keys = &self.keys[partition];
        let mut replies = Vec::with_capacity(batch.len());
        let mut direct: Vec<Asked<'_>> = Vec::with_capacity(batch.len());
        let apart = Apart::of(batch);
        for command in batch {
            if let Some(call) = apart.short_call(keys, command).or_else(|| direct_call(keys, command)) {
                direct.push(Asked { command, call });
                continue;
            }
            self.send_direct(partition, std::mem::take(&mut direct), &mut replies).await?;
            replies.push(self.find_and_do(partition, command).await?);
        }
        self.send_direct(partition, direct, &mut replies).await?;
        Ok(replies)
    }

    /// Sends commands that need no look first, and those again that have no short way where they were sent it.
    async fn send_direct(
        &self,
        partition: usize,
        asked: Vec<Asked<'_>>,
        replies: &mut Vec<Reply>,
    ) -> Result<(), StoreError> {
        let mut again = Vec::new();
        for (command, reply) in self.send_once(partition, asked).await? {
            match reply {
                Some(reply) => replies.push(reply),
                None => {
                    let call =
                        direct_call(&self.keys[partition], command).expect("what has a short way has a long one");
                    again.push((replies.len(), Asked { command, call }));
                    replies.push(count(0, None));
                }
            }
        }
        let (places, asked): (Vec<usize>, Vec<Asked<'_>>) = again.into_iter().unzip();
        for (place, (_, reply)) in places.into_iter().zip(self.send_once(partition, asked).await?) {
            replies[place] = reply.ok_or_else(|| self.damaged("a command was sent the long way and has no answer"))?;
        }
        Ok(())
    }

    /// Sends commands in as many calls as the bounds ask for, all at once. No reply: it has no short way, and nothing
    /// was done.
    async fn send_once<'a>(
        &self,
        partition: usize,
        asked: Vec<Asked<'a>>,
    ) -> Result<Vec<(&'a Command, Option<Reply>)>, StoreError> {
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let (commands, calls): (Vec<&Command>, Vec<Call>) =
            asked.into_iter().map(|Asked { command, call }| (command, call)).unzip();
        let groups = in_groups(calls);
        let counter = self.losses.asking(partition);
        let values = self.call(partition, groups.iter().map(Vec::as_slice)).await?;
        let mut replies = Vec::with_capacity(commands.len());
        let mut commands = commands.into_iter();
        for (group, value) in groups.iter().zip(values) {
            let answer = self.read_answer(partition, counter, value)?;
            if answer.replies.len() != group.len() {
                return Err(self.damaged("a script answered another number of commands than it was given"));
            }
            for way in answer.replies {
                let command = commands.next().expect("one command for each call");
                let read = self.read_way(partition, command, way, answer.now);
                let reply = read.map_err(|Misread(what)| match command.instance() {
                    Some(id) => self.damaged(&format!("{id}: {what}")),
                    None => self.damaged(&what),
                })?;
                replies.push((command, reply));
            }
        }
        Ok(replies)
    }

    fn read_way(
        &self,
        partition: usize,
        command: &Command,
        way: Way,
        now: Timestamp,
    ) -> Result<Option<Reply>, Misread> {
        Ok(Some(match (way, command) {
            (Way::NotShort, _) => return Ok(None),
            (Way::Long(said), _) => read_direct(command, &said, now)?,
            (Way::Short(said), Command::Create(request)) => Reply::Create(create::read_short(request, said, now)?),
            (Way::Short(v), Command::Own(request)) => {
                if matches!(request.write.then, Then::Finish(_) | Then::Suspend { .. }) {
                    // Of ends and waits on the short way a script tells others only. Nobody may be listening.
                    let changed = Hint::Changed(request.owner.id.clone());
                    let _ = self.hints.send(Hinted::of(partition, changed));
                }
                Reply::Own(own::read_short(v, now)?)
            }
            (Way::Short(_), _) => return Err(Misread("what has no short way was answered shortly".to_owned())),
        }))
    }

    /// One call of the transitions for each group.
    async fn call<'a>(
        &self,
        partition: usize,
        groups: impl Iterator<Item = &'a [Call]>,
    ) -> Result<Vec<Value>, StoreError> {
        let (now, keys, script) = (self.now_argument(), &self.keys[partition], &self.scripts.transitions);
        let sender =
            Sender { now: &now, tag: &self.tag, reach: self.reach, listens: self.subscriber.listens(partition) };
        let calls: Vec<_> = groups.map(|group| transitions(script, keys, &sender, group)).collect();
        self.link.run_all(script, keys.slot(), calls).await
    }

    /// One call of the transitions.
    async fn call_once(&self, partition: usize, calls: &[Call]) -> Result<Answer, StoreError> {
        let asked = self.losses.asking(partition);
        match self.call(partition, std::iter::once(calls)).await?.pop() {
            Some(value) => self.read_answer(partition, asked, value),
            None => Err(self.damaged("a call of a script was not answered")),
        }
    }

    fn read_answer(&self, partition: usize, asked: losses::Asked, value: Value) -> Result<Answer, StoreError> {
        let mut answer = Answer::read(value).map_err(|misread| self.damaged(&misread.0))?;
        self.losses.called(asked, answer.calls);
        for hint in answer.hints.drain(..) {
            // Nobody may be listening.
            let _ = self.hints.send(Hinted::of(partition, hint));
        }
        Ok(answer)
    }

    /// One call of one command.
    pub(super) async fn transition(&self, partition: usize, call: Call) -> Result<(Said, Timestamp), StoreError> {
        let mut answer = self.call_once(partition, &[call]).await?;
        match answer.replies.pop() {
            Some(way) if answer.replies.is_empty() => Ok((self.understand(way.said())?, answer.now)),
            _ => Err(self.damaged("a script answered another number of commands than it was given")),
        }
    }

    /// Waits until as many replicas as the url asks for have all that was written in a partition so far: a call without
    /// a command writes its number.
    pub(super) async fn reach_replicas(&self, partition: usize) -> Result<(), StoreError> {
        self.call_once(partition, &[]).await.map(drop)
    }

    pub(super) async fn look(
        &self,
        script: &std::sync::Arc<super::script::Script>,
        (keys, arguments): Request,
    ) -> Result<Said, StoreError> {
        let value = self.link.run(script, keys, arguments).await?;
        Said::read(value).map_err(|misread| self.damaged(&misread.0))
    }

    /// Commands that look for their instances first.
    async fn find_and_do(&self, partition: usize, command: &Command) -> Result<Reply, StoreError> {
        let keys = &self.keys[partition];
        let now = self.now_argument();
        match command {
            Command::Claim(claim) => self.claim(partition, claim).await.map(Reply::Claim),
            Command::CloseSession { session } => self.take_all(partition, *session).await,
            Command::Recover { session, limit } => {
                let (taken, _) = self.take_some(partition, *session, Why::Revoked, *limit).await?;
                Ok(count(taken, None))
            }
            Command::WakeDue { limit } => {
                let found = self.look(&self.scripts.due, look::due(keys, &now, *limit)).await?;
                let ids = self.understand(found.ids(0))?;
                if ids.is_empty() {
                    return Ok(count(0, self.understand(found.timer(1))?));
                }
                let (said, _) = self.transition(partition, sweep::wake(keys, &ids)).await?;
                let done = self.count_in(&said)?;
                Ok(count(done, self.understand(said.timer(2))?))
            }
            Command::Unstick { older_than, limit } => {
                let found = self.look(&self.scripts.stuck, look::stuck(keys, &now, *older_than, *limit)).await?;
                let found = self.understand(look::read_found(&found))?;
                self.count_of(partition, (!found.is_empty()).then(|| sweep::unstick(keys, *older_than, &found))).await
            }
            Command::Expire { limit } => {
                let found = self.look(&self.scripts.expired, look::expired(keys, &now, *limit)).await?;
                let (ids, runs) = (self.understand(found.ids(0))?, self.understand(look::read_runs(&found, 1))?);
                let nothing = ids.is_empty() && runs.is_empty();
                self.count_of(partition, (!nothing).then(|| sweep::expire(keys, &ids, &runs))).await
            }
            // Every other command was sent as it is.
            _ => Err(self.damaged("a command was sent the wrong way")),
        }
    }

    async fn count_of(&self, partition: usize, call: Option<Call>) -> Result<Reply, StoreError> {
        let Some(call) = call else { return Ok(count(0, None)) };
        let (said, _) = self.transition(partition, call).await?;
        Ok(count(self.count_in(&said)?, None))
    }

    /// How many things a call for many did; what it passed over is told.
    fn count_in(&self, said: &Said) -> Result<usize, StoreError> {
        let done = self.understand(session::read_count(said))?;
        self.tell_skipped(&self.understand(session::read_skipped(said))?);
        Ok(done)
    }

    fn tell_skipped(&self, skipped: &[Skipped]) {
        for Skipped { id, damage } in skipped {
            let store = self.target.shown();
            tracing::error!(
                store,
                instance = id.as_str(),
                damage,
                "an instance is damaged; it was taken out of the way"
            );
        }
    }

    async fn claim(&self, partition: usize, claim: &Claim) -> Result<ClaimReply, StoreError> {
        let keys = &self.keys[partition];
        for _ in 0..CLAIM_LOOKS_MAX {
            let found = self.look(&self.scripts.candidates, claim::look(keys, claim)).await?;
            let Some(candidates) = self.understand(claim::read_candidates(&found))? else {
                return Ok(ClaimReply::Fenced);
            };
            if let Some(nothing) =
                candidates.nothing(claim.carries_tokens(), self.clock.as_ref().map(|clock| clock.now()))
            {
                return Ok(nothing);
            }
            let (said, now) = self.transition(partition, candidates.call(keys, claim)).await?;
            match self.understand(claim::read(said, now))? {
                Answered::Fenced => return Ok(ClaimReply::Fenced),
                Answered::Again => {}
                Answered::Given(given) => {
                    let short = candidates.short();
                    return self.put_aside(partition, claim.session, given, now, short).await;
                }
            }
        }
        let message = "what a claim found was out of date again and again".to_owned();
        Err(StoreError::Unavailable { store: self.target.shown().to_owned(), message })
    }

    /// Gives what can be read. What cannot would be held by a worker that never drives it.
    async fn put_aside(
        &self,
        partition: usize,
        session: SessionId,
        given: Given,
        now: Timestamp,
        short: Vec<LimitName>,
    ) -> Result<ClaimReply, StoreError> {
        self.tell_skipped(&given.skipped);
        for Unreadable { id, held, damage } in given.unreadable {
            let store = self.target.shown();
            tracing::error!(store, instance = id.as_str(), damage, "an instance is damaged; it is put aside");
            if let Some((run, v)) = held {
                let owner = Owner { id, session, run, v };
                // Whatever is answered: when it is not held any more, others have to do with it.
                let _answer = self.transition(partition, own::park(&self.keys[partition], owner, damage)).await?;
            }
        }
        let Given { instances, notices, next_due, started, raced, .. } = given;
        Ok(ClaimReply::Given { now, instances, notices, next_due, short, started, raced })
    }

    async fn take_some(
        &self,
        partition: usize,
        session: SessionId,
        why: Why,
        limit: usize,
    ) -> Result<(usize, bool), StoreError> {
        let keys = &self.keys[partition];
        let found = self.look(&self.scripts.tied, look::tied(keys, session, limit.min(MOVED_MAX))).await?;
        let found = self.understand(look::read_found(&found))?;
        let (said, _) = self.transition(partition, session::take(keys, session, why, &found)).await?;
        let taken = self.count_in(&said)?;
        Ok((taken, self.understand(session::read_more(&said))?))
    }

    async fn take_all(&self, partition: usize, session: SessionId) -> Result<Reply, StoreError> {
        let mut all = 0;
        loop {
            let (taken, more) = self.take_some(partition, session, Why::Closes, MOVED_MAX).await?;
            all += taken;
            if !more {
                return Ok(count(all, None));
            }
        }
    }

    fn understand<T>(&self, read: Result<T, Misread>) -> Result<T, StoreError> {
        read.map_err(|misread| self.damaged(&misread.0))
    }
}

/// Which commands of a batch may go the short way: what is asked again, the long way, comes after all others, so none
/// of those may be about the same instance, or about what all instances have in common.
struct Apart<'a> {
    /// The instances that more than one is about.
    repeated: HashSet<&'a InstanceId>,
    /// One is about a session or a limit.
    none: bool,
}

impl<'a> Apart<'a> {
    fn of(batch: &'a [Command]) -> Self {
        let mut named = HashSet::with_capacity(batch.len());
        let repeated = batch.iter().filter_map(Command::instance).filter(|id| !named.insert(*id)).collect();
        let is_common = |command: &Command| {
            matches!(command, Command::OpenSession { .. } | Command::Fence { .. } | Command::Lease(_))
        };
        Self { repeated, none: batch.iter().any(is_common) }
    }

    fn short_call(&self, keys: &Keys, command: &Command) -> Option<Call> {
        if self.none || command.instance().is_some_and(|id| self.repeated.contains(id)) {
            return None;
        }
        short_call(keys, command)
    }
}

/// A command, and the call that asks it.
struct Asked<'a> {
    command: &'a Command,
    call: Call,
}

/// The call of a command that may go the short way.
fn short_call(keys: &Keys, command: &Command) -> Option<Call> {
    match command {
        Command::Create(request) => create::short(keys, request),
        Command::Own(write) => own::short(keys, write),
        _ => None,
    }
}

/// The call of a command that names its instance, or needs none.
fn direct_call(keys: &Keys, command: &Command) -> Option<Call> {
    Some(match command {
        Command::Create(request) => create::call(keys, request),
        Command::Send(message) => send::call(keys, message),
        Command::Control(request) => control::call(keys, request),
        Command::Own(write) => own::call(keys, write),
        Command::OpenSession { session, lease } => session::open(*session, *lease),
        Command::Fence { session, beats } => session::fence(*session, *beats),
        Command::Sent { source, numbers } => sweep::sent(keys, source, numbers),
        Command::Lease(request) => limit::call(request),
        Command::CloseSession { .. }
        | Command::Recover { .. }
        | Command::Claim(_)
        | Command::WakeDue { .. }
        | Command::Unstick { .. }
        | Command::Expire { .. } => return None,
    })
}

fn read_direct(command: &Command, said: &Said, now: Timestamp) -> Result<Reply, Misread> {
    Ok(match command {
        Command::Create(request) => Reply::Create(create::read(request, said, now)?),
        Command::Send(_) => Reply::Send(send::read(said)?),
        Command::Control(_) => Reply::Control(control::read(said)?),
        Command::Own(_) => Reply::Own(own::read(said)?),
        Command::Fence { .. } => Reply::Fence(session::read_fence(said)?),
        Command::Lease(_) => Reply::Lease(limit::read(said)?),
        _ => count(session::read_count(said)?, None),
    })
}

fn count(done: usize, next_due: Option<Timestamp>) -> Reply {
    Reply::Count { done, next_due }
}

/// As few groups as the bounds of one call allow, in order.
fn in_groups(calls: Vec<Call>) -> Vec<Vec<Call>> {
    let mut groups: Vec<Vec<Call>> = Vec::new();
    let mut bytes = 0;
    for call in calls {
        let size = call.bytes();
        match groups.last_mut() {
            Some(group) if group.len() < CALL_COMMANDS_MAX && bytes + size <= CALL_BYTES_MAX => {
                bytes += size;
                group.push(call);
            }
            _ => {
                bytes = size;
                groups.push(vec![call]);
            }
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call_of(size: usize) -> Call {
        Call { packed: vec![0; size], keys: Vec::new() }
    }

    #[test]
    fn groups_are_bounded_in_number_and_bytes_and_keep_the_order() {
        let sizes = |groups: Vec<Vec<Call>>| -> Vec<usize> { groups.iter().map(Vec::len).collect() };
        assert_eq!(sizes(in_groups((0..150).map(|_| call_of(10)).collect())), [64, 64, 22]);
        assert_eq!(sizes(in_groups(vec![call_of(200 * 1024), call_of(100 * 1024), call_of(1)])), [1, 2]);
        assert_eq!(sizes(in_groups(vec![call_of(1024 * 1024), call_of(1)])), [1, 1]);
        assert_eq!(sizes(in_groups(Vec::new())), [0_usize; 0]);
    }
}
