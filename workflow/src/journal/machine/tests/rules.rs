//! Replay, divergence, pauses, changes, streams and limits.

use super::*;

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

#[test]
fn a_part_of_all_runs_is_chosen_by_their_seeds() {
    let info = |seed: u128, run: u32| {
        let spec = Arc::new(InstanceSpec { seed, ..(*spec()).clone() });
        RunInfo { spec, run, ..start(granted(0, vec![])).info }
    };
    let among = |part: f64| (0..1_000).filter(|seed| info(*seed, 1).is_among(part)).count();
    assert_eq!((among(0.0), among(1.0)), (0, 1_000));
    assert!((400..600).contains(&among(0.5)), "{}", among(0.5));
    assert!((0..100).any(|seed| info(seed, 1).is_among(0.5) != info(seed, 2).is_among(0.5)), "each run has its chance");
}
