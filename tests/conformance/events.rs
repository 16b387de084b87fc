//! Messages: kept, in order, given once, consumed with the record that needs them.

use std::sync::Arc;

use workflow::journal::command::{Action, Command, OwnReply, Reply, Send, SendReply, Then, Write};
use workflow::journal::head::State;
use workflow::journal::message::{Channel, NewMessage};
use workflow::words::limits::{EVENTS_MAX, MAILBOX_MAX};

use crate::world::{World, event, finish, id, payload, record, suspend, wait_for, write};

on_every_store!(
    a_message_is_kept_before_anyone_waits_for_it,
    messages_come_in_the_order_they_were_accepted,
    a_second_message_of_one_id_is_accepted_and_changes_nothing,
    an_event_id_is_remembered_when_its_message_is_consumed_and_forgotten_when_the_run_ends,
    a_consumed_message_is_not_given_again,
    a_message_wakes_who_waits_for_its_channel,
    a_message_nobody_waits_for_wakes_nobody,
    a_message_for_an_unknown_or_ended_instance_is_said_to_be_so,
    a_message_for_another_run_is_unknown,
    a_full_mailbox_refuses_and_recovers,
    a_run_takes_no_more_than_ten_thousand_events_over_its_life,
    an_owner_gets_new_messages_with_the_answer_to_any_write,
    a_paused_instance_keeps_its_messages,
);

fn a_message_is_kept_before_anyone_waits_for_it(w: &mut World) {
    let session = w.open(1);
    w.make("i");
    assert_eq!(w.send("i", "paid", "e"), SendReply::Accepted);
    w.advance(3);
    let held = w.claim_one(session);
    let message = &held.messages[0];
    assert_eq!((message.seq, message.at, &message.message), (1, w.in_ms(-3), &event("i", "paid", "e").message));
}

fn messages_come_in_the_order_they_were_accepted(w: &mut World) {
    let session = w.open(1);
    w.make("i");
    let sent: Vec<String> = (0..25).map(|n| format!("e{n}")).collect();
    for (n, event_id) in sent.iter().enumerate() {
        w.send("i", if n % 2 == 0 { "a" } else { "b" }, event_id);
    }
    assert_eq!(w.claim_one(session).event_ids(), sent);
}

fn a_second_message_of_one_id_is_accepted_and_changes_nothing(w: &mut World) {
    let session = w.open(1);
    w.make("i");
    w.send("i", "paid", "e");
    let before = w.head("i");
    w.advance(1);
    assert_eq!(w.send("i", "paid", "e"), SendReply::Accepted);
    assert_eq!(w.head("i"), before);
    assert_eq!(w.claim_one(session).event_ids(), ["e"]);
}

fn an_event_id_is_remembered_when_its_message_is_consumed_and_forgotten_when_the_run_ends(w: &mut World) {
    let session = w.open(1);
    w.make("i");
    w.send("i", "paid", "e");
    let mut held = w.claim_one(session);
    w.done(&mut held, Write { consumed: vec![1], ..record("paid") });
    assert_eq!(w.send("i", "paid", "e"), SendReply::Accepted);
    assert_eq!(w.head("i").unread, 0, "it is not delivered twice");
    w.control("i", Action::Restart);
    assert_eq!(w.send("i", "paid", "e"), SendReply::Accepted);
    assert_eq!(w.head("i").unread, 1, "another run, another message");
}

fn a_consumed_message_is_not_given_again(w: &mut World) {
    let session = w.open(1);
    w.make("i");
    for event_id in ["a", "b", "c"] {
        w.send("i", "paid", event_id);
    }
    let mut held = w.claim_one(session);
    w.done(&mut held, Write { consumed: vec![2], ..record("b") });
    w.done(&mut held, write(Then::Release));
    let held = w.claim_one(session);
    assert_eq!(held.event_ids(), ["a", "c"]);
    assert_eq!(held.messages.iter().map(|message| message.seq).collect::<Vec<_>>(), [1, 3]);
}

fn a_run_takes_no_more_than_ten_thousand_events_over_its_life(w: &mut World) {
    const AT_ONCE: u64 = 500;
    let session = w.open(1);
    let mut held = w.hold("i", session);
    for round in 0..EVENTS_MAX / AT_ONCE {
        let sends =
            (0..AT_ONCE).map(|number| Command::Send(event("i", "paid", &format!("{round}-{number}")))).collect();
        let replies = w.wait(w.store().execute(0, sends)).expect("the store works");
        assert!(replies.iter().all(|reply| *reply == Reply::Send(SendReply::Accepted)), "{round}");
        let consumed = (round * AT_ONCE + 1..=(round + 1) * AT_ONCE).collect();
        w.done(&mut held, Write { consumed, seen: (round + 1) * AT_ONCE, ..write(Then::Hold) });
    }
    assert_eq!((w.head("i").arrivals, w.head("i").unread), (EVENTS_MAX, 0));
    assert_eq!(w.send("i", "paid", "one more"), SendReply::Full);
    assert_eq!(w.send("i", "paid", "0-0"), SendReply::Accepted, "it is known");
    w.control("i", Action::Restart);
    assert_eq!(w.send("i", "paid", "one more"), SendReply::Accepted, "another run, another count");
}

fn a_message_wakes_who_waits_for_its_channel(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    w.done(&mut held, suspend(vec![wait_for("other"), wait_for("paid")]));
    w.send("i", "paid", "e");
    assert_eq!(w.state("i"), State::Running);
    let again = w.claim_one(session);
    assert_eq!(again.event_ids(), ["e"]);
    assert!(again.v > held.v);
}

fn a_message_nobody_waits_for_wakes_nobody(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    w.done(&mut held, suspend(vec![wait_for("paid")]));
    let another_key =
        NewMessage { channel: Channel::event("paid", "key"), event_id: Arc::from("k"), payload: payload("1") };
    w.send_as(Send { id: id("i"), run: None, message: another_key });
    w.send("i", "other", "o");
    assert_eq!(w.state("i"), State::Waiting);
    assert!(w.claim(session).is_empty());
    w.send("i", "paid", "e");
    assert_eq!(w.claim_one(session).event_ids(), ["k", "o", "e"], "they were kept");
}

fn a_message_for_an_unknown_or_ended_instance_is_said_to_be_so(w: &mut World) {
    assert_eq!(w.send("i", "paid", "e"), SendReply::Unknown);
    let session = w.open(1);
    let mut held = w.hold("i", session);
    w.done(&mut held, finish("1"));
    assert_eq!(w.send("i", "paid", "e"), SendReply::Finished);
    w.make("j");
    w.terminate("j");
    assert_eq!(w.send("j", "paid", "e"), SendReply::Finished);
}

fn a_message_for_another_run_is_unknown(w: &mut World) {
    w.make("i");
    assert_eq!(w.send_as(Send { run: Some(1), ..event("i", "paid", "a") }), SendReply::Accepted);
    assert_eq!(w.send_as(Send { run: Some(2), ..event("i", "paid", "b") }), SendReply::Unknown);
    w.control("i", Action::Restart);
    assert_eq!(w.send_as(Send { run: Some(1), ..event("i", "paid", "c") }), SendReply::Unknown);
    assert_eq!(w.head("i").arrivals, 0);
}

fn a_full_mailbox_refuses_and_recovers(w: &mut World) {
    let session = w.open(1);
    w.make("i");
    for n in 0..MAILBOX_MAX {
        assert_eq!(w.send("i", "paid", &format!("e{n}")), SendReply::Accepted);
    }
    assert_eq!(w.send("i", "paid", "one more"), SendReply::Full);
    assert_eq!(w.send("i", "paid", "e0"), SendReply::Accepted, "it is in already");
    let end = NewMessage { channel: Channel::child(&id("c")), event_id: Arc::from("c:1"), payload: payload("end") };
    assert_eq!(w.send_as(Send { id: id("i"), run: Some(1), message: end }), SendReply::Accepted);
    let mut held = w.claim_one(session);
    assert_eq!(held.messages.len(), 1_001);
    w.done(&mut held, Write { consumed: vec![1, 2], ..record("r") });
    assert_eq!(w.send("i", "paid", "one more"), SendReply::Accepted);
}

fn an_owner_gets_new_messages_with_the_answer_to_any_write(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    w.send("i", "paid", "a");
    let granted = w.done(&mut held, record("one"));
    assert_eq!((granted.messages.len(), granted.now), (1, w.now()));
    w.send("i", "paid", "b");
    assert_eq!(w.done(&mut held, Write { consumed: vec![1], ..record("two") }).messages.len(), 1);
    assert_eq!(held.event_ids(), ["a", "b"], "each once");
    assert!(w.notices(session).is_empty(), "the answer was the notice");
    assert!(matches!(w.own(&mut held, suspend(vec![wait_for("x")])), OwnReply::Ok(_)), "all were seen");
}

fn a_paused_instance_keeps_its_messages(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("i", session);
    w.done(&mut held, suspend(vec![wait_for("paid")]));
    w.control("i", Action::Pause);
    assert_eq!(w.send("i", "paid", "e"), SendReply::Accepted);
    assert_eq!(w.state("i"), State::Paused);
    w.control("i", Action::Resume);
    assert_eq!(w.claim_one(session).event_ids(), ["e"]);
}
