//! Groups and children.

use super::*;

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

fn child() -> Ask {
    Ask::Child(ChildSpec {
        workflow: WorkflowName::new("c").unwrap(),
        version: 1,
        queue: QueueName::new("default").unwrap(),
        input: json("{}"),
        keep_complete: None,
        keep_failed: Some(Duration::from_secs(7)),
        on_close: ParentClose::Terminate,
    })
}

fn end_of(child: &InstanceId) -> Message {
    let message = NewMessage {
        channel: Channel::child(child),
        event_id: Arc::from("end"),
        payload: ChildEnd::Complete(json("5")).encode(),
    };
    Message { seq: 1, at: at(1_500), message }
}

#[test]
fn a_parent_created_anew_has_children_of_its_own() {
    let child_of = |seed: u128| {
        let mut start = start(granted(1_000, vec![]));
        start.info.spec = Arc::new(InstanceSpec { seed, ..InstanceSpec::clone(&spec()) });
        let mut script = Script { machine: Machine::new(start, vec![]), journal: vec![] };
        script.ask(Kind::Child, "c", child());
        let write = script.write();
        let [Outgoing::CreateChild { id, .. }] = write.outgoing.as_slice() else { panic!("{write:?}") };
        id.clone()
    };
    assert_eq!(child_of(7), child_of(7));
    assert_ne!(child_of(7), child_of(8));
}

#[test]
fn a_recorded_child_is_waited_for_under_the_id_it_was_created_with() {
    let earlier = InstanceId::new("i~made-otherwise").unwrap();
    let path = Path::root().join(Kind::Child, "c", None, 0);
    let started = Record { time: at(1_000), path, entry: Entry::Started { child: earlier.clone() } };
    for told_before in [true, false] {
        let known = if told_before { vec![end_of(&earlier)] } else { vec![] };
        let machine = Machine::new(start(granted(2_000, known)), vec![started.clone()]);
        let mut script = Script { machine, journal: vec![started.clone()] };
        let op = script.ask(Kind::Child, "c", child());
        if !told_before {
            assert_eq!(script.suspend()[0].channel, Some(Channel::child(&earlier)));
            script.machine.granted(granted(2_000, vec![end_of(&earlier)]));
        }
        assert_eq!(script.next(), Next::Deliver(op));
        assert_eq!(script.machine.poll(op), OpPoll::Ready(Outcome::Child(ChildEnd::Complete(json("5")))));
    }
}

#[test]
fn a_child_is_created_with_the_record_that_says_so_and_ends_through_the_mailbox() {
    let mut script = Script::begin();
    script.ask(Kind::Child, "c", child());
    let write = script.write();
    let [Outgoing::CreateChild { id, spec }] = write.outgoing.as_slice() else { panic!("{write:?}") };
    assert_eq!(spec.parent.as_ref().unwrap().run, 1);
    let own = self::spec();
    assert_eq!(
        (spec.keep_complete, spec.keep_failed),
        (own.keep_complete, Duration::from_secs(7)),
        "its own, else ours"
    );
    assert!(matches!(write.then, Then::Suspend { .. }));

    let mut again = Script::over(script.journal.clone());
    let op = again.ask(Kind::Child, "c", child());
    let write = again.write();
    assert!(write.outgoing.is_empty(), "it is not created twice");
    again.machine.granted(granted(2_000, vec![end_of(id)]));
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
