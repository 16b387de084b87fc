//! Every place against every command, in one table that is read in review: `matrix.txt`.

use std::fmt::Write as _;
use std::time::Duration;

use expect_test::expect_file;

use super::*;
use crate::journal::command::PauseReason;
use crate::journal::table::session::{Loss, hand_over};
use crate::journal::table::{Effects, Transition, control, create, own, send, sweep};

fn places() -> Vec<(&'static str, Head)> {
    let start = Wait { path: Path::root(), channel: None, due: Some(later(5_000)), shifts: false };
    vec![
        ("ready", at(Place::Ready { score: 1 })),
        ("shelved", at(Place::Shelved)),
        ("inbox", at(Place::Inbox { session: MINE, since: ago(300), waits: waits() })),
        ("held", held()),
        ("held, pausing", Head { pause: true, ..held() }),
        ("asleep", asleep()),
        ("not begun", Head { begun: false, records: 0, ..at(Place::Asleep { waits: vec![start], sticky: None }) }),
        ("paused", at(Place::Paused { reason: PauseReason::Operator, since: ago(400), waits: waits() })),
        ("complete", done(End::Returned(Ending { result: Ok(payload("1")) }))),
        ("errored", done(End::Returned(Ending { result: Err(failure()) }))),
        ("terminated", done(End::Terminated { reason: "no".to_owned() })),
    ]
}

/// What one command did, in words.
fn line<R: std::fmt::Debug>(before: &Head, transition: Transition<R>) -> String {
    let mut text = reply(&transition.reply);
    if let Some(head) = &transition.head {
        assert!(head.v >= before.v, "the version goes back");
        let deleted = head.updated_at == before.updated_at && matches!(head.place, Place::Done { .. });
        assert!(head.updated_at == NOW || deleted, "a change without its time");
        let _ = write!(text, " -> {}", place(head));
        for (differs, what) in [
            (head.v != before.v, "v"),
            (head.run != before.run, "run"),
            (expiry(before).is_some() && expiry(head).is_some_and(|at| Some(at) != expiry(before)), "expires"),
            (head.pause != before.pause, if head.pause { "pause" } else { "no pause" }),
            (head.shift_ms != before.shift_ms, "shift"),
            (head.arrivals != before.arrivals, "arrivals"),
            (head.last_write != before.last_write || head.last_controls != before.last_controls, "remembered"),
        ] {
            if differs {
                let _ = write!(text, ", {what}");
            }
        }
    } else {
        let quiet = Effects { messages_after: transition.effects.messages_after, ..Effects::default() };
        assert_eq!(transition.effects, quiet, "effects without a new head");
    }
    text + &effects(&transition.effects)
}

fn reply<R: std::fmt::Debug>(reply: &R) -> String {
    let text = format!("{reply:?}");
    // Grants and claims are long and looked at by tests of their own.
    text.split([' ', '{']).next().unwrap_or_default().replace("(Granted", "").replace("(Claimed", "")
}

fn expiry(head: &Head) -> Option<Timestamp> {
    match head.place {
        Place::Done { expires_at, .. } => Some(expires_at),
        _ => None,
    }
}

fn place(head: &Head) -> String {
    match &head.place {
        Place::Ready { score } if head.begun => format!("ready (lead {} h)", (NOW.as_millis() - score) / 3_600_000),
        Place::Ready { .. } => "ready (new)".to_owned(),
        Place::Shelved => "shelved".to_owned(),
        Place::Inbox { session, .. } => format!("inbox {}", session.0),
        Place::Held { session, notice } => format!("held {}{}", session.0, if *notice { " (notice)" } else { "" }),
        Place::Asleep { waits, sticky } => format!("asleep ({} waits, sticky {})", waits.len(), sticky.is_some()),
        Place::Paused { reason, waits, .. } => format!("paused {reason:?} ({} waits)", waits.len()),
        Place::Done { end, .. } => format!("done {}", format!("{end:?}").split([' ', '(']).next().unwrap_or_default()),
    }
}

fn effects(effects: &Effects) -> String {
    let mut text = String::new();
    for (set, what) in [
        (effects.deliver.is_some(), "deliver"),
        (effects.clear_mailbox, "clear mailbox"),
        (!effects.archives.is_empty(), "archive"),
        (effects.lost_by.is_some(), "owner loses it"),
        (!effects.append.is_empty(), "append"),
    ] {
        if set {
            let _ = write!(text, "; {what}");
        }
    }
    if !effects.hints.is_empty() {
        let _ = write!(text, "; hints {:?}", effects.hints);
    }
    text
}

#[test]
fn every_place_answers_every_command() {
    let now = NOW;
    let mut table = String::new();
    for (name, head) in places() {
        let some = Some(&head);
        let unread = create::Facts { alive: true, ready_empty: true };
        let fresh = send::Facts { known: false, alive: true };
        let elsewhere =
            Send { message: NewMessage { channel: Channel::event("x", ""), ..event("e").message }, ..event("e") };
        let records = Write { records: vec![payload("r")], ..write(Then::Hold) };
        let parked = Then::Park(PauseReason::Panic { message: "p".to_owned() });
        let rows = [
            ("create, same request", line(&head, create::create(some, &make(1, Some(MINE)), unread, now))),
            ("create, another request", line(&head, create::create(some, &make(2, None), unread, now))),
            ("send, waited for", line(&head, send::send(some, &event("e"), fresh, now))),
            (
                "send, session lost",
                line(&head, send::send(some, &event("e"), send::Facts { alive: false, ..fresh }, now)),
            ),
            ("send, not waited for", line(&head, send::send(some, &elsewhere, fresh, now))),
            ("send, known id", line(&head, send::send(some, &event("e"), send::Facts { known: true, ..fresh }, now))),
            ("send, another run", line(&head, send::send(some, &Send { run: Some(2), ..event("e") }, fresh, now))),
            ("pause", line(&head, control::control(some, &order(Action::Pause), now))),
            ("resume", line(&head, control::control(some, &order(Action::Resume), now))),
            ("terminate", line(&head, control::control(some, &order(terminate()), now))),
            ("restart", line(&head, control::control(some, &order(Action::Restart), now))),
            ("restart from", line(&head, control::control(some, &order(restart_from()), now))),
            ("delete", line(&head, control::control(some, &order(Action::Delete), now))),
            (
                "pause, another run",
                line(&head, control::control(some, &Control { run: Some(2), ..order(Action::Pause) }, now)),
            ),
            ("claim", line(&head, super::taken(&head, &super::claim(MINE, "order"), now))),
            ("claim, another session", line(&head, super::taken(&head, &super::claim(OTHER, "order"), now))),
            ("claim, unknown workflow", line(&head, super::taken(&head, &super::claim(MINE, "x"), now))),
            ("own: hold", line(&head, own::own(some, &by_owner(write(Then::Hold)), true, now))),
            ("own: records", line(&head, own::own(some, &by_owner(records), true, now))),
            ("own: suspend", line(&head, own::own(some, &by_owner(write(suspend(waits()))), true, now))),
            ("own: finish", line(&head, own::own(some, &by_owner(write(finish())), true, now))),
            ("own: park", line(&head, own::own(some, &by_owner(write(parked)), true, now))),
            ("own: release", line(&head, own::own(some, &by_owner(write(Then::Release)), true, now))),
            ("own: forked", line(&head, own::own(some, &by_owner(write(Then::Forked)), true, now))),
            ("own: mark", line(&head, own::own(some, &by_owner(write(Then::Mark)), true, now))),
            ("own: clear", line(&head, own::own(some, &by_owner(write(Then::Clear)), true, now))),
            ("own: revoked", line(&head, own::own(some, &by_owner(write(Then::Hold)), false, now))),
            ("recover", line(&head, hand_over(&id("i"), &head, MINE, Loss::Crashed, now))),
            ("close session", line(&head, hand_over(&id("i"), &head, MINE, Loss::Closed, now))),
            ("recover another", line(&head, hand_over(&id("i"), &head, OTHER, Loss::Crashed, now))),
            ("wake due", line(&head, sweep::wake_due(&head, true, now))),
            ("unstick", line(&head, sweep::unstick(&head, Duration::from_millis(250), now))),
            ("expired", format!("{}", sweep::expired(&head, 0, later(500)))),
        ];
        let _ = writeln!(table, "## {name}");
        for (command, outcome) in rows {
            let _ = writeln!(table, "{command:26} {outcome}");
        }
        table.push('\n');
    }
    expect_file!["matrix.txt"].assert_eq(&table);
}

#[test]
fn what_does_not_exist_is_unknown_or_gone() {
    let fresh = send::Facts { known: false, alive: true };
    assert_eq!(line(&held(), send::send(None, &event("e"), fresh, NOW)), "Unknown");
    assert_eq!(line(&held(), control::control(None, &order(Action::Pause), NOW)), "Unknown");
    assert_eq!(line(&held(), own::own(None, &by_owner(write(Then::Hold)), true, NOW)), "Gone");
}
