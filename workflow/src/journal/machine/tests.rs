//! The machine by script: records in, commands out. The test plays the workflow's future.

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
        spec: spec(),
        created_at: at(0),
        started_at: at(0),
    };
    RunStart { info, shift_ms: 0, journal_bytes: 0, granted, short_delay: SECOND }
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

#[test]
fn a_body_starts_only_when_what_led_to_it_is_written() {
    let mut script = Script::begin();
    let first = script.step("first");
    script.run_step(first, "1");
    let second = script.step("second");
    let write = script.write();
    assert_eq!((write.records.len(), write.then), (1, Then::Hold));
    script.acknowledge(1_001);
    assert_eq!(script.next(), Next::Run(vec![second]));
}

#[test]
fn the_last_result_travels_with_the_end() {
    let mut script = Script::begin();
    let only = script.step("only");
    script.run_step(only, "1");
    script.machine.root_ended(Ending { result: Ok(json("2")) });
    let write = script.write();
    assert_eq!(write.records.len(), 1);
    assert_eq!(write.then, Then::Finish(Ending { result: Ok(json("2")) }));
}

#[test]
fn a_result_is_written_before_a_longer_body_goes_on() {
    let mut script = Script::begin();
    let (short, long) = (script.step("short"), script.step("long"));
    assert_eq!(script.next(), Next::Run(vec![short, long]));
    assert_eq!(script.next(), Next::Idle { until: None });
    script.machine.body_ended(short, 1, Ok(json("1")));
    assert_eq!(script.next(), Next::Deliver(short));
    assert_eq!(script.write().then, Then::Hold);
    script.acknowledge(1_001);
    assert_eq!(script.next(), Next::Idle { until: None });
}

#[test]
fn bodies_that_end_together_are_delivered_one_at_a_time_in_the_order_they_ended() {
    let mut script = Script::begin();
    let (a, b) = (script.step("a"), script.step("b"));
    assert_eq!(script.next(), Next::Run(vec![a, b]));
    script.machine.tick(at(2_000));
    script.machine.body_ended(b, 1, Ok(json("1")));
    script.machine.tick(at(2_001));
    script.machine.body_ended(a, 1, Ok(json("1")));
    assert_eq!(script.next(), Next::Deliver(b));
    assert_eq!(script.machine.poll(a), OpPoll::Pending { attempt: None });
    assert_eq!(script.next(), Next::Deliver(a));
}

#[test]
fn a_loser_whose_body_ended_too_leaves_no_record() {
    let mut script = Script::begin();
    let (a, b) = (script.step("a"), script.step("b"));
    assert_eq!(script.next(), Next::Run(vec![a, b]));
    script.machine.body_ended(a, 1, Ok(json("1")));
    script.machine.body_ended(b, 1, Ok(json("2")));
    assert_eq!(script.next(), Next::Deliver(a));
    assert_eq!(script.machine.poll(a), OpPoll::Ready(Outcome::Value(json("1"))));
    script.machine.drop_op(b);
    script.machine.root_ended(Ending { result: Ok(json("0")) });
    assert_eq!(script.write().records.len(), 1);
}

#[test]
fn recorded_results_are_delivered_before_anything_runs() {
    let mut script = Script::begin();
    let first = script.step("first");
    script.run_step(first, "1");
    script.step("second");
    script.write();

    let mut again = Script::over(script.journal);
    let first = again.step("first");
    assert!(again.machine.is_replaying());
    assert_eq!(again.next(), Next::Deliver(first));
    assert_eq!(again.machine.poll(first), OpPoll::Ready(Outcome::Value(json("1"))));
    let second = again.step("second");
    assert_eq!(again.next(), Next::Run(vec![second]));
    assert!(!again.machine.is_replaying());
}

#[test]
fn a_renamed_step_parks_and_both_sides_are_said() {
    let mut script = Script::begin();
    let first = script.step("charge");
    script.run_step(first, "1");
    script.machine.root_ended(Ending { result: Ok(json("0")) });
    script.write();

    let mut again = Script::over(script.journal);
    again.step("charge card");
    let divergence = again.divergence();
    assert_eq!(divergence.recorded.as_ref().unwrap().operation, "end of step \"charge\"");
    assert_eq!(divergence.asked[0].operation, "step \"charge card\"");
    assert_eq!(divergence.asked[0].source.as_deref(), Some("test.rs:1:1"));
}

#[test]
fn an_end_before_the_journal_is_used_up_parks() {
    let mut script = Script::begin();
    let first = script.step("charge");
    script.run_step(first, "1");
    script.step("next");
    script.write();
    let mut again = Script::over(script.journal);
    again.machine.root_ended(Ending { result: Ok(json("0")) });
    assert!(again.divergence().recorded.is_some());
}

#[test]
fn code_that_waits_for_nothing_durable_parks() {
    let mut script = Script::begin();
    assert!(script.divergence().message.contains("not durable"));
}

#[test]
fn a_failed_attempt_is_recorded_with_its_next_due_and_suspends() {
    let mut script = Script::begin();
    let policy =
        RetryPolicy { retries: 2, delay: SECOND * 60, backoff: Backoff::Exponential, ..RetryPolicy::default() };
    let step = script.step_with("flaky", policy.clone(), None);
    assert_eq!(script.next(), Next::Run(vec![step]));
    script.machine.body_ended(step, 1, Err(failure()));
    let waits = script.suspend();
    assert_eq!(waits[0].due, Some(at(61_000)));
    assert!(matches!(script.journal[0].entry, Entry::Attempt { number: 1, .. }));

    // Another worker, after the delay: the second attempt, not the first.
    let mut again = Script::over(script.journal);
    let step = again.step_with("flaky", policy, None);
    assert_eq!(again.suspend()[0].due, Some(at(61_000)));
    again.acknowledge(61_000);
    assert_eq!(again.next(), Next::Run(vec![step]));
    assert_eq!(again.machine.poll(step), OpPoll::Pending { attempt: Some(2) });
    again.machine.body_ended(step, 2, Err(failure()));
    assert_eq!(again.suspend()[0].due, Some(at(181_000)));
    again.acknowledge(181_000);
    assert_eq!(again.next(), Next::Run(vec![step]));
    again.machine.body_ended(step, 3, Err(failure()));
    assert_eq!(again.next(), Next::Deliver(step));
    let OpPoll::Ready(Outcome::Failed(last)) = again.machine.poll(step) else { panic!("it failed") };
    assert_eq!(last.attempts, 3);
}

#[test]
fn a_short_delay_is_slept_in_memory_but_its_failure_is_written_first() {
    let mut script = Script::begin();
    let policy = RetryPolicy { retries: 1, delay: Duration::from_millis(10), ..RetryPolicy::default() };
    let step = script.step_with("flaky", policy, None);
    assert_eq!(script.next(), Next::Run(vec![step]));
    script.machine.body_ended(step, 1, Err(failure()));
    assert_eq!(script.write().then, Then::Hold);
    script.acknowledge(1_001);
    assert_eq!(script.next(), Next::Idle { until: Some(at(1_010)) });
    script.machine.tick(at(1_010));
    assert_eq!(script.next(), Next::Run(vec![step]));
}

#[test]
fn a_fatal_failure_is_not_tried_again() {
    let mut script = Script::begin();
    let policy = RetryPolicy { retries: 5, ..RetryPolicy::default() };
    let step = script.step_with("flaky", policy, None);
    assert_eq!(script.next(), Next::Run(vec![step]));
    script.machine.body_ended(step, 1, Err(FailureData { fatal: true, ..failure() }));
    assert_eq!(script.next(), Next::Deliver(step));
}

#[test]
fn a_body_over_its_timeout_is_dropped_and_its_attempt_fails() {
    let mut script = Script::begin();
    let step = script.step_with("slow", RetryPolicy::default(), Some(SECOND));
    assert_eq!(script.next(), Next::Run(vec![step]));
    assert_eq!(script.next(), Next::Idle { until: Some(at(2_000)) });
    script.machine.tick(at(2_000));
    assert_eq!(script.next(), Next::Cancel(step));
    assert_eq!(script.machine.poll(step), OpPoll::Pending { attempt: None });
    assert_eq!(script.next(), Next::Deliver(step));
    let OpPoll::Ready(Outcome::Failed(late)) = script.machine.poll(step) else { panic!("it failed") };
    assert_eq!(late.kind, FailureKind::TimedOut);
}

#[test]
fn a_sleep_is_recorded_when_it_begins_and_keeps_its_end() {
    let mut script = Script::begin();
    script.ask(Kind::Sleep, "", Ask::SleepFor(SECOND));
    assert_eq!(script.suspend()[0].due, Some(at(2_000)));

    let mut again = Script::over(script.journal.clone());
    again.acknowledge(5_000);
    let sleep = again.ask(Kind::Sleep, "", Ask::SleepFor(SECOND));
    assert_eq!(again.next(), Next::Deliver(sleep), "its time passed while nobody looked");

    let mut early = Script::over(script.journal);
    early.ask(Kind::Sleep, "", Ask::SleepFor(SECOND));
    assert_eq!(early.suspend()[0].due, Some(at(2_000)), "woken early, it sleeps on to the same end");
}

#[test]
fn a_pause_shifts_sleeps_but_not_moments() {
    let mut script = Script::begin();
    script.ask(Kind::Sleep, "", Ask::SleepFor(SECOND));
    script.ask(Kind::Sleep, "until", Ask::SleepUntil(at(9_000)));
    script.suspend();
    script.machine.reclaimed(500, granted(1_500, vec![]));
    let waits = script.suspend();
    assert_eq!(waits.iter().map(|wait| wait.due.unwrap()).collect::<Vec<_>>(), [at(2_500), at(9_000)]);

    let mut again = Script::over(script.journal);
    again.ask(Kind::Sleep, "", Ask::SleepFor(SECOND));
    again.ask(Kind::Sleep, "until", Ask::SleepUntil(at(9_000)));
    assert_eq!(again.suspend()[0].due, Some(at(2_500)), "the shift is part of the journal");
}

#[test]
fn an_event_accepted_before_the_deadline_wins_however_late_the_worker_is() {
    let mut script = Script::begin();
    let wait = script.wait("payment", "paid", Some(SECOND * 10));
    script.suspend();
    script.machine.granted(granted(15_000, vec![message(1, 10_900, "paid", "1")]));
    assert_eq!(script.next(), Next::Deliver(wait));
    assert_eq!(script.machine.poll(wait), OpPoll::Ready(Outcome::Event { message: 1, payload: json("1") }));
}

#[test]
fn a_deadline_before_the_event_wins_and_the_event_stays_for_another_wait() {
    let mut script = Script::begin();
    let wait = script.wait("payment", "paid", Some(SECOND * 10));
    script.suspend();
    script.machine.granted(granted(15_000, vec![message(1, 11_001, "paid", "1")]));
    assert_eq!(script.next(), Next::Deliver(wait));
    assert_eq!(script.machine.poll(wait), OpPoll::Ready(Outcome::TimedOut));
    let second = script.wait("again", "paid", None);
    assert_eq!(script.next(), Next::Deliver(second));
}

#[test]
fn a_deadline_fires_only_when_every_earlier_message_is_known() {
    let mut script = Script::begin();
    let wait = script.wait("payment", "paid", Some(SECOND));
    let body = script.step("long");
    assert_eq!(script.write().then, Then::Hold);
    script.acknowledge(1_000);
    assert_eq!(script.next(), Next::Run(vec![body]));
    script.machine.tick(at(2_500));
    // The clock says the deadline passed; the store is asked before it is believed.
    assert_eq!(script.write().then, Then::Hold);
    script.machine.granted(granted(2_500, vec![message(1, 1_999, "paid", "1")]));
    assert_eq!(script.next(), Next::Deliver(wait));
    assert_eq!(script.machine.poll(wait), OpPoll::Ready(Outcome::Event { message: 1, payload: json("1") }));
}

#[test]
fn events_of_one_channel_meet_waits_in_order_and_once() {
    let mut script = Script::begin();
    script.machine.granted(granted(1_000, vec![message(1, 500, "e", "1"), message(2, 501, "e", "2")]));
    let (a, b) = (script.wait("a", "e", None), script.wait("b", "e", None));
    assert_eq!(script.next(), Next::Deliver(a));
    assert_eq!(script.machine.poll(a), OpPoll::Ready(Outcome::Event { message: 1, payload: json("1") }));
    assert_eq!(script.next(), Next::Deliver(b));
    assert_eq!(script.machine.poll(b), OpPoll::Ready(Outcome::Event { message: 2, payload: json("2") }));
    script.machine.granted(granted(1_001, vec![message(1, 500, "e", "1")]));
    script.wait("c", "e", None);
    assert_eq!(script.write().consumed, [1, 2]);
}

#[test]
fn an_event_that_cannot_be_read_is_set_aside_and_the_wait_goes_on() {
    let mut script = Script::begin();
    script.machine.granted(granted(1_000, vec![message(1, 500, "e", "bad"), message(2, 501, "e", "2")]));
    let wait = script.wait("a", "e", None);
    assert_eq!(script.next(), Next::Deliver(wait));
    script.machine.root_ended(Ending { result: Ok(json("0")) });
    assert_eq!(script.write().consumed, [1, 2]);
    assert!(matches!(script.journal[0].entry, Entry::SetAside { message: 1, .. }));

    let mut again = Script::over(script.journal);
    let wait = again.wait("a", "e", None);
    assert_eq!(again.next(), Next::Deliver(wait));
}

#[test]
fn a_lost_race_leaves_no_wait_behind() {
    let mut script = Script::begin();
    let (a, b) = (script.wait("a", "x", None), script.wait("b", "y", None));
    assert_eq!(script.suspend().len(), 2);
    script.machine.granted(granted(2_000, vec![message(1, 1_900, "x", "1")]));
    assert_eq!(script.next(), Next::Deliver(a));
    script.machine.poll(a);
    script.machine.drop_op(b);
    script.ask(Kind::Sleep, "", Ask::SleepFor(SECOND));
    let waits = script.suspend();
    assert_eq!(waits.len(), 1);
    assert_eq!(waits[0].channel, None);
}

#[test]
fn a_finished_group_replays_as_its_end_alone() {
    let mut script = Script::begin();
    let group = script.group("g", 0);
    assert_eq!(script.machine.poll(group), OpPoll::Pending { attempt: Some(1) });
    let scope = script.machine.group_scope(group);
    let inner = script.ask_in(scope, Kind::Step, "s", Ask::Step { policy: RetryPolicy::default(), timeout: None });
    script.run_step(inner, "1");
    script.machine.body_ended(group, 1, Ok(json("9")));
    assert_eq!(script.next(), Next::Deliver(group));
    script.machine.root_ended(Ending { result: Ok(json("0")) });
    script.write();
    assert_eq!(script.journal.len(), 2);

    let mut again = Script::over(script.journal.clone());
    let group = again.group("g", 0);
    assert_eq!(again.machine.poll(group), OpPoll::Pending { attempt: None }, "its block does not run");
    assert_eq!(again.next(), Next::Deliver(group));
    assert_eq!(again.machine.poll(group), OpPoll::Ready(Outcome::Value(json("9"))));

    // Cut before the group's own record: its block runs again, over the recorded child.
    let mut cut = Script::over(script.journal[..1].to_vec());
    let group = cut.group("g", 0);
    assert_eq!(cut.machine.poll(group), OpPoll::Pending { attempt: Some(1) });
    let scope = cut.machine.group_scope(group);
    let inner = cut.ask_in(scope, Kind::Step, "s", Ask::Step { policy: RetryPolicy::default(), timeout: None });
    assert_eq!(cut.next(), Next::Deliver(inner));
    cut.machine.poll(inner);
    cut.machine.body_ended(group, 1, Ok(json("9")));
    assert_eq!(cut.next(), Next::Deliver(group));
}

#[test]
fn a_new_attempt_of_a_group_finds_finished_children_and_runs_failed_ones_again() {
    fn block(script: &mut Script, group: OpId) -> (OpId, OpId) {
        let scope = script.machine.group_scope(group);
        let ask = || Ask::Step { policy: RetryPolicy::default(), timeout: None };
        (script.ask_in(scope, Kind::Step, "good", ask()), script.ask_in(scope, Kind::Step, "bad", ask()))
    }
    let mut script = Script::begin();
    let group = script.group("g", 1);
    let (good, bad) = block(&mut script, group);
    assert_eq!(script.next(), Next::Run(vec![good, bad]));
    script.machine.body_ended(good, 1, Ok(json("1")));
    script.machine.body_ended(bad, 1, Err(failure()));
    assert_eq!(script.next(), Next::Deliver(good));
    script.machine.poll(good);
    assert_eq!(script.next(), Next::Deliver(bad));
    script.machine.poll(bad);
    script.machine.body_ended(group, 1, Err(failure()));
    assert_eq!(script.next(), Next::Run(vec![group]), "no delay: the next attempt begins");
    assert_eq!(script.machine.poll(group), OpPoll::Pending { attempt: Some(2) });
    let (good, bad) = block(&mut script, group);
    assert_eq!(script.machine.poll(good), OpPoll::Ready(Outcome::Value(json("1"))));
    assert_eq!(script.next_after_writes(), Next::Run(vec![bad]));
    script.machine.body_ended(bad, 1, Ok(json("2")));
    assert_eq!(script.next(), Next::Deliver(bad));
    script.machine.poll(bad);
    script.machine.body_ended(group, 2, Ok(json("9")));
    assert_eq!(script.next(), Next::Deliver(group));
    script.machine.root_ended(Ending { result: Ok(json("0")) });
    script.write();

    // Replayed up to any record before the group's end, the same choices are made.
    for cut in 0..script.journal.len() {
        let mut again = Script::over(script.journal[..cut].to_vec());
        let group = again.group("g", 1);
        let (good, bad) = block(&mut again, group);
        let mut delivered = 0;
        while again.machine.is_replaying() {
            match again.next() {
                Next::Deliver(op) => {
                    delivered += 1;
                    again.machine.poll(op);
                    if delivered == 2 {
                        again.machine.body_ended(group, 1, Err(failure()));
                    }
                }
                Next::Run(ops) => {
                    assert_eq!(ops, [group]);
                    let (kept, bad) = block(&mut again, group);
                    assert_eq!(again.machine.poll(kept), OpPoll::Ready(Outcome::Value(json("1"))));
                    assert_ne!(bad, good);
                }
                other => panic!("cut at {cut}: {other:?}"),
            }
        }
        let _ = bad;
    }
}

#[test]
fn a_child_is_created_with_the_record_that_says_so_and_ends_through_the_mailbox() {
    let child = || {
        Ask::Child(ChildSpec {
            workflow: WorkflowName::new("c").unwrap(),
            version: 1,
            queue: QueueName::new("default").unwrap(),
            input: json("{}"),
            on_close: ParentClose::Terminate,
        })
    };
    let mut script = Script::begin();
    script.ask(Kind::Child, "c", child());
    let write = script.write();
    let [Outgoing::CreateChild { id, spec }] = write.outgoing.as_slice() else { panic!("{write:?}") };
    assert_eq!(spec.parent.as_ref().unwrap().run, 1);
    assert!(matches!(write.then, Then::Suspend { .. }));

    let mut again = Script::over(script.journal.clone());
    let op = again.ask(Kind::Child, "c", child());
    let write = again.write();
    assert!(write.outgoing.is_empty(), "it is not created twice");
    let end = NewMessage {
        channel: Channel::child(id),
        event_id: Arc::from("end"),
        payload: ChildEnd::Complete(json("5")).encode(),
    };
    again.machine.granted(granted(2_000, vec![Message { seq: 1, at: at(1_500), message: end }]));
    assert_eq!(again.next(), Next::Deliver(op));
    assert_eq!(again.machine.poll(op), OpPoll::Ready(Outcome::Child(ChildEnd::Complete(json("5")))));

    let mut lost = Script::over(script.journal);
    let op = lost.ask(Kind::Child, "c", child());
    let timer = lost.ask(Kind::Sleep, "", Ask::SleepFor(SECOND));
    lost.suspend();
    lost.acknowledge(9_000);
    assert_eq!(lost.next(), Next::Deliver(timer));
    lost.machine.drop_op(op);
    lost.machine.root_ended(Ending { result: Ok(json("0")) });
    assert!(matches!(lost.write().outgoing.as_slice(), [Outgoing::Close { .. }]));
}

#[test]
fn a_pause_holds_the_next_step_and_lets_a_running_body_end() {
    let mut script = Script::begin();
    let first = script.step("first");
    assert_eq!(script.next(), Next::Run(vec![first]));
    script.machine.granted(Granted { pause: true, ..granted(1_001, vec![]) });
    assert_eq!(script.next(), Next::Idle { until: None });
    script.machine.body_ended(first, 1, Ok(json("1")));
    assert_eq!(script.next(), Next::Deliver(first));
    let second = script.step("second");
    let write = script.write();
    assert!(matches!(write.then, Then::Suspend { paused: true, .. }));
    assert_eq!(write.records.len(), 1);
    // Refused because it was resumed in between: it goes on.
    script.acknowledge(1_002);
    assert_eq!(script.next(), Next::Run(vec![second]));
}

#[test]
fn a_change_is_taken_by_new_runs_and_not_by_runs_that_had_passed_it() {
    let mut fresh = Script::begin();
    assert!(fresh.machine.changed("fees"));
    assert!(fresh.machine.changed("fees"));
    let step = fresh.step("a");
    fresh.run_step(step, "1");
    fresh.machine.root_ended(Ending { result: Ok(json("0")) });
    fresh.write();
    assert_eq!(fresh.journal.len(), 2);
    let mut again = Script::over(fresh.journal);
    assert!(again.machine.changed("fees"));

    let mut old = Script::begin();
    let step = old.step("a");
    old.run_step(step, "1");
    old.step("b");
    old.write();
    let mut replayed = Script::over(old.journal);
    assert!(!replayed.machine.changed("fees"), "it had passed this place before");
}

#[test]
fn streams_are_the_same_in_every_replay_and_differ_by_scope() {
    let mut one = Script::begin();
    let mut two = Script::begin();
    let part = one.machine.open_part(Machine::ROOT, "p", None);
    let draws = [one.machine.draw(Machine::ROOT), one.machine.draw(part), one.machine.draw(Machine::ROOT)];
    assert_eq!(two.machine.draw(Machine::ROOT), draws[0]);
    assert_eq!(two.machine.draw(Machine::ROOT), draws[2], "a skipped part shifts no other stream");
    assert_ne!(draws[0], draws[1]);
    let (a, b) = (one.step("k"), one.step("k"));
    assert_ne!(one.machine.idempotency_key(a), one.machine.idempotency_key(b));
}

#[test]
fn more_open_operations_than_allowed_end_the_run_with_a_typed_error() {
    let mut script = Script::begin();
    for _ in 0..=crate::words::limits::BRANCHES_MAX {
        script.step("s");
    }
    let Then::Finish(Ending { result: Err(failure) }) = script.write().then else { panic!("it ends") };
    assert_eq!(failure.class, LIMIT_EXCEEDED);
}

#[test]
fn a_journal_at_its_limit_ends_the_run_with_a_typed_error() {
    let mut script = Script::begin();
    let step = script.step("s");
    assert_eq!(script.next(), Next::Run(vec![step]));
    script.machine.records = crate::words::limits::RECORDS_MAX;
    script.machine.body_ended(step, 1, Ok(json("1")));
    let write = script.write();
    assert!(write.records.is_empty());
    let Then::Finish(Ending { result: Err(failure) }) = write.then else { panic!("it ends") };
    assert_eq!(failure.class, LIMIT_EXCEEDED);
}
