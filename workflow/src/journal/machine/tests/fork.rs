//! What a run keeps that is restarted from one of its operations: a source's records in, those of the new run out.

use super::*;

fn record(time: i64, path: &Path, entry: Entry) -> Record {
    Record { time: at(time), path: path.clone(), entry }
}

fn done(time: i64, path: &Path) -> Record {
    record(time, path, Entry::Done(Outcome::Value(json("1"))))
}

fn begun(time: i64, path: &Path, due: i64) -> Record {
    record(time, path, Entry::Begun { due: at(due), shifts: true })
}

fn shifted(time: i64, by_ms: i64) -> Record {
    record(time, &Path::root(), Entry::Shifted { by_ms })
}

fn failed(time: i64, path: &Path, due: i64) -> Record {
    record(time, path, Entry::Attempt { number: 1, failure: failure(), due: at(due) })
}

fn step(name: &str) -> Path {
    Path::root().join(Kind::Step, name, None, 0)
}

fn nap() -> Path {
    Path::root().join(Kind::Sleep, "nap", None, 0)
}

fn group() -> Path {
    Path::root().join(Kind::Group, "g", None, 0)
}

/// A source whose run is restarted from the step `s`.
fn from_s(records: Vec<Record>) -> Script {
    forked(step("s"), records)
}

fn forked(from: Path, records: Vec<Record>) -> Script {
    let start = RunStart { compared: Compared::Fork { from }, ..start(granted(1_000, vec![])) };
    Script { machine: Machine::new(start, records.clone()), journal: records }
}

impl Script {
    fn nap(&mut self) -> OpId {
        self.ask(Kind::Sleep, "nap", Ask::SleepFor(SECOND))
    }

    fn step_in(&mut self, scope: ScopeId, name: &str) -> OpId {
        self.ask_in(scope, Kind::Step, name, Ask::Step { policy: RetryPolicy::default(), timeout: None })
    }

    /// Delivers all that is recorded and kept, to code that asks for nothing more.
    fn kept(&mut self, now: i64) -> Vec<Record> {
        while let Some(next) = self.machine.next_recorded() {
            match next {
                Next::Deliver(op) => drop(self.machine.poll(op)),
                other => panic!("expected a delivery, got {other:?}"),
            }
        }
        self.machine.kept(at(now)).expect("the code goes along")
    }
}

#[test]
fn the_time_since_the_operation_was_asked_for_is_counted_once() {
    let source = vec![begun(1_000, &nap(), 9_000), shifted(2_000, 500), done(2_500, &step("s"))];
    let mut script = from_s(source.clone());
    script.nap();
    script.step("s");
    assert_eq!(script.kept(5_000), [source[0].clone(), shifted(5_000, 5_000)]);
}

#[test]
fn a_pause_before_the_operation_was_asked_for_is_kept() {
    let source =
        vec![begun(1_000, &nap(), 9_000), shifted(2_000, 500), done(2_500, &step("one")), done(2_600, &step("s"))];
    let mut script = from_s(source.clone());
    script.nap();
    let one = script.step("one");
    assert_eq!(script.machine.next_recorded(), Some(Next::Deliver(one)));
    script.machine.poll(one);
    script.step("s");
    assert_eq!(script.kept(5_000), [&source[..3], &[shifted(5_000, 2_500)]].concat());
}

#[test]
fn time_that_nobody_waits_for_is_not_recorded() {
    let source = vec![done(1_000, &step("one")), done(2_000, &step("s"))];
    let mut script = from_s(source.clone());
    script.step("one");
    script.step("s");
    assert_eq!(script.kept(5_000), source[..1]);
}

#[test]
fn a_retry_has_as_long_to_wait_as_it_had() {
    let source = vec![failed(1_000, &step("one"), 3_000), done(2_000, &step("s"))];
    let mut script = from_s(source.clone());
    script.step_with("one", RetryPolicy { retries: 3, ..RetryPolicy::default() }, None);
    script.step("s");
    assert_eq!(script.kept(5_000), [source[0].clone(), shifted(5_000, 5_000)]);
}

#[test]
fn what_is_kept_is_in_the_order_of_time_though_the_clock_was_set_back() {
    let source = vec![begun(1_000, &nap(), 9_000), done(6_000, &step("one")), done(7_000, &step("s"))];
    let mut script = from_s(source.clone());
    script.nap();
    script.step("one");
    script.step("s");
    assert_eq!(script.kept(5_000), [&source[..2], &[shifted(6_000, 6_000)]].concat());
}

#[test]
fn a_child_is_kept_if_it_had_ended() {
    let child = |name: &str| {
        let on_close = ParentClose::Terminate;
        let (workflow, queue) = (WorkflowName::new("c").unwrap(), QueueName::new("default").unwrap());
        let (keep_complete, keep_failed) = (None, None);
        let ask = ChildSpec { workflow, version: 1, queue, input: json("{}"), keep_complete, keep_failed, on_close };
        let path = Path::root().join(Kind::Child, name, None, 0);
        let started = |time| {
            let child = InstanceId::new(name).unwrap();
            record(time, &path, Entry::Started { child })
        };
        let ended = |time| record(time, &path, Entry::Done(Outcome::Child(ChildEnd::Complete(json("5")))));
        (Ask::Child(ask), started(1_000), ended(2_000))
    };
    let ((ask_a, a_started, a_ended), (ask_b, b_started, _)) = (child("a"), child("b"));
    let source = vec![a_started.clone(), b_started, a_ended.clone(), done(3_000, &step("s"))];
    let mut script = from_s(source);
    script.ask(Kind::Child, "a", ask_a);
    script.ask(Kind::Child, "b", ask_b);
    script.step("s");
    assert_eq!(script.kept(5_000), [a_started, a_ended]);
}

#[test]
fn a_change_is_kept_if_the_code_came_to_it_before() {
    let change = |id: &str| record(1_000, &Path::root().join(Kind::Changed, id, None, 0), Entry::Changed);
    let source = vec![change("before"), change("after"), done(2_000, &step("s"))];
    let mut script = from_s(source.clone());
    assert!(script.machine.changed("before"));
    script.step("s");
    assert!(script.machine.changed("after"));
    assert_eq!(script.kept(5_000), source[..1]);
}

#[test]
fn a_group_around_the_operation_keeps_its_time_limit_and_nothing_of_its_end() {
    let inner = group().join(Kind::Step, "s", None, 0);
    let source = vec![begun(1_000, &group(), 9_000), done(2_000, &inner), done(3_000, &group())];
    let mut script = forked(inner, source.clone());
    let policy = RetryPolicy::default();
    let group = script.ask(Kind::Group, "g", Ask::Group { policy, timeout: Some(SECOND) });
    assert_eq!(script.machine.poll(group), OpPoll::Pending { attempt: Some(1) }, "its block runs");
    let scope = script.machine.group_scope(group);
    script.step_in(scope, "s");
    assert_eq!(script.kept(5_000), [source[0].clone(), shifted(5_000, 5_000)]);
}

/// A group that was asked for before `s`, in whose block one step is before it too and one is not.
fn with_a_group(source: Vec<Record>) -> (Script, OpId) {
    let mut script = from_s(source);
    let policy = RetryPolicy { retries: 3, ..RetryPolicy::default() };
    let group = script.ask(Kind::Group, "g", Ask::Group { policy, timeout: None });
    assert_eq!(script.machine.poll(group), OpPoll::Pending { attempt: Some(1) });
    let scope = script.machine.group_scope(group);
    let one = script.step_in(scope, "one");
    script.step_in(scope, "slow");
    script.step("s");
    assert_eq!(script.machine.next_recorded(), Some(Next::Deliver(one)));
    script.machine.poll(one);
    script.step_in(scope, "two");
    (script, one)
}

#[test]
fn a_group_that_failed_by_what_is_forgotten_has_not_failed_and_nothing_of_its_next_attempt_is_kept() {
    let inner = |name| group().join(Kind::Step, name, None, 0);
    let source = vec![
        done(1_000, &inner("one")),
        record(2_000, &inner("two"), Entry::Done(Outcome::Failed(failure()))),
        failed(2_100, &group(), 2_100),
        record(2_200, &group(), Entry::Resumed { number: 2 }),
        done(2_250, &inner("slow")),
        done(2_300, &inner("two")),
        done(2_400, &step("s")),
    ];
    let (mut script, _) = with_a_group(source.clone());
    assert_eq!(script.kept(5_000), source[..1]);
}

#[test]
fn a_group_whose_time_was_up_has_failed_whatever_is_forgotten() {
    let inner = |name| group().join(Kind::Step, name, None, 0);
    let late = FailureData::new(FailureKind::TimedOut, "", "late");
    let source = vec![
        done(1_000, &inner("one")),
        done(2_000, &inner("two")),
        record(2_100, &group(), Entry::Attempt { number: 1, failure: late, due: at(9_000) }),
        done(2_400, &step("s")),
    ];
    let (mut script, _) = with_a_group(source.clone());
    assert!(matches!(script.machine.next_recorded(), Some(Next::Cancel(_))), "its block is dropped");
    assert_eq!(script.kept(5_000), [source[0].clone(), source[2].clone(), shifted(5_000, 5_000)]);
}
