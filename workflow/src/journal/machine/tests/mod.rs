//! The machine by script: records in, commands out. The test plays the workflow's future.

mod bodies;
mod bounds;
mod fork;
mod groups;
mod messages;
mod rules;

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::journal::command::{Outgoing, ParentClose, Then};
use crate::journal::message::{Channel, ChildEnd, Message, NewMessage};
use crate::journal::path::Kind;
use crate::journal::record::Entry;
use crate::words::id::{QueueName, WorkflowName};
use crate::words::location::Location;
use crate::words::payload::Payload;
use crate::words::retry::{Backoff, RetryPolicy};

const SECOND: Duration = Duration::from_secs(1);

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn spec() -> Arc<InstanceSpec> {
    Arc::new(InstanceSpec {
        workflow: WorkflowName::new("w").unwrap(),
        version: 1,
        queue: QueueName::new("default").unwrap(),
        priority: 0,
        input: Payload::from_bytes(*b"{}"),
        seed: 7,
        start_at: None,
        keep_complete: SECOND,
        keep_failed: SECOND,
        parent: None,
    })
}

fn granted(now: i64, messages: Vec<Message>) -> Granted {
    Granted { v: 1, now: at(now), pause: false, messages }
}

fn start(granted: Granted) -> RunStart {
    let info = RunInfo {
        namespace: Namespace::new("test").unwrap(),
        id: InstanceId::new("i").unwrap(),
        run: 1,
        streams: 1,
        spec: spec(),
        created_at: at(0),
        started_at: at(0),
    };
    RunStart {
        info,
        shift_ms: 0,
        journal_bytes: 0,
        granted,
        short_delay: SECOND,
        compared: Compared::No,
        holds_results: true,
    }
}

/// A machine, and every record it wrote: a crash is a new machine over a prefix of them.
struct Script {
    machine: Machine,
    journal: Vec<Record>,
}

impl Script {
    fn begin() -> Self {
        Self::over(Vec::new())
    }

    fn over(records: Vec<Record>) -> Self {
        Self { machine: Machine::new(start(granted(1_000, vec![])), records.clone()), journal: records }
    }

    fn ask(&mut self, kind: Kind, name: &str, ask: Ask) -> OpId {
        self.ask_in(Machine::ROOT, kind, name, ask)
    }

    fn ask_in(&mut self, scope: ScopeId, kind: Kind, name: &str, ask: Ask) -> OpId {
        let name = OpName { kind, name, key: None, at: Location::new("test.rs", 1, 1) };
        self.machine.ask(scope, name, ask)
    }

    fn step(&mut self, name: &str) -> OpId {
        self.step_with(name, RetryPolicy::default(), None)
    }

    fn step_with(&mut self, name: &str, policy: RetryPolicy, timeout: Option<Duration>) -> OpId {
        self.ask(Kind::Step, name, Ask::Step { policy, timeout })
    }

    fn group(&mut self, name: &str, retries: u32) -> OpId {
        let policy = RetryPolicy { retries, ..RetryPolicy::default() };
        self.ask(Kind::Group, name, Ask::Group { policy, timeout: None })
    }

    fn wait(&mut self, name: &str, channel: &str, timeout: Option<Duration>) -> OpId {
        let readable = |payload: &Payload| match payload.as_bytes() {
            b"bad" => Err("not readable".to_owned()),
            _ => Ok(()),
        };
        self.ask(Kind::Wait, name, Ask::Wait { channel: Channel::event(channel, ""), timeout, readable })
    }

    /// The next thing, with what it writes read back and acknowledged at once.
    fn next(&mut self) -> Next {
        let next = self.machine.next();
        if let Next::Write(write) = &next {
            self.journal.extend(write.records.iter().map(|bytes| Record::decode(bytes.as_bytes()).unwrap()));
        }
        next
    }

    fn acknowledge(&mut self, now: i64) {
        self.machine.granted(granted(now, vec![]));
    }

    fn write(&mut self) -> Write {
        match self.next() {
            Next::Write(write) => write,
            other => panic!("expected a write, got {other:?}"),
        }
    }

    fn suspend(&mut self) -> Vec<crate::journal::command::Wait> {
        match self.write().then {
            Then::Suspend { waits, .. } => waits,
            other => panic!("expected a suspend, got {other:?}"),
        }
    }

    fn parked(&mut self) -> PauseReason {
        match self.write().then {
            Then::Park(reason) => reason,
            other => panic!("expected a park, got {other:?}"),
        }
    }

    fn divergence(&mut self) -> crate::journal::divergence::Divergence {
        match self.parked() {
            PauseReason::Divergence(divergence) => *divergence,
            other => panic!("expected a divergence, got {other:?}"),
        }
    }

    /// Starts, ends and delivers one step with nothing else going on.
    fn run_step(&mut self, id: OpId, value: &str) {
        assert_eq!(self.next_after_writes(), Next::Run(vec![id]));
        self.machine.body_ended(id, 1, Ok(json(value)));
        assert_eq!(self.next(), Next::Deliver(id));
        assert_eq!(self.machine.poll(id), OpPoll::Ready(Outcome::Value(json(value))));
    }

    fn next_after_writes(&mut self) -> Next {
        loop {
            match self.next() {
                Next::Write(Write { then: Then::Hold, .. }) => self.acknowledge(1_000),
                next => return next,
            }
        }
    }
}

fn json(text: &str) -> Payload {
    Payload::from_bytes(text.as_bytes())
}

fn failure() -> FailureData {
    FailureData::new(FailureKind::Failed, "E", "no")
}

fn message(seq: u64, at_ms: i64, channel: &str, payload: &str) -> Message {
    let message = NewMessage {
        channel: Channel::event(channel, ""),
        event_id: Arc::from(format!("id{seq}")),
        payload: json(payload),
    };
    Message { seq, at: at(at_ms), message }
}
