//! What happens once the journal is used up: new completions, one at a time, and what goes to the store.

use std::cmp::Ordering;
use std::sync::Arc;

use super::operation::Phase;
use super::{Ask, Machine, Next, OpId};
use crate::journal::command::{InstanceSpec, Outgoing, Parent, PauseReason, Then, Wait, Write};
use crate::journal::message::ChildEnd;
use crate::journal::path::Path;
use crate::journal::record::{Entry, Outcome, Record};
use crate::words::failure::{FailureData, FailureKind, shorten};
use crate::words::id::InstanceId;
use crate::words::limits::{JOURNAL_BYTES_MAX, RECORDS_MAX};
use crate::words::payload::Payload;
use crate::words::time::Timestamp;

/// A body or block that ended, in the order in which such are delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Completion {
    time: Timestamp,
    op: OpId,
}

impl Ord for Completion {
    /// The earliest is the greatest, as a heap gives the greatest first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.time, other.op).cmp(&(self.time, self.op))
    }
}

impl PartialOrd for Completion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What waits to travel with the next write.
#[derive(Debug, Default)]
pub(super) struct Held {
    records: Vec<Payload>,
    consumed: Vec<u64>,
    outgoing: Vec<Outgoing>,
    shifted_ms: i64,
}

impl Held {
    fn is_empty(&self) -> bool {
        self.records.is_empty() && self.consumed.is_empty() && self.outgoing.is_empty() && self.shifted_ms == 0
    }

    pub(super) fn close_child(&mut self, child: InstanceId) {
        self.outgoing.push(Outgoing::Close { child, reason: "its parent no longer waits for it".to_owned() });
    }
}

/// What kind of completion is next. At one moment, messages come before bodies and bodies before timers: what was
/// accepted in time is not late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    Message,
    Body,
    Timer,
}

impl Machine {
    /// The next thing to do. Call it after the future was polled, again and again until it says `Idle` or gives a write
    /// that ends or suspends the run.
    #[expect(
        clippy::should_implement_trait,
        reason = "it never ends as an iterator does: it says what to do, and asks again"
    )]
    pub fn next(&mut self) -> Next {
        if self.ended.is_some() {
            self.replay_rest();
        } else if let Some(next) = self.replay_next() {
            return next;
        }
        if let Some(reason) = self.parked.clone() {
            return self.last_write(Then::Park(reason));
        }
        self.live = true;
        if !self.holds_results && !self.held.is_empty() {
            return self.write(Then::Hold);
        }
        if self.exceeded {
            // Nothing that was asked for together with what is beyond a limit begins: a replay ends before it, too.
            self.asked.clear();
        }
        self.apply_shift();
        self.open_asked();
        if let Some(ending) = self.ended.clone() {
            return self.last_write(Then::Finish(ending));
        }
        if let Some(next) = self.complete_one() {
            return next;
        }
        self.drive_bodies()
    }

    /// The time a record written now gets.
    pub(super) fn record_time(&self) -> Timestamp {
        self.last_time.max(self.tick)
    }

    /// The time from which a duration that begins now is counted, so that its end is not early.
    fn begin_time(&self) -> Timestamp {
        self.last_time.max(self.latest)
    }

    /// Keeps a record for the next write.
    pub(super) fn hold(&mut self, record: &Record) {
        let bytes = record.encode();
        self.last_time = record.time;
        self.records += 1;
        self.journal_bytes += bytes.as_bytes().len() as u64;
        if self.records > RECORDS_MAX || self.journal_bytes > JOURNAL_BYTES_MAX {
            // The record that would pass the limit is not written: the end of the run is.
            self.exceed(format!(
                "the journal would pass its limit of {RECORDS_MAX} records and {JOURNAL_BYTES_MAX} bytes; split the \
                 work into child workflows"
            ));
            return;
        }
        if let Some(written) = &mut self.written {
            written.push(bytes.clone());
        }
        self.held.records.push(bytes);
    }

    fn hold_entry(&mut self, id: OpId, entry: Entry) {
        let record = Record { time: self.record_time(), path: self.op(id).path.clone(), entry };
        self.hold(&record);
    }

    fn write(&mut self, then: Then) -> Next {
        let held = &mut self.held;
        Next::Write(Write {
            records: std::mem::take(&mut held.records),
            consumed: std::mem::take(&mut held.consumed),
            seen: self.mailbox.seen(),
            outgoing: std::mem::take(&mut held.outgoing),
            shifted_ms: std::mem::take(&mut held.shifted_ms),
            then,
        })
    }

    fn last_write(&mut self, then: Then) -> Next {
        if self.over {
            return Next::Idle { until: None };
        }
        self.over = true;
        self.write(then)
    }

    /// Records how long the run was paused, before anything new happens.
    fn apply_shift(&mut self) {
        if self.shift_ms > 0 {
            let by_ms = std::mem::take(&mut self.shift_ms);
            self.shift_timers(by_ms);
            self.held.shifted_ms += by_ms;
            self.hold(&Record { time: self.record_time(), path: Path::root(), entry: Entry::Shifted { by_ms } });
        }
    }

    /// Begins what was asked for in the last poll: timers and children are recorded, bodies line up.
    fn open_asked(&mut self) {
        while let Some(id) = self.asked.pop_front() {
            if self.op(id).is_over() {
                continue;
            }
            match self.op(id).ask.clone() {
                Ask::Step { .. } => {
                    if self.op(id).phase == Phase::Asked {
                        self.op_mut(id).phase = Phase::Open;
                        self.wanting.insert(id);
                    }
                }
                Ask::Group { timeout, .. } => {
                    self.begin_timer(id, timeout.map(|by| (self.begin_time().after(by), true)))
                }
                Ask::Wait { timeout, .. } => {
                    self.begin_timer(id, timeout.map(|by| (self.begin_time().after(by), true)))
                }
                Ask::SleepFor(by) => self.begin_timer(id, Some((self.begin_time().after(by), true))),
                Ask::SleepUntil(due) => self.begin_timer(id, Some((due, false))),
                Ask::Child(_) => self.begin_child(id),
            }
        }
    }

    fn begin_timer(&mut self, id: OpId, due: Option<(Timestamp, bool)>) {
        if self.op(id).phase == Phase::Asked {
            self.op_mut(id).phase = Phase::Open;
        }
        let op = self.op(id);
        let begins = op.due.is_none() && !op.collapsed && (op.phase == Phase::Running || !op.is_group());
        if let (true, Some((due, shifts))) = (begins, due) {
            self.hold_entry(id, Entry::Begun { due, shifts });
            self.set_timer(id, due, shifts);
        }
    }

    fn begin_child(&mut self, id: OpId) {
        let op = self.op_mut(id);
        op.phase = Phase::Open;
        if op.started {
            return;
        }
        op.started = true;
        let (Ask::Child(spec), Some(child)) = (op.ask.clone(), op.child.clone()) else { return };
        let own = &self.info.spec;
        let spec = Arc::new(InstanceSpec {
            workflow: spec.workflow,
            version: spec.version,
            queue: spec.queue,
            priority: own.priority,
            input: spec.input,
            seed: self.child_seed(id),
            start_at: None,
            keep_complete: spec.keep_complete.unwrap_or(own.keep_complete),
            keep_failed: spec.keep_failed.unwrap_or(own.keep_failed),
            parent: Some(Parent { id: self.info.id.clone(), run: self.info.run, on_close: spec.on_close }),
        });
        self.child_started(self.op(id).path.clone());
        self.hold_entry(id, Entry::Started { child: child.clone() });
        self.held.outgoing.push(Outgoing::CreateChild { id: child, spec });
    }

    /// A body or block ended. Its operation stays pending until its record is delivered.
    pub fn body_ended(&mut self, id: OpId, attempt: u32, result: Result<Payload, FailureData>) {
        if self.op(id).phase != Phase::Running || self.op(id).attempt() != attempt {
            return;
        }
        let time = if self.op(id).is_group() { self.last_time } else { self.tick };
        self.stop_body(id, result, time);
    }

    fn stop_body(&mut self, id: OpId, result: Result<Payload, FailureData>, time: Timestamp) {
        let attempts = self.op(id).attempt();
        if !self.op(id).is_group() {
            self.running -= 1;
        }
        self.clear_limit(id);
        self.op_mut(id).phase = Phase::Ended(result.map_err(|failure| FailureData { attempts, ..failure }));
        self.ended_bodies.push(Completion { time, op: id });
    }

    /// Completes the earliest of what can be completed now.
    fn complete_one(&mut self) -> Option<Next> {
        while self.ended.is_none() {
            self.forget_stale_completions();
            // Without a wait no message can come before a timer, so the estimate of the store's time is enough.
            let horizon = if self.mailbox.is_awaited() { self.checked_at } else { self.tick };
            let message = self.mailbox.first().map(|(at, op)| (at, Source::Message, op));
            let body = self.ended_bodies.peek().map(|ended| (ended.time, Source::Body, ended.op));
            let timer = self.timers.first().filter(|(due, _)| *due <= self.tick);
            let timer = timer.map(|(due, op)| (*due, Source::Timer, *op));
            let next = match [message, body, timer].into_iter().flatten().min()? {
                // Nothing that came after the timer may pass it while the store is asked what came before.
                (due, Source::Timer, _) if due > horizon => return body.map(|_| self.write(Then::Hold)),
                (_, Source::Message, op) => self.complete_wait(op),
                (_, Source::Body, op) => self.complete_body(op),
                (_, Source::Timer, op) => self.complete_timer(op),
            };
            if next.is_some() {
                return next;
            }
        }
        // A limit was passed on the way.
        self.ended.clone().map(|ending| self.last_write(Then::Finish(ending)))
    }

    fn forget_stale_completions(&mut self) {
        while let Some(ended) = self.ended_bodies.peek() {
            if matches!(self.op(ended.op).phase, Phase::Ended(_)) {
                return;
            }
            self.ended_bodies.pop();
        }
    }

    fn finish(&mut self, id: OpId, outcome: Outcome) -> Option<Next> {
        let time = self.record_time();
        self.hold(&Record { time, path: self.op(id).path.clone(), entry: Entry::Done(outcome.clone()) });
        if self.ended.is_some() {
            return None;
        }
        self.deliver(id, outcome, time);
        Some(Next::Deliver(id))
    }

    fn complete_wait(&mut self, id: OpId) -> Option<Next> {
        let message = self.mailbox.take_first()?;
        self.held.consumed.push(message.seq);
        let payload = message.message.payload;
        match &self.op(id).ask {
            Ask::Wait { readable, .. } => match readable(&payload) {
                Ok(()) => self.finish(id, Outcome::Event { message: message.seq, payload }),
                Err(reason) => {
                    self.hold_entry(id, Entry::SetAside { message: message.seq, reason: shorten(reason) });
                    None
                }
            },
            _ => {
                let end = ChildEnd::decode(&payload)
                    .unwrap_or_else(|damaged| ChildEnd::Terminated { reason: format!("its end is {damaged}") });
                self.finish(id, Outcome::Child(end))
            }
        }
    }

    fn complete_timer(&mut self, id: OpId) -> Option<Next> {
        let due = self.op(id).due.map(|(due, _)| due);
        self.op_mut(id).late = due.map(|due| self.tick.until(due));
        match self.op(id).ask {
            Ask::SleepFor(_) | Ask::SleepUntil(_) => self.finish(id, Outcome::Slept),
            Ask::Wait { .. } => self.finish(id, Outcome::TimedOut),
            _ => {
                // The time limit of a group: its block is dropped.
                self.clear_timer(id);
                if self.op(id).phase != Phase::Running {
                    return None;
                }
                let attempts = self.op(id).attempt();
                let late = FailureData::new(FailureKind::TimedOut, "", "the group took longer than its timeout");
                self.conclude(id, Err(FailureData { attempts, ..late })).or(Some(Next::Cancel(id)))
            }
        }
    }

    fn complete_body(&mut self, id: OpId) -> Option<Next> {
        self.ended_bodies.pop();
        let Phase::Ended(result) = self.op(id).phase.clone() else { return None };
        self.conclude(id, result)
    }

    /// Records how an attempt ended. `None` when there will be another.
    fn conclude(&mut self, id: OpId, result: Result<Payload, FailureData>) -> Option<Next> {
        let failure = match result {
            Ok(value) => return self.finish(id, Outcome::Value(value)),
            Err(failure) => failure,
        };
        let chance = self.chance(id);
        let attempt = self.op(id).attempt();
        let again = !failure.fatal && failure.kind != FailureKind::NotRecordable;
        let policy = self.op(id).policy().filter(|_| again);
        match policy.and_then(|policy| policy.delay_after(attempt, chance)) {
            Some(delay_ms) => {
                let due = self.begin_time().shifted(delay_ms);
                self.hold_entry(id, Entry::Attempt { number: attempt, failure, due });
                self.retry_later(id, due);
                None
            }
            None => self.finish(id, Outcome::Failed(failure)),
        }
    }

    /// The attempt failed; the next is due then.
    pub(super) fn retry_later(&mut self, id: OpId, due: Timestamp) {
        self.clear_timer(id);
        let op = self.op_mut(id);
        op.phase = Phase::Retrying;
        op.failed += 1;
        self.set_retry(id, due);
    }

    pub(super) fn set_retry(&mut self, id: OpId, due: Timestamp) {
        // A replay goes from one failed attempt to the next with no body between them.
        self.clear_retry(id);
        self.op_mut(id).retry_at = Some(due);
        self.retries.insert((due, id));
    }

    /// The next attempt of a group begins.
    pub(super) fn resume_group(&mut self, id: OpId) {
        self.clear_retry(id);
        self.op_mut(id).phase = Phase::Running;
    }

    /// Nothing completes: starts bodies, waits for those that run, or suspends.
    fn drive_bodies(&mut self) -> Next {
        if let Some(next) = self.begin_retries() {
            return next;
        }
        if let Some(next) = self.cancel_late_body() {
            return next;
        }
        let wanted = !self.pause && !self.wanting.is_empty();
        let soon = self.short_retry();
        let check = self.timers.first().is_some_and(|(due, _)| *due <= self.tick);
        let busy = wanted || self.running > 0 || soon.is_some();
        if busy && (check || !self.held.is_empty()) {
            // Written before a body starts, before a long body goes on, and to learn of messages before a timer fires.
            return self.write(Then::Hold);
        }
        if wanted {
            return self.start_bodies();
        }
        if busy {
            let times = [soon, self.limits.first().map(|limit| limit.0), self.timers.first().map(|timer| timer.0)];
            return Next::Idle { until: times.into_iter().flatten().min() };
        }
        self.suspend()
    }

    fn begin_retries(&mut self) -> Option<Next> {
        while let Some((due, id)) = self.retries.first().copied() {
            if due > self.tick || self.pause {
                return None;
            }
            if self.op(id).is_group() {
                let number = self.op(id).attempt();
                self.hold_entry(id, Entry::Resumed { number });
                self.resume_group(id);
                self.begin_timer(id, self.op(id).timeout().map(|by| (self.begin_time().after(by), true)));
                return Some(Next::Run(vec![id]));
            }
            self.clear_retry(id);
            self.op_mut(id).phase = Phase::Open;
            self.wanting.insert(id);
        }
        None
    }

    fn cancel_late_body(&mut self) -> Option<Next> {
        let (due, id) = self.limits.first().copied()?;
        if due > self.tick {
            return None;
        }
        let late = FailureData::new(FailureKind::TimedOut, "", "the attempt took longer than its timeout");
        self.stop_body(id, Err(late), self.tick);
        Some(Next::Cancel(id))
    }

    /// The end of the shortest retry delay that is slept in memory.
    fn short_retry(&self) -> Option<Timestamp> {
        let (due, _) = self.retries.first().filter(|_| !self.pause)?;
        (due.until(self.tick) < self.short_delay).then_some(*due)
    }

    fn start_bodies(&mut self) -> Next {
        let starting: Vec<OpId> = std::mem::take(&mut self.wanting).into_iter().collect();
        self.running += starting.len();
        let since = self.tick;
        for id in &starting {
            let limit = self.op(*id).timeout().map(|by| self.latest.after(by));
            let op = self.op_mut(*id);
            op.phase = Phase::Running;
            op.limit_at = limit;
            op.since = Some(since);
            if let Some(limit) = limit {
                self.limits.insert((limit, *id));
            }
        }
        Next::Run(starting)
    }

    fn suspend(&mut self) -> Next {
        let waits = self.waits();
        if waits.is_empty() && self.wanting.is_empty() {
            let message = "the workflow waits for something that is not durable, which nothing will ever wake; await \
                           it inside a `step!`";
            let divergence = self.divergence(None, message.to_owned());
            return self.last_write(Then::Park(PauseReason::Divergence(Box::new(divergence))));
        }
        self.write(Then::Suspend { waits, paused: self.pause })
    }

    /// What is waited for now.
    #[must_use]
    pub fn waits(&self) -> Vec<Wait> {
        self.open.iter().filter_map(|id| self.wait_of(*id)).collect()
    }

    fn wait_of(&self, id: OpId) -> Option<Wait> {
        let op = self.op(id);
        let (due, shifts) = op.due.or(op.retry_at.map(|due| (due, true))).unzip();
        let channel = op.channel();
        let waits = due.is_some() || channel.is_some();
        waits.then(|| Wait { path: op.path.clone(), channel, due, shifts: shifts.unwrap_or(false) })
    }
}
