//! Step bodies: when they start, end, fail and are tried again.

use super::*;

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
fn the_end_of_a_body_that_is_not_waited_for_any_more_is_nothing() {
    let mut script = Script::begin();
    let step = script.step_with("a", RetryPolicy { retries: 1, ..RetryPolicy::default() }, None);
    assert_eq!(script.next(), Next::Run(vec![step]));
    script.machine.body_ended(step, 1, Err(failure()));
    assert_eq!(script.next_after_writes(), Next::Run(vec![step]));
    script.machine.body_ended(step, 1, Ok(json("1")));
    assert_eq!(script.next(), Next::Idle { until: None }, "the second attempt runs");
    script.machine.body_ended(step, 2, Ok(json("2")));
    script.machine.body_ended(step, 2, Ok(json("3")));
    assert_eq!(script.next(), Next::Deliver(step));
    assert_eq!(script.machine.poll(step), OpPoll::Ready(Outcome::Value(json("2"))));
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
fn attempts_that_failed_one_after_another_replay_to_the_next_one_alone() {
    let policy = RetryPolicy { retries: 3, delay: SECOND * 60, ..RetryPolicy::default() };
    let failed = |number: u32| Record {
        time: at(1_000 + i64::from(number)),
        path: Path::root().join(Kind::Step, "flaky", None, 0),
        entry: Entry::Attempt { number, failure: failure(), due: at(60_000 * i64::from(number)) },
    };
    let mut script = Script::over(vec![failed(1), failed(2)]);
    let step = script.step_with("flaky", policy, None);
    assert_eq!(script.suspend().iter().map(|wait| wait.due).collect::<Vec<_>>(), [Some(at(120_000))]);
    script.acknowledge(120_000);
    assert_eq!(script.next(), Next::Run(vec![step]));
    assert_eq!(script.machine.poll(step), OpPoll::Pending { attempt: Some(3) });
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
fn a_result_travels_with_the_end_it_leads_to_unless_it_is_to_be_written_by_itself() {
    for holds_results in [true, false] {
        let start = RunStart { holds_results, ..start(granted(1_000, vec![])) };
        let mut script = Script { machine: Machine::new(start, Vec::new()), journal: Vec::new() };
        let step = script.step("last");
        assert_eq!(script.next(), Next::Run(vec![step]));
        script.machine.body_ended(step, 1, Ok(Payload::from_bytes(*b"1")));
        assert_eq!(script.next(), Next::Deliver(step));
        script.machine.root_ended(Ending { result: Ok(Payload::from_bytes(*b"2")) });
        if !holds_results {
            let write = script.write();
            assert_eq!((write.records.len(), write.then), (1, Then::Hold));
            script.acknowledge(1_001);
        }
        let write = script.write();
        assert_eq!(write.records.len(), usize::from(holds_results));
        assert!(matches!(write.then, Then::Finish(_)), "{:?}", write.then);
    }
}
