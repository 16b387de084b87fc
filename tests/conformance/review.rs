//! The interleavings that break a naive design, by number. Every store must survive them; the numbers that are missing are not
//! about stores:
//!
//! - a07, a group that returns in the poll of its last child, and a08, a result held while a body runs, are for the machine:
//!   `journal/machine/tests`, `groups.rs` and `bodies.rs`;
//! - a16, limits over partitions, for what is not built yet;
//! - a21, a file that processes share, for SQLite alone: `store/sqlite/tests/sharing.rs`;
//! - a22, wakers of others and panics, for the code that polls: `test_kit/tests/wakes.rs`.

use std::sync::Arc;
use std::time::Duration;

use workflow::journal::command::{
    Action, Claim, Command, CreateReply, InstanceSpec, Outgoing, OwnReply, Owner, OwnerWrite, Parent, ParentClose,
    PauseReason, Reply, SendReply, Then, Write,
};
use workflow::journal::head::{Place, State};
use workflow::journal::table::outbox::command;
use workflow::store::Hint;
use workflow::words::id::SessionId;

use crate::world::{
    Held, World, finish, id, names, payload, queue, record, sleep_until, spec, suspend, suspend_paused, wait_for, write,
};

on_every_store!(
    a01_a_body_of_the_old_run_cannot_write_into_the_new_one,
    a01b_a_write_to_a_deleted_instance_makes_no_ghost,
    a01c_an_owner_that_has_seen_more_than_the_store_is_told_of_the_loss,
    a02_a_pause_taken_back_does_not_leave_the_instance_paused,
    a02b_the_time_paused_in_a_sleep_is_known_when_it_is_resumed,
    a03_a_repeated_claim_gives_what_the_lost_reply_gave,
    a03_a_repeated_create_is_not_told_that_it_exists,
    a03_a_late_suspend_does_not_take_the_instance_from_its_next_owner,
    a03_an_event_sent_again_after_it_was_consumed_is_not_delivered_twice,
    a03_a_repeated_write_appends_once,
    a04_an_event_for_an_instance_whose_body_runs_reaches_its_owner,
    a05_what_was_woken_and_then_paused_or_terminated_is_not_handed_out,
    a06_a_write_takes_records_of_operations_that_lost_a_race_as_well,
    a09_failed_attempts_and_their_delay_survive_the_worker,
    a10_an_event_accepted_before_the_deadline_says_so_however_late_the_worker_is,
    a10b_buffered_events_keep_their_order,
    a11_only_the_instance_tried_alone_is_quarantined,
    a12_an_unknown_workflow_does_not_block_the_head_of_the_queue,
    a13_a_busy_sessions_inbox_does_not_wait_for_it_for_ever,
    a14_a_jump_of_the_clock_alone_fences_nobody,
    a15_a_local_start_does_not_overtake_what_waits,
    a17_the_end_of_a_child_of_an_old_run_does_not_reach_the_new_one,
    a18_everyone_who_watches_hears_of_the_end,
    a19_what_is_paused_or_waits_without_time_can_be_reached,
    a20_priority_never_starves_old_work,
    a23_a_restart_has_another_run_for_its_keys_and_the_same_seed,
);

fn a01_a_body_of_the_old_run_cannot_write_into_the_new_one(w: &mut World) {
    let session = w.open(1);
    let mut old = w.hold("i", session);
    w.terminate("i");
    w.control("i", Action::Restart);
    let mut new = w.claim_one(session);
    for then in [Then::Hold, Then::Release, finish("old").then] {
        let stale = Write { records: vec![payload("old")], ..write(then) };
        assert_eq!(w.own(&mut old, stale), OwnReply::Stale);
    }
    // Even one that has guessed the version.
    old.v = new.v;
    assert_eq!(w.own(&mut old, record("old")), OwnReply::Stale);
    w.done(&mut new, record("new"));
    assert_eq!(w.journal("i", 2), Some(vec!["new".to_owned()]));
}

fn a01b_a_write_to_a_deleted_instance_makes_no_ghost(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    w.terminate("i");
    w.advance(1_000_000);
    assert_eq!(w.count(Command::Expire { limit: 10 }), 1);
    assert_eq!(w.own(&mut held, record("late")), OwnReply::Gone);
    assert_eq!(w.own(&mut held, finish("late")), OwnReply::Gone);
    assert_eq!((w.inspect("i"), w.journal("i", 1)), (None, None));
}

fn a01c_an_owner_that_has_seen_more_than_the_store_is_told_of_the_loss(w: &mut World) {
    let session = w.open(1);
    let held = w.hold("i", session);
    for owner in [Owner { v: held.v + 4, ..owner(&held) }, Owner { run: 2, ..owner(&held) }] {
        let request = OwnerWrite { request: w.request(), owner, write: record("fifth") };
        assert_eq!(w.own_as(&request), OwnReply::Behind);
    }
    assert_eq!(w.journal("i", 1), Some(Vec::new()), "no gap");
}

fn owner(held: &Held) -> Owner {
    Owner { id: held.id.clone(), session: held.session, run: held.run, v: held.v }
}

fn a02_a_pause_taken_back_does_not_leave_the_instance_paused(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    w.control("i", Action::Pause);
    w.done(&mut held, record("one"));
    assert!(held.pause);
    w.control("i", Action::Resume);
    assert!(matches!(w.own(&mut held, suspend_paused(Vec::new())), OwnReply::Continue(granted) if !granted.pause));
    assert_eq!(w.state("i"), State::Running);
    w.done(&mut held, record("two"));
}

fn a02b_the_time_paused_in_a_sleep_is_known_when_it_is_resumed(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    w.done(&mut held, suspend(vec![sleep_until(w.in_ms(1_000))]));
    w.advance(400);
    w.control("i", Action::Pause);
    w.advance(10_000);
    assert_eq!(w.count(Command::WakeDue { limit: 10 }), 0);
    w.control("i", Action::Resume);
    assert_eq!(w.claim_one(session).shift_ms, 10_000);
}

fn a03_a_repeated_claim_gives_what_the_lost_reply_gave(w: &mut World) {
    let session = w.open(1);
    w.make("a");
    let claim = w.new_claim(session);
    w.claim_as(&claim);
    let mut held = w.claim_with(&claim).0.remove(0);
    w.done(&mut held, record("one"));
    assert!(w.claim_with(&claim).0.is_empty(), "an old claim is not answered with what is driven since");
}

fn a03_a_repeated_create_is_not_told_that_it_exists(w: &mut World) {
    let session = w.open(1);
    let create = w.new_instance("i");
    w.create(&create);
    let mut held = w.claim_one(session);
    w.done(&mut held, finish("1"));
    assert_eq!(w.create(&create), CreateReply::Created { claimed: None });
    assert_eq!(w.state("i"), State::Complete);
}

fn a03_a_late_suspend_does_not_take_the_instance_from_its_next_owner(w: &mut World) {
    let session = w.open(1);
    let held = w.hold("i", session);
    let late = held.request(w.request(), suspend(vec![wait_for("paid")]));
    let first = w.own_as(&late);
    w.send("i", "paid", "e");
    let mut next = w.claim_one(session);
    let repeat = w.own_as(&late);
    let (OwnReply::Ok(first), OwnReply::Ok(repeat)) = (first, repeat) else { panic!("it was done") };
    assert_eq!((first.v, repeat.messages), (repeat.v, Vec::new()), "the events are the next owner's");
    w.done(&mut next, Write { consumed: vec![1], ..record("paid") });
    assert_eq!(w.own_as(&late), OwnReply::Stale);
    assert_eq!(w.state("i"), State::Running);
}

fn a03_an_event_sent_again_after_it_was_consumed_is_not_delivered_twice(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    w.send("i", "paid", "e");
    w.done(&mut held, record("sees it"));
    w.done(&mut held, Write { consumed: vec![1], ..record("paid") });
    assert_eq!(w.send("i", "paid", "e"), SendReply::Accepted);
    w.done(&mut held, suspend(vec![wait_for("paid")]));
    assert_eq!(w.state("i"), State::Waiting);
}

fn a03_a_repeated_write_appends_once(w: &mut World) {
    let session = w.open(1);
    let held = w.hold("i", session);
    let request = held.request(w.request(), record("one"));
    let first = w.own_as(&request);
    assert_eq!(w.own_as(&request), first);
    assert_eq!(w.journal("i", 1), Some(vec!["one".to_owned()]));
}

fn a04_an_event_for_an_instance_whose_body_runs_reaches_its_owner(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    w.done(&mut held, record("wait begun, body runs"));
    w.send("i", "paid", "e");
    assert_eq!(w.notices(session), [id("i")]);
    w.done(&mut held, write(Then::Hold));
    assert_eq!(held.event_ids(), ["e"]);
}

fn a05_what_was_woken_and_then_paused_or_terminated_is_not_handed_out(w: &mut World) {
    let session = w.open(1);
    for name in ["paused", "terminated", "restarted"] {
        let mut held = w.hold(name, session);
        w.done(&mut held, suspend(vec![wait_for("paid")]));
        w.send(name, "paid", "e");
    }
    w.control("paused", Action::Pause);
    w.terminate("terminated");
    w.control("restarted", Action::Restart);
    let given = w.claim(session);
    assert_eq!(names(&given), ["restarted"]);
    assert_eq!((given[0].run, given[0].messages.len()), (2, 0));
}

fn a06_a_write_takes_records_of_operations_that_lost_a_race_as_well(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    w.send("i", "paid", "e");
    w.done(&mut held, record("see the event"));
    w.done(&mut held, Write { records: vec![payload("winner"), payload("loser")], ..write(Then::Hold) });
    assert_eq!(w.head("i").unread, 1, "the wait that lost the race has not eaten its event");
    assert_eq!(w.journal("i", 1).map(|records| records.len()), Some(3));
}

fn a09_failed_attempts_and_their_delay_survive_the_worker(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    let due = sleep_until(w.in_ms(3_600_000));
    w.done(&mut held, Write { records: vec![payload("attempt 1")], ..suspend(vec![due]) });
    w.crash(session);
    let other = w.open(2);
    assert!(w.claim(other).is_empty(), "the delay goes on");
    w.advance(3_600_000);
    assert_eq!(w.count(Command::WakeDue { limit: 10 }), 1);
    let again = w.claim_one(other);
    assert_eq!((again.records, again.suspect), (1, false));
}

fn a10_an_event_accepted_before_the_deadline_says_so_however_late_the_worker_is(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    let deadline = w.in_ms(10_000);
    w.done(&mut held, suspend(vec![wait_for("paid"), sleep_until(deadline)]));
    w.advance(9_900);
    w.send("i", "paid", "e");
    w.advance(1_100);
    w.count(Command::WakeDue { limit: 10 });
    let held = w.claim_one(session);
    assert!(held.messages[0].at < deadline);
    assert_eq!(held.event_ids(), ["e"]);
}

fn a10b_buffered_events_keep_their_order(w: &mut World) {
    let session = w.open(1);
    w.make("i");
    for n in 0..40 {
        w.send("i", "paid", &format!("e{n}-{}", "x".repeat(80)));
    }
    let held = w.claim_one(session);
    assert_eq!(held.messages.iter().map(|message| message.seq).collect::<Vec<_>>(), (1..=40).collect::<Vec<_>>());
    assert!(held.event_ids().iter().enumerate().all(|(n, id)| id.starts_with(&format!("e{n}-"))));
}

fn a11_only_the_instance_tried_alone_is_quarantined(w: &mut World) {
    let names = ["innocent", "pill"];
    let mut session = w.open(1);
    for name in names {
        w.make(name);
    }
    w.claim(session);
    for crash in 0..4 {
        w.crash(session);
        session = w.open(10 + crash);
        let given = w.claim(session);
        assert!(given.iter().all(|held| held.suspect), "crash {crash}");
        if let Some(mut pill) = given.into_iter().find(|held| held.id == id("pill")) {
            w.done(&mut pill, write(Then::Mark));
        }
    }
    let quarantined = PauseReason::Quarantined { crashes: 3 };
    assert!(matches!(w.head("pill").place, Place::Paused { reason, .. } if reason == quarantined));
    assert_eq!(w.state("innocent"), State::Running);
    // An innocent that gets something done is no suspect any more.
    w.crash(session);
    let last = w.open(20);
    let mut innocent = w.claim_one(last);
    w.done(&mut innocent, record("one"));
    w.done(&mut innocent, write(Then::Release));
    assert!(!w.claim_one(last).suspect);
    // And an operator may have the pill tried again.
    w.control("pill", Action::Resume);
    let mut pill = w.claim_one(last);
    assert!(pill.suspect);
    // Its crashes are counted from the beginning.
    w.done(&mut pill, write(Then::Mark));
    w.crash(last);
    assert_eq!(w.state("pill"), State::Queued);
}

fn a12_an_unknown_workflow_does_not_block_the_head_of_the_queue(w: &mut World) {
    let session = w.open(1);
    for n in 0..20 {
        w.make_with(&format!("new{n}"), |spec| spec.version = 2);
    }
    w.advance(1);
    w.make("old");
    let one = Claim { limit: 1, ..w.new_claim(session) };
    assert_eq!(names(&w.claim_with(&one).0), ["old"]);
    let overview = w.wait(w.store().overview()).expect("the store works");
    assert_eq!((overview.ready, overview.shelves.len(), overview.shelves[0].instances), (0, 1, 20));
}

fn a13_a_busy_sessions_inbox_does_not_wait_for_it_for_ever(w: &mut World) {
    let (busy, idle) = (w.open(1), w.open(2));
    let mut held = w.hold("i", busy);
    w.done(&mut held, suspend(vec![wait_for("paid")]));
    w.send("i", "paid", "e");
    w.advance(250);
    w.beat(busy);
    assert!(w.claim(idle).is_empty());
    assert_eq!(w.count(Command::Unstick { older_than: Duration::from_millis(250), limit: 10 }), 1);
    assert_eq!(w.claim_one(idle).event_ids(), ["e"]);
}

fn a14_a_jump_of_the_clock_alone_fences_nobody(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    let seen = w.session(session).expect("listed").beats;
    w.beat(session);
    w.advance(3_600_000);
    assert_eq!(w.apply(Command::Fence { session, beats: seen }), Reply::Fence(false));
    assert_eq!(w.count(Command::Recover { session, limit: 10 }), 0);
    w.done(&mut held, record("one"));
}

fn a15_a_local_start_does_not_overtake_what_waits(w: &mut World) {
    let session = w.open(1);
    w.make("first");
    let mut create = w.new_instance("second");
    create.local = Some(session);
    assert_eq!(w.create(&create), CreateReply::Created { claimed: None });
    assert_eq!(names(&w.claim(session)), ["first", "second"]);
    // What waits in another queue is nobody's concern.
    w.make_with("elsewhere", |spec| spec.queue = queue("other"));
    let mut create = w.new_instance("third");
    create.local = Some(session);
    assert!(matches!(w.create(&create), CreateReply::Created { claimed: Some(_) }));
}

fn a17_the_end_of_a_child_of_an_old_run_does_not_reach_the_new_one(w: &mut World) {
    let session = w.open(1);
    let mut parent = w.hold("p", session);
    let of_run_1 = Parent { id: id("p"), run: 1, on_close: ParentClose::Abandon };
    let child =
        Outgoing::CreateChild { id: id("c"), spec: Arc::new(InstanceSpec { parent: Some(of_run_1), ..spec() }) };
    w.done(&mut parent, Write { outgoing: vec![child], ..record("started") });
    w.empty_outbox();
    let mut child = w.claim_one(session);
    w.done(&mut child, finish("42"));
    let pending = w.outbox().remove(0);
    w.control("p", Action::Restart);
    let reply = w.apply(command(&pending.source, pending.number, &pending.outgoing));
    assert_eq!(reply, Reply::Send(SendReply::Unknown));
    assert_eq!(w.claim_one(session).messages, []);
}

fn a18_everyone_who_watches_hears_of_the_end(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    let watchers = [w.store().hints(), w.store().hints()];
    w.done(&mut held, finish("1"));
    for mut watcher in watchers {
        let heard = w.wait(async {
            let heard = async {
                loop {
                    match watcher.recv().await.map(|hinted| hinted.hint) {
                        Ok(Hint::Changed(changed)) if changed == id("i") => return true,
                        Ok(Hint::Anything) => return true,
                        Ok(_) => {}
                        Err(_) => return false,
                    }
                }
            };
            tokio::time::timeout(Duration::from_secs(20), heard).await
        });
        assert_eq!(heard, Ok(true));
    }
}

fn a19_what_is_paused_or_waits_without_time_can_be_reached(w: &mut World) {
    let session = w.open(1);
    let mut waiting = w.hold("waiting", session);
    w.done(&mut waiting, suspend(vec![wait_for("paid")]));
    w.make("paused");
    w.control("paused", Action::Pause);
    w.crash(session);
    let overview = w.wait(w.store().overview()).expect("the store works");
    assert_eq!((overview.asleep, overview.paused), (1, 1));
    w.control("paused", Action::Resume);
    w.send("waiting", "paid", "e");
    let mut given: Vec<String> = names(&w.claim(w.open(2))).into_iter().map(str::to_owned).collect();
    given.sort();
    assert_eq!(given, ["paused", "waiting"]);
}

fn a20_priority_never_starves_old_work(w: &mut World) {
    let session = w.open(1);
    w.make_with("old", |spec| spec.priority = 255);
    for n in 0..3 {
        w.advance(255 * 30_000 / 2);
        w.make_with(&format!("new{n}"), |spec| spec.priority = 0);
    }
    let first_two = w.claim_with(&Claim { limit: 2, ..w.new_claim(session) }).0;
    assert_eq!(names(&first_two), ["new0", "new1"]);
    assert_eq!(names(&w.claim(session)), ["old", "new2"]);
}

fn a23_a_restart_has_another_run_for_its_keys_and_the_same_seed(w: &mut World) {
    w.make_with("i", |spec| spec.seed = u128::MAX - 5);
    let session: SessionId = w.open(1);
    w.claim(session);
    w.control("i", Action::Restart);
    let head = w.head("i");
    assert_eq!((head.run, head.spec.seed), (2, u128::MAX - 5));
}
