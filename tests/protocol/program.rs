//! The workflows of the model, as small as they can be: from what is recorded and seen to the next write.
//!
//! Everything an owner writes carries what the owner believes: a record its run and position, an ending and a wait the
//! number of records. A write that is accepted from an owner that does not know the whole journal shows in the data.
//! What a body gives differs before and after the store lost writes, and a record says how many of those before it its
//! writer knew from after the loss: who goes on from what was lost shows as well.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use support::size::Amount;
use workflow::journal::command::{Ending, InstanceSpec, Outgoing, Parent, ParentClose, PauseReason, Then, Wait, Write};
use workflow::journal::message::{Channel, Message};
use workflow::journal::path::Path;
use workflow::words::id::{InstanceId, QueueName, WorkflowName};
use workflow::words::payload::Payload;
use workflow::words::time::Timestamp;

/// How long the one timer takes, in milliseconds: one tick.
pub(crate) const TIMER_MS: i64 = 100;

/// How many steps the workflow of steps has.
pub(crate) static STEPS: LazyLock<usize> =
    LazyLock::new(|| usize::try_from(Amount::of(3, 4, 5).wanted()).expect("a workflow is small"));

/// The mark of what a body gave after the store had lost writes.
const LATER: char = '+';

/// What a workflow does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Program {
    /// A few steps.
    Steps,
    /// One event, then another.
    TwoEvents,
    /// An event with a deadline.
    EventOrTimer,
    /// An event, or the end of a body that runs meanwhile: the owner keeps the instance.
    EventOrBody,
    /// A child of steps, then its end.
    Parent,
    /// A child that waits for events, then its end.
    ParentOfEvents,
}

impl Program {
    /// The program of an instance: its workflow says which.
    pub(crate) fn of(spec: &InstanceSpec) -> Self {
        match spec.workflow.as_str() {
            "steps" => Self::Steps,
            "two-events" => Self::TwoEvents,
            "event-or-timer" => Self::EventOrTimer,
            "event-or-body" => Self::EventOrBody,
            "parent" => Self::Parent,
            _ => Self::ParentOfEvents,
        }
    }

    /// All of them.
    pub(crate) const ALL: [Self; 6] =
        [Self::Steps, Self::TwoEvents, Self::EventOrTimer, Self::EventOrBody, Self::Parent, Self::ParentOfEvents];

    pub(crate) fn name(self) -> WorkflowName {
        let name = match self {
            Self::Steps => "steps",
            Self::TwoEvents => "two-events",
            Self::EventOrTimer => "event-or-timer",
            Self::EventOrBody => "event-or-body",
            Self::Parent => "parent",
            Self::ParentOfEvents => "parent-of-events",
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
            Self::Parent | Self::ParentOfEvents => records.len() == 1,
        };
        match self {
            Self::Parent | Self::ParentOfEvents => waits.then(|| Channel::child(&child_of(id, run))),
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
    /// The store lost writes before now.
    pub(crate) later: bool,
    /// What the run keeps of the one it comes from, while nothing of that was taken over.
    pub(crate) kept: Option<&'a [String]>,
}

impl Known<'_> {
    /// The next write; `None` when it waits for a body that runs.
    pub(crate) fn next(&self, program: Program) -> Option<Write> {
        if let Some(kept) = self.kept {
            return Some(self.write(kept.to_vec(), Then::Forked));
        }
        match program {
            Program::Steps => Some(self.steps()),
            Program::TwoEvents => Some(self.two_events()),
            Program::EventOrTimer => Some(self.event_or_timer()),
            Program::EventOrBody => self.event_or_body(),
            Program::Parent => Some(self.parent(program, Program::Steps)),
            Program::ParentOfEvents => Some(self.parent(program, Program::TwoEvents)),
        }
    }

    fn steps(&self) -> Write {
        match self.records.len() {
            _ if self.pause => self.suspend(None, None, true),
            count if count < *STEPS => self.write(vec![self.body(&format!("s{count}"))], Then::Hold),
            _ => self.finish(Vec::new()),
        }
    }

    fn two_events(&self) -> Write {
        match (self.awaited(Program::TwoEvents), self.records.len()) {
            (Some(message), 0) => self.consume(message, Then::Hold),
            (Some(message), 1) => self.consume_and_end(message),
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
            Some(message) if message.at <= due => self.consume_and_end(message),
            _ if self.now >= due => self.finish(vec!["t".to_owned()]),
            _ => self.suspend(Some(event()), Some(due), false),
        }
    }

    fn event_or_body(&self) -> Option<Write> {
        match self.awaited(Program::EventOrBody) {
            _ if !self.records.is_empty() => Some(self.finish(Vec::new())),
            Some(message) => Some(self.consume_and_end(message)),
            None if self.body_ended => Some(self.finish(vec![self.body("y")])),
            None => None,
        }
    }

    fn parent(&self, program: Program, child: Program) -> Write {
        match (self.records.len(), self.awaited(program)) {
            (0, _) => {
                let parent = Parent { id: self.id.clone(), run: self.run, on_close: ParentClose::Terminate };
                let id = child_of(self.id, self.run);
                let create = Outgoing::CreateChild { id, spec: child.spec(Some(parent)) };
                Write { outgoing: vec![create], ..self.write(vec!["c".to_owned()], Then::Hold) }
            }
            (1, Some(message)) => self.consume_and_end(message),
            (1, None) => self.suspend(Some(Channel::child(&child_of(self.id, self.run))), None, false),
            _ => self.finish(Vec::new()),
        }
    }

    /// What a body gives now.
    fn body(&self, what: &str) -> String {
        if self.later { format!("{what}{LATER}") } else { what.to_owned() }
    }

    /// The first message of its channel that was not consumed.
    fn awaited(&self, program: Program) -> Option<&Message> {
        let channel = program.awaits(self.id, self.run, self.records)?;
        self.unread.iter().find(|message| message.message.channel == channel)
    }

    fn write(&self, records: Vec<String>, then: Then) -> Write {
        let mut known = self.records.to_vec();
        let mut stamped = Vec::new();
        for what in records {
            stamped.push(stamp(self.run, &known, &what));
            known.push(what);
        }
        Write { records: stamped, consumed: Vec::new(), seen: self.seen, outgoing: Vec::new(), shifted_ms: 0, then }
    }

    fn consume(&self, message: &Message, then: Then) -> Write {
        Write { consumed: vec![message.seq], ..self.write(vec![self.consuming(message)], then) }
    }

    /// The record that consumes a message.
    fn consuming(&self, message: &Message) -> String {
        self.body(&format!("x{}", message.message.event_id))
    }

    fn consume_and_end(&self, message: &Message) -> Write {
        self.consume(message, self.ending(&[self.consuming(message)]))
    }

    fn finish(&self, records: Vec<String>) -> Write {
        let then = self.ending(&records);
        self.write(records, then)
    }

    /// The end after these records.
    fn ending(&self, records: &[String]) -> Then {
        let known = [self.records, records].concat();
        Then::Finish(Ending { result: Ok(stamp(self.run, &known, "end")) })
    }

    fn suspend(&self, channel: Option<Channel>, due: Option<Timestamp>, paused: bool) -> Write {
        let path = Path::from_recorded(&belief(self.run, self.records));
        let wait = Wait { path, channel, due, shifts: true };
        let waits = if wait.channel.is_some() || due.is_some() { vec![wait] } else { Vec::new() };
        self.write(Vec::new(), Then::Suspend { waits, paused })
    }

    /// Looks what has happened.
    pub(crate) fn look(&self) -> Write {
        self.write(Vec::new(), Then::Hold)
    }
}

/// What an owner believes that knows these records: their run, how many they are, and how many of them came after the store
/// had lost writes.
pub(crate) fn belief(run: u32, records: &[String]) -> String {
    let later = records.iter().filter(|record| record.ends_with(LATER)).count();
    format!("{run}.{}.{later}", records.len())
}

/// Whether one of these records consumes the message of this id.
pub(crate) fn consumes(records: &[String], event_id: &str) -> bool {
    records.iter().any(|record| record.strip_prefix('x').is_some_and(|of| of.trim_end_matches(LATER) == event_id))
}

/// What is written, with what its writer believes.
pub(crate) fn stamp(run: u32, known: &[String], what: &str) -> Payload {
    Payload::from_bytes(format!("{}:{what}", belief(run, known)).into_bytes())
}

/// Takes a record apart: what its writer believed, and what it says.
pub(crate) fn unstamp(payload: &Payload) -> Option<(String, String)> {
    let text = std::str::from_utf8(payload.as_bytes()).ok()?;
    let (belief, what) = text.split_once(':')?;
    Some((belief.to_owned(), what.to_owned()))
}

/// The reason of every pause in the model.
pub(crate) const OPERATOR: PauseReason = PauseReason::Operator;
