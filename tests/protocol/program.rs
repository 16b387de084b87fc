//! The workflows of the model, as small as they can be: from what is recorded and seen to the next write.
//!
//! Everything an owner writes carries what the owner believes: a record its run and position, an ending and a wait the
//! number of records. A write that is accepted from an owner that does not know the whole journal shows in the data.

use std::sync::Arc;
use std::time::Duration;

use workflow::journal::command::{Ending, InstanceSpec, Outgoing, Parent, ParentClose, PauseReason, Then, Wait, Write};
use workflow::journal::message::{Channel, Message};
use workflow::journal::path::Path;
use workflow::words::id::{InstanceId, QueueName, WorkflowName};
use workflow::words::payload::Payload;
use workflow::words::time::Timestamp;

/// How long the one timer takes, in milliseconds: one tick.
pub(crate) const TIMER_MS: i64 = 100;

/// What a workflow does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Program {
    /// Two steps.
    Steps,
    /// One event, then another.
    TwoEvents,
    /// An event with a deadline.
    EventOrTimer,
    /// An event, or the end of a body that runs meanwhile: the owner keeps the instance.
    EventOrBody,
    /// A child, then its end.
    Parent,
}

impl Program {
    /// The program of an instance: its workflow says which.
    pub(crate) fn of(spec: &InstanceSpec) -> Self {
        match spec.workflow.as_str() {
            "steps" => Self::Steps,
            "two-events" => Self::TwoEvents,
            "event-or-timer" => Self::EventOrTimer,
            "event-or-body" => Self::EventOrBody,
            _ => Self::Parent,
        }
    }

    fn name(self) -> WorkflowName {
        let name = match self {
            Self::Steps => "steps",
            Self::TwoEvents => "two-events",
            Self::EventOrTimer => "event-or-timer",
            Self::EventOrBody => "event-or-body",
            Self::Parent => "parent",
        };
        WorkflowName::new(name).expect("valid")
    }

    /// An instance of it.
    pub(crate) fn spec(self, parent: Option<Parent>) -> Arc<InstanceSpec> {
        Arc::new(InstanceSpec {
            workflow: self.name(),
            version: 1,
            queue: QueueName::new("q").expect("valid"),
            priority: 0,
            input: Payload::from_bytes(*b""),
            seed: 0,
            start_at: None,
            keep_complete: Duration::ZERO,
            keep_failed: Duration::ZERO,
            parent,
        })
    }

    /// The channel it waits for after these records, if it waits for one.
    pub(crate) fn awaits(self, id: &InstanceId, run: u32, records: &[String]) -> Option<Channel> {
        let waits = match self {
            Self::Steps => false,
            Self::TwoEvents => records.len() < 2,
            Self::EventOrTimer => records.iter().any(|record| record.starts_with('b')) && !ended(records),
            Self::EventOrBody => records.is_empty(),
            Self::Parent => records.len() == 1,
        };
        match self {
            Self::Parent => waits.then(|| Channel::child(&child_of(id, run))),
            _ => waits.then(event),
        }
    }
}

/// The channel of the events.
pub(crate) fn event() -> Channel {
    Channel::event("x", "")
}

/// The id of the child of one run.
pub(crate) fn child_of(parent: &InstanceId, run: u32) -> InstanceId {
    InstanceId::new(format!("{parent}.{run}")).expect("valid")
}

fn ended(records: &[String]) -> bool {
    records.iter().any(|record| record.starts_with('x') || record == "t")
}

/// When the timer of these records is due, pauses included.
pub(crate) fn due(records: &[String]) -> Option<Timestamp> {
    let number = |record: &str| record.parse::<i64>().expect("a number");
    let begun = records.iter().find_map(|record| record.strip_prefix('b').map(number))?;
    let shifts: i64 = records.iter().filter_map(|record| record.strip_prefix('h').map(number)).sum();
    Some(Timestamp::from_millis(begun + shifts))
}

/// What an owner knows when it decides.
#[derive(Debug)]
pub(crate) struct Known<'a> {
    pub(crate) id: &'a InstanceId,
    pub(crate) run: u32,
    pub(crate) records: &'a [String],
    pub(crate) unread: &'a [Message],
    pub(crate) seen: u64,
    pub(crate) now: Timestamp,
    pub(crate) pause: bool,
    pub(crate) shift_ms: i64,
    pub(crate) body_ended: bool,
}

impl Known<'_> {
    /// The next write; `None` when it waits for a body that runs.
    pub(crate) fn next(&self, program: Program) -> Option<Write> {
        match program {
            Program::Steps => Some(self.steps()),
            Program::TwoEvents => Some(self.two_events()),
            Program::EventOrTimer => Some(self.event_or_timer()),
            Program::EventOrBody => self.event_or_body(),
            Program::Parent => Some(self.parent()),
        }
    }

    fn steps(&self) -> Write {
        match self.records.len() {
            _ if self.pause => self.suspend(None, None, true),
            count @ (0 | 1) => self.write(vec![format!("s{count}")], Then::Hold),
            _ => self.finish(Vec::new()),
        }
    }

    fn two_events(&self) -> Write {
        match (self.awaited(Program::TwoEvents), self.records.len()) {
            (Some(message), 0) => self.consume(message, Then::Hold),
            (Some(message), 1) => self.consume(message, self.ending(2)),
            (None, 0 | 1) => self.suspend(Some(event()), None, false),
            _ => self.finish(Vec::new()),
        }
    }

    fn event_or_timer(&self) -> Write {
        let Some(due) = due(self.records) else {
            let begun = self.now.shifted(TIMER_MS).as_millis();
            return self.write(vec![format!("b{begun}")], Then::Hold);
        };
        if self.shift_ms > 0 {
            return Write { shifted_ms: self.shift_ms, ..self.write(vec![format!("h{}", self.shift_ms)], Then::Hold) };
        }
        match self.awaited(Program::EventOrTimer) {
            _ if ended(self.records) => self.finish(Vec::new()),
            Some(message) if message.at <= due => self.consume(message, self.ending(self.records.len() + 1)),
            _ if self.now >= due => self.finish(vec!["t".to_owned()]),
            _ => self.suspend(Some(event()), Some(due), false),
        }
    }

    fn event_or_body(&self) -> Option<Write> {
        match self.awaited(Program::EventOrBody) {
            _ if !self.records.is_empty() => Some(self.finish(Vec::new())),
            Some(message) => Some(self.consume(message, self.ending(1))),
            None if self.body_ended => Some(self.finish(vec!["y".to_owned()])),
            None => None,
        }
    }

    fn parent(&self) -> Write {
        match (self.records.len(), self.awaited(Program::Parent)) {
            (0, _) => {
                let parent = Parent { id: self.id.clone(), run: self.run, on_close: ParentClose::Terminate };
                let id = child_of(self.id, self.run);
                let create = Outgoing::CreateChild { id, spec: Program::Steps.spec(Some(parent)) };
                Write { outgoing: vec![create], ..self.write(vec!["c".to_owned()], Then::Hold) }
            }
            (1, Some(message)) => self.consume(message, self.ending(2)),
            (1, None) => self.suspend(Some(Channel::child(&child_of(self.id, self.run))), None, false),
            _ => self.finish(Vec::new()),
        }
    }

    /// The first message of its channel that was not consumed.
    fn awaited(&self, program: Program) -> Option<&Message> {
        let channel = program.awaits(self.id, self.run, self.records)?;
        self.unread.iter().find(|message| message.message.channel == channel)
    }

    fn write(&self, records: Vec<String>, then: Then) -> Write {
        let at = |(index, what): (usize, String)| stamp(self.run, self.records.len() + index, &what);
        Write {
            records: records.into_iter().enumerate().map(at).collect(),
            consumed: Vec::new(),
            seen: self.seen,
            outgoing: Vec::new(),
            shifted_ms: 0,
            then,
        }
    }

    fn consume(&self, message: &Message, then: Then) -> Write {
        let record = format!("x{}", message.message.event_id);
        Write { consumed: vec![message.seq], ..self.write(vec![record], then) }
    }

    fn finish(&self, records: Vec<String>) -> Write {
        let then = self.ending(self.records.len() + records.len());
        self.write(records, then)
    }

    fn ending(&self, records: usize) -> Then {
        Then::Finish(Ending { result: Ok(stamp(self.run, records, "end")) })
    }

    fn suspend(&self, channel: Option<Channel>, due: Option<Timestamp>, paused: bool) -> Write {
        let path = Path::from_recorded(&format!("{}.{}", self.run, self.records.len()));
        let wait = Wait { path, channel, due, shifts: true };
        let waits = if wait.channel.is_some() || due.is_some() { vec![wait] } else { Vec::new() };
        self.write(Vec::new(), Then::Suspend { waits, paused })
    }

    /// Looks what has happened.
    pub(crate) fn look(&self) -> Write {
        self.write(Vec::new(), Then::Hold)
    }
}

/// What is written, with what its writer believes.
pub(crate) fn stamp(run: u32, position: usize, what: &str) -> Payload {
    Payload::from_bytes(format!("{run}.{position}:{what}").into_bytes())
}

/// Takes a record apart: run, position, what.
pub(crate) fn unstamp(payload: &Payload) -> Option<(u32, usize, String)> {
    let text = std::str::from_utf8(payload.as_bytes()).ok()?;
    let (stamp, what) = text.split_once(':')?;
    let (run, position) = stamp.split_once('.')?;
    Some((run.parse().ok()?, position.parse().ok()?, what.to_owned()))
}

/// The reason of every pause in the model.
pub(crate) const OPERATOR: PauseReason = PauseReason::Operator;
