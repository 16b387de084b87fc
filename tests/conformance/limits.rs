//! Limits: what a claim gives within its tokens, what it says of them, how tokens are leased; and quotas of queues.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::Receiver;
use workflow::journal::command::{Claim, ClaimReply, Command, Create, Reply};
use workflow::journal::head::{Place, State};
use workflow::journal::lease::{Lease, LeaseReply, LimitName};
use workflow::store::{Hint, Hinted};
use workflow::words::id::{QueueName, SessionId};
use workflow::words::time::Timestamp;

use crate::world::{World, finish, names, queue, suspend, wait_for, workflow_name};

on_every_store!(
    no_more_is_given_of_a_workflow_than_there_are_tokens,
    what_was_passed_by_is_given_later_in_its_old_order,
    a_limit_is_short_only_where_something_was_passed_by,
    what_waits_for_tokens_is_in_nobodys_way,
    a_rate_holds_up_only_what_never_began,
    a_restart_is_a_start,
    what_needs_two_limits_is_short_of_both,
    what_was_woken_without_a_token_is_ready_for_anyone,
    what_is_on_a_shelf_needs_tokens_too,
    a_repeated_claim_gives_the_same_whatever_its_tokens,
    a_late_copy_of_a_claim_that_gave_nothing_spends_no_tokens,
    each_queue_first_gives_its_quota_and_then_the_scores_decide,
    a_flood_of_urgent_work_starves_nobody,
    shares_are_never_more_than_the_limit,
    a_share_never_becomes_smaller_than_what_is_held,
    a_lease_that_is_repeated_is_answered_as_the_first_time,
    a_lease_in_vain_that_is_repeated_asks_again,
    only_tokens_that_others_can_have_are_told_of,
    a_late_lease_changes_nothing,
    a_closed_session_has_no_share,
    a_lost_session_has_its_share_until_its_instances_are_taken_over,
    a_lease_of_an_unknown_or_lost_session_is_fenced,
    a_spent_token_counts_until_its_time_is_over,
    tokens_of_a_rate_that_were_not_spent_come_back_at_once,
    what_a_lost_session_had_of_a_rate_counts_as_spent,
    what_was_spent_while_the_clock_was_ahead_counts_no_longer_than_anything_else,
);

fn order() -> LimitName {
    LimitName::Workflow(workflow_name("order"))
}

fn mail() -> LimitName {
    LimitName::Queue(queue("q"))
}

/// A claim of two workflows in two queues, within limits.
fn within(w: &World, session: SessionId, limits: &[(LimitName, u32)]) -> Claim {
    Claim {
        queues: Arc::new([queue("q"), queue("r")]),
        known: Arc::new([(workflow_name("order"), 1), (workflow_name("refund"), 1)]),
        limits: limits.to_vec(),
        ..w.new_claim(session)
    }
}

/// What it gives, what it was short of, and what it spent of queues.
fn told(w: &World, claim: &Claim) -> (Vec<String>, Vec<LimitName>, Vec<(QueueName, u32)>) {
    match w.claim_as(claim) {
        ClaimReply::Given { instances, short, started, .. } => {
            (instances.iter().map(|claimed| claimed.id.to_string()).collect(), short, started)
        }
        ClaimReply::Fenced => panic!("fenced"),
    }
}

fn make(w: &World, name: &str, workflow: &str) {
    w.make_with(name, |spec| spec.workflow = workflow_name(workflow));
    w.advance(1);
}

fn no_more_is_given_of_a_workflow_than_there_are_tokens(w: &mut World) {
    let session = w.open(1);
    for (name, workflow) in [("a", "order"), ("b", "order"), ("c", "refund"), ("d", "order")] {
        make(w, name, workflow);
    }
    let (given, short, started) = told(w, &within(w, session, &[(order(), 1)]));
    assert_eq!((given.concat().as_str(), short, started), ("ac", vec![order()], Vec::new()));
    let (given, short, _) = told(w, &within(w, session, &[(order(), 0)]));
    assert_eq!((given.len(), short), (0, vec![order()]));
    assert_eq!((w.state("b"), w.state("d")), (State::Queued, State::Queued));
}

fn what_was_passed_by_is_given_later_in_its_old_order(w: &mut World) {
    let session = w.open(1);
    for (name, workflow) in [("a", "order"), ("b", "refund"), ("c", "order")] {
        make(w, name, workflow);
    }
    assert_eq!(told(w, &Claim { limit: 1, ..within(w, session, &[(order(), 0)]) }).0.concat(), "b");
    make(w, "d", "refund");
    make(w, "e", "order");
    assert_eq!(told(w, &within(w, session, &[])).0.concat(), "acde");
}

fn a_limit_is_short_only_where_something_was_passed_by(w: &mut World) {
    let session = w.open(1);
    make(w, "a", "refund");
    make(w, "b", "order");
    let one = Claim { limit: 1, ..within(w, session, &[(order(), 0), (mail(), 9)]) };
    // It has enough before it comes to what has no token.
    assert_eq!(told(w, &one), (vec!["a".to_owned()], Vec::new(), vec![(queue("q"), 1)]));
    let one = Claim { limit: 1, ..within(w, session, &[(order(), 0), (mail(), 9)]) };
    assert_eq!(told(w, &one), (Vec::new(), vec![order()], Vec::new()));
    assert_eq!(told(w, &Claim { limit: 0, ..one }).1, Vec::new(), "it asked for nothing");
}

fn what_waits_for_tokens_is_in_nobodys_way(w: &mut World) {
    let session = w.open(1);
    let create = |number: u32| {
        let create = w.new_instance(&format!("order-{number:04}"));
        Command::Create(Create { request: w.request(), ..create })
    };
    w.execute((0..400).map(create).collect());
    w.advance(1);
    make(w, "behind", "refund");
    make(w, "last", "refund");
    let two = Claim { limit: 2, ..within(w, session, &[(order(), 0)]) };
    assert_eq!(told(w, &two).0, ["behind", "last"]);
    let (given, short, _) = told(w, &within(w, session, &[(order(), 70)]));
    assert_eq!((given.len(), given[69].as_str(), short), (70, "order-0069", vec![order()]));
}

fn a_rate_holds_up_only_what_never_began(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("woken", session);
    w.done(&mut held, suspend(vec![wait_for("x")]));
    w.crash(session);
    let session = w.open(2);
    // What is new has waited for more than a day, and so comes first.
    for name in ["a", "b", "c"] {
        make(w, name, "order");
    }
    w.advance(2 * 24 * 60 * 60 * 1000);
    w.send("woken", "x", "e");
    let (given, short, started) = told(w, &within(w, session, &[(mail(), 0)]));
    assert_eq!((given.concat().as_str(), short, started), ("woken", vec![mail()], Vec::new()));
    let (given, short, started) = told(w, &within(w, session, &[(mail(), 2)]));
    assert_eq!((given.concat().as_str(), short, started), ("ab", vec![mail()], vec![(queue("q"), 2)]));
}

fn a_restart_is_a_start(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("a", session);
    w.done(&mut held, finish("1"));
    w.control("a", workflow::journal::command::Action::Restart);
    assert_eq!(told(w, &within(w, session, &[(mail(), 0)])), (Vec::new(), vec![mail()], Vec::new()));
    assert_eq!(told(w, &within(w, session, &[(mail(), 1)])).2, [(queue("q"), 1)]);
}

fn what_needs_two_limits_is_short_of_both(w: &mut World) {
    let session = w.open(1);
    make(w, "a", "order");
    let tokens = |of_order, of_queue| [(order(), of_order), (mail(), of_queue)];
    assert_eq!(told(w, &within(w, session, &tokens(0, 0))).1, [order(), mail()]);
    assert_eq!(told(w, &within(w, session, &tokens(0, 1))).1, [order()]);
    assert_eq!(told(w, &within(w, session, &tokens(1, 0))).1, [mail()]);
    assert_eq!(told(w, &within(w, session, &tokens(1, 1))), (vec!["a".to_owned()], vec![], vec![(queue("q"), 1)]));
}

fn what_was_woken_without_a_token_is_ready_for_anyone(w: &mut World) {
    let (mine, other) = (w.open(1), w.open(2));
    let mut held = w.hold("a", mine);
    w.done(&mut held, suspend(vec![wait_for("x")]));
    w.send("a", "x", "e");
    assert_eq!(w.state("a"), State::Running, "it was woken for its session");
    assert_eq!(told(w, &within(w, mine, &[(order(), 0)])), (Vec::new(), vec![order()], Vec::new()));
    assert!(matches!(w.head("a").place, Place::Ready { .. }));
    assert_eq!(told(w, &within(w, other, &[(order(), 1)])).0, ["a"]);
}

fn what_is_on_a_shelf_needs_tokens_too(w: &mut World) {
    let session = w.open(1);
    let mut held = w.hold("begun", session);
    w.done(&mut held, suspend(vec![wait_for("x")]));
    w.crash(session);
    let session = w.open(2);
    w.send("begun", "x", "e");
    make(w, "a", "order");
    make(w, "b", "order");
    let unknown = Claim { known: Arc::new([(workflow_name("refund"), 1)]), ..within(w, session, &[]) };
    assert!(told(w, &unknown).0.is_empty());
    assert_eq!(w.head("a").place, Place::Shelved);
    assert_eq!(told(w, &within(w, session, &[(order(), 0)])), (Vec::new(), vec![order()], Vec::new()));
    let (given, short, started) = told(w, &within(w, session, &[(mail(), 1)]));
    assert_eq!((given.join(" ").as_str(), short, started), ("a begun", vec![mail()], vec![(queue("q"), 1)]));
    assert_eq!(w.head("b").place, Place::Shelved);
    assert_eq!(told(w, &within(w, session, &[])).0, ["b"]);
}

fn a_repeated_claim_gives_the_same_whatever_its_tokens(w: &mut World) {
    let session = w.open(1);
    make(w, "a", "order");
    make(w, "b", "order");
    let claim = within(w, session, &[(order(), 1), (mail(), 1)]);
    assert_eq!(told(w, &claim), (vec!["a".to_owned()], vec![order(), mail()], vec![(queue("q"), 1)]));
    let again = Claim { limits: vec![(order(), 0)], ..claim };
    assert_eq!(told(w, &again), (vec!["a".to_owned()], Vec::new(), Vec::new()));
}

/// Once it was answered the worker gives its tokens back, and others may have them when the copy comes.
fn a_late_copy_of_a_claim_that_gave_nothing_spends_no_tokens(w: &mut World) {
    let session = w.open(1);
    let claim = within(w, session, &[(order(), 1), (mail(), 1)]);
    assert_eq!(told(w, &claim), (Vec::new(), Vec::new(), Vec::new()));
    make(w, "a", "order");
    assert_eq!(told(w, &claim), (Vec::new(), Vec::new(), Vec::new()));
    assert_eq!(w.state("a"), State::Queued);
    let newer = within(w, session, &[(order(), 1), (mail(), 1)]);
    assert_eq!(told(w, &newer).0, ["a"]);
    make(w, "b", "order");
    assert_eq!(told(w, &claim), (Vec::new(), Vec::new(), Vec::new()), "it is older than what is remembered");
}

fn each_queue_first_gives_its_quota_and_then_the_scores_decide(w: &mut World) {
    let session = w.open(1);
    for (name, of) in [("a", "r"), ("b", "r"), ("c", "r"), ("d", "q"), ("e", "q"), ("f", "q")] {
        w.make_with(name, |spec| spec.queue = queue(of));
        w.advance(1);
    }
    let quotas = |quotas: &[usize], limit| Claim { quotas: quotas.to_vec(), limit, ..within(w, session, &[]) };
    assert_eq!(told(w, &quotas(&[1, 0], 1)).0, ["d"]);
    assert_eq!(told(w, &quotas(&[1, 1], 3)).0, ["e", "a", "b"], "what is left goes by score");
    assert_eq!(told(w, &quotas(&[9, 1], 9)).0, ["f", "c"], "what one has not, others have");
}

fn a_flood_of_urgent_work_starves_nobody(w: &mut World) {
    let session = w.open(1);
    w.make_with("z", |spec| spec.priority = 255);
    let mut before = 0;
    for round in 1..100 {
        // Twice as much urgent work as is done.
        w.advance(450_000);
        w.make(&format!("a{round}"));
        w.make(&format!("b{round}"));
        let given = w.claim_with(&Claim { limit: 1, ..w.new_claim(session) }).0;
        if names(&given) == ["z"] {
            break;
        }
        before += given.len();
    }
    // What was made in the first 255 times 30 seconds, and nothing that was made later.
    assert_eq!(before, 2 * 255 * 30 / 450);
}

// ---- tokens

fn lease_as(w: &World, lease: &Lease) -> LeaseReply {
    match w.apply(Command::Lease(lease.clone())) {
        Reply::Lease(reply) => reply,
        other => panic!("not the answer to a lease: {other:?}"),
    }
}

/// Three tokens of `order` for all.
fn lease(w: &World, session: SessionId, held: u32, want: u32) -> Lease {
    let number = u64::try_from(w.request().0).expect("small");
    Lease { session, name: order(), number, limit: 3, per: None, spent: 0, held, want }
}

/// Two starts in a second for all.
fn rate(w: &World, session: SessionId, spent: u32, want: u32) -> Lease {
    let per = Some(Duration::from_secs(1));
    Lease { name: mail(), limit: 2, per, spent, ..lease(w, session, 0, want) }
}

fn tokens(w: &World, lease: &Lease) -> u32 {
    match lease_as(w, lease) {
        LeaseReply::Granted { tokens, .. } => tokens,
        other => panic!("not granted: {other:?}"),
    }
}

fn free_at(w: &World, lease: &Lease) -> Option<Timestamp> {
    match lease_as(w, lease) {
        LeaseReply::Granted { free_at, .. } => free_at,
        other => panic!("not granted: {other:?}"),
    }
}

fn shares_are_never_more_than_the_limit(w: &mut World) {
    let (one, two) = (w.open(1), w.open(2));
    assert_eq!(tokens(w, &lease(w, one, 0, 2)), 2);
    assert_eq!(tokens(w, &lease(w, two, 0, 9)), 1);
    assert_eq!(tokens(w, &lease(w, two, 1, 9)), 1);
    assert_eq!(tokens(w, &lease(w, one, 0, 0)), 0);
    assert_eq!(tokens(w, &lease(w, two, 1, 9)), 3);
    // Another limit has its own.
    let other = Lease { name: LimitName::Workflow(workflow_name("refund")), ..lease(w, one, 0, 3) };
    assert_eq!(tokens(w, &other), 3);
}

fn a_share_never_becomes_smaller_than_what_is_held(w: &mut World) {
    let (one, two) = (w.open(1), w.open(2));
    assert_eq!(tokens(w, &lease(w, one, 0, 3)), 3);
    // Started anew with a smaller limit: it cannot take back what runs.
    assert_eq!(tokens(w, &Lease { limit: 1, ..lease(w, one, 2, 3) }), 2);
    assert_eq!(tokens(w, &Lease { limit: 1, ..lease(w, two, 0, 1) }), 0);
    assert_eq!(tokens(w, &lease(w, two, 0, 3)), 1);
}

fn a_lease_that_is_repeated_is_answered_as_the_first_time(w: &mut World) {
    let (one, two) = (w.open(1), w.open(2));
    let first = lease(w, one, 0, 3);
    assert_eq!(tokens(w, &first), 3);
    assert_eq!(tokens(w, &first), 3);
    let spends = rate(w, two, 1, 1);
    assert_eq!(tokens(w, &spends), 1);
    assert_eq!(tokens(w, &spends), 1);
    // Spent once: of two there is one, and that is the session's.
    assert_eq!(tokens(w, &rate(w, one, 0, 1)), 0);
    assert_eq!(tokens(w, &rate(w, two, 0, 0)), 0);
    assert_eq!(tokens(w, &rate(w, one, 0, 2)), 1);
}

fn a_lease_in_vain_that_is_repeated_asks_again(w: &mut World) {
    let (one, two) = (w.open(1), w.open(2));
    assert_eq!(tokens(w, &lease(w, one, 0, 3)), 3);
    let in_vain = lease(w, two, 0, 1);
    assert_eq!(tokens(w, &in_vain), 0);
    assert_eq!(tokens(w, &lease(w, one, 0, 0)), 0);
    assert_eq!(tokens(w, &in_vain), 1);
}

fn only_tokens_that_others_can_have_are_told_of(w: &mut World) {
    let mut hints = w.store().hints();
    let (one, two) = (w.open(1), w.open(2));
    // Spent, and more than there are now.
    let mail = |spent, want| Lease { limit: 3, ..rate(w, one, spent, want) };
    assert_eq!((tokens(w, &mail(0, 2)), tokens(w, &mail(1, 1))), (2, 1));
    let refund = LimitName::Workflow(workflow_name("refund"));
    let fewer = |limit, held| Lease { name: refund.clone(), limit, ..lease(w, one, held, held) };
    assert_eq!((tokens(w, &Lease { want: 3, ..fewer(3, 0) }), tokens(w, &fewer(1, 1))), (3, 1));
    // Given back, and left by one who is gone.
    assert_eq!((tokens(w, &lease(w, one, 0, 3)), tokens(w, &lease(w, one, 1, 1))), (3, 1));
    assert_eq!(told_of(w, &mut hints), order());
    w.count(Command::CloseSession { session: one });
    assert_eq!(tokens(w, &lease(w, two, 0, 1)), 1);
    assert_eq!(told_of(w, &mut hints), order());
}

/// The next limit that is told of.
fn told_of(w: &World, hints: &mut Receiver<Hinted>) -> LimitName {
    let told = async {
        loop {
            if let Hint::Limit(name) = hints.recv().await.expect("the store lives").hint {
                return name;
            }
        }
    };
    w.wait(async { tokio::time::timeout(Duration::from_secs(20), told).await }).expect("it is told of")
}

fn a_late_lease_changes_nothing(w: &mut World) {
    let (one, two) = (w.open(1), w.open(2));
    let late = lease(w, one, 0, 1);
    assert_eq!(tokens(w, &lease(w, one, 0, 3)), 3);
    assert_eq!(lease_as(w, &late), LeaseReply::Late);
    assert_eq!(tokens(w, &lease(w, two, 0, 3)), 0);
}

fn a_closed_session_has_no_share(w: &mut World) {
    let (one, two) = (w.open(1), w.open(2));
    assert_eq!(tokens(w, &lease(w, one, 0, 3)), 3);
    w.count(Command::CloseSession { session: one });
    assert_eq!(tokens(w, &lease(w, two, 0, 3)), 3);
}

fn a_lost_session_has_its_share_until_its_instances_are_taken_over(w: &mut World) {
    let one = w.open(1);
    w.hold("a", one);
    assert_eq!(tokens(w, &lease(w, one, 1, 3)), 3);
    w.lose(one);
    let two = w.open(2);
    assert_eq!(tokens(w, &lease(w, two, 0, 3)), 0, "it may still run");
    w.count(Command::Recover { session: one, limit: 10 });
    assert_eq!(tokens(w, &lease(w, two, 0, 3)), 3);
}

fn a_lease_of_an_unknown_or_lost_session_is_fenced(w: &mut World) {
    assert_eq!(lease_as(w, &lease(w, SessionId(9), 0, 1)), LeaseReply::Fenced);
    let session = w.open(1);
    w.hold("a", session);
    w.lose(session);
    assert_eq!(lease_as(w, &lease(w, session, 0, 1)), LeaseReply::Fenced);
}

fn a_spent_token_counts_until_its_time_is_over(w: &mut World) {
    let session = w.open(1);
    // At the beginning of a hundredth of the span.
    let begin = w.now();
    assert_eq!(begin.as_millis() % 10, 0);
    assert_eq!(tokens(w, &rate(w, session, 0, 2)), 2);
    assert_eq!(tokens(w, &rate(w, session, 1, 1)), 1);
    w.advance(9);
    assert_eq!(tokens(w, &rate(w, session, 1, 0)), 0);
    let free = begin.shifted(1_010);
    assert_eq!(free_at(w, &rate(w, session, 0, 2)), Some(free));
    w.advance(1_000);
    assert_eq!((w.now(), tokens(w, &rate(w, session, 0, 2))), (free.shifted(-1), 0));
    w.advance(1);
    assert_eq!(tokens(w, &rate(w, session, 0, 2)), 2);
    assert_eq!(free_at(w, &rate(w, session, 0, 2)), None, "it has what it wants");
}

fn tokens_of_a_rate_that_were_not_spent_come_back_at_once(w: &mut World) {
    let (one, two) = (w.open(1), w.open(2));
    assert_eq!(tokens(w, &rate(w, one, 0, 2)), 2);
    assert_eq!(tokens(w, &rate(w, two, 0, 2)), 0);
    assert_eq!(free_at(w, &rate(w, two, 0, 2)), None, "nothing was spent that will count no more");
    assert_eq!(tokens(w, &rate(w, one, 1, 0)), 0);
    assert_eq!(tokens(w, &rate(w, two, 0, 2)), 1);
}

fn what_a_lost_session_had_of_a_rate_counts_as_spent(w: &mut World) {
    let (one, two) = (w.open(1), w.open(2));
    assert_eq!(tokens(w, &rate(w, one, 0, 2)), 2);
    w.count(Command::CloseSession { session: one });
    w.advance(500);
    // Nobody said what became of them: they may have been spent just now.
    assert_eq!(tokens(w, &rate(w, two, 0, 2)), 0);
    w.advance(1_009);
    assert_eq!(tokens(w, &rate(w, two, 0, 2)), 0);
    w.advance(1);
    assert_eq!(tokens(w, &rate(w, two, 0, 2)), 2);
}

fn what_was_spent_while_the_clock_was_ahead_counts_no_longer_than_anything_else(w: &mut World) {
    let session = w.open(1);
    let ahead = Duration::from_secs(365 * 24 * 60 * 60);
    w.advance(u64::try_from(ahead.as_millis()).expect("a year"));
    assert_eq!(tokens(w, &rate(w, session, 0, 2)), 2);
    assert_eq!(tokens(w, &rate(w, session, 1, 1)), 1);
    w.advance(10);
    assert_eq!(tokens(w, &rate(w, session, 1, 0)), 0);
    w.clock.set_back(ahead);
    // From here on their time is counted, and asking in vain does not begin it anew.
    let free = w.now().shifted(1_010);
    assert_eq!(free_at(w, &rate(w, session, 0, 2)), Some(free));
    w.advance(500);
    assert_eq!(free_at(w, &rate(w, session, 0, 2)), Some(free));
    w.advance(509);
    assert_eq!(tokens(w, &rate(w, session, 0, 2)), 0);
    w.advance(1);
    assert_eq!(tokens(w, &rate(w, session, 0, 2)), 2);
}
