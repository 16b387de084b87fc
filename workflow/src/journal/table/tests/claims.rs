//! What a claim gives and says, what its limits allow, and what it leaves as it is.

use super::*;
use crate::journal::lease::LimitName;
use crate::journal::table::Hint;
use crate::journal::table::claim::{again, noticed};

fn queue(text: &str) -> QueueName {
    QueueName::new(text).expect("valid")
}

fn within(limits: Vec<(LimitName, u32)>) -> Claim {
    Claim { limits, ..claim(MINE, "order") }
}

/// An instance that no worker ever held.
fn fresh() -> Head {
    Head { begun: false, ..at(Place::Ready { score: 0 }) }
}

fn is_given(head: &Head, claim: &Claim, allowed: &mut Allowance) -> bool {
    matches!(take(&id("i"), head, claim, allowed, NOW).reply, Taken::Given(_))
}

#[test]
fn a_claim_gives_no_more_than_its_tokens_and_says_what_it_was_short_of() {
    let (workflow, rate) = (LimitName::Workflow(workflow("order")), LimitName::Queue(queue("q")));
    let claim = within(vec![(workflow.clone(), 2), (rate.clone(), 9)]);
    let mut allowed = Allowance::of(&claim);
    let begun = at(Place::Ready { score: 0 });
    let given = [fresh(), begun.clone(), begun, fresh()].map(|head| is_given(&head, &claim, &mut allowed));
    assert_eq!(given, [true, true, false, false]);
    assert_eq!(allowed.told(), (vec![workflow], vec![(queue("q"), 1)]), "what had begun is no start");
}

#[test]
fn a_rate_bounds_what_starts_and_not_what_has_begun() {
    let rate = LimitName::Queue(queue("q"));
    let claim = within(vec![(rate.clone(), 1)]);
    let mut allowed = Allowance::of(&claim);
    assert!(is_given(&fresh(), &claim, &mut allowed));
    assert!(!is_given(&fresh(), &claim, &mut allowed));
    assert!(is_given(&at(Place::Ready { score: 0 }), &claim, &mut allowed));
    assert_eq!(allowed.told(), (vec![rate], vec![(queue("q"), 1)]));
}

#[test]
fn what_has_no_limit_is_given_whatever_tokens_there_are() {
    let others = within(vec![
        (LimitName::Workflow(workflow("other")), 0),
        (LimitName::Queue(queue("order")), 0),
        (LimitName::Workflow(workflow("q")), 0),
    ]);
    for claim in [others, claim(MINE, "order")] {
        let mut allowed = Allowance::of(&claim);
        for _ in 0..3 {
            assert!(is_given(&fresh(), &claim, &mut allowed));
        }
        assert_eq!(allowed.told(), (Vec::new(), Vec::new()));
    }
}

#[test]
fn a_list_that_was_refused_once_is_refused_for_the_rest_of_the_claim() {
    let names = [LimitName::Workflow(workflow("order")), LimitName::Queue(queue("q"))];
    let claim = within(names.iter().map(|name| (name.clone(), 0)).collect());
    let mut allowed = Allowance::of(&claim);
    assert!(!allowed.admits(&queue("q"), &workflow("order"), false));
    assert!(!allowed.admits(&queue("q"), &workflow("order"), false));
    assert!(allowed.admits(&queue("q"), &workflow("other"), true), "another list");
    assert_eq!(allowed.told().0, names, "all that it was short of: it needs them at once");
}

#[test]
fn what_is_woken_and_has_no_token_leaves_the_inbox_for_the_ready_list() {
    let claim = within(vec![(LimitName::Workflow(workflow("order")), 0)]);
    let woken = at(Place::Inbox { session: MINE, since: ago(5), waits: waits() });
    let aside = taken(&woken, &claim, NOW);
    let head = aside.head.expect("moved");
    assert_eq!(aside.reply, Taken::SetAside);
    assert!(matches!(head.place, Place::Ready { .. }), "{head:?}");
    assert_eq!((head.v, head.updated_at), (V + 1, NOW));
    assert_eq!(aside.effects.hints, [Hint::Ready(queue("q"))]);
    let ready = taken(&at(Place::Ready { score: 0 }), &claim, NOW);
    assert_eq!((ready.head, ready.reply), (None, Taken::Left), "what is ready already stays where it is");
}

#[test]
fn what_a_claim_gives_it_gives_with_all_that_is_unread() {
    let claim = claim(MINE, "order");
    let unread = Head { arrivals: 4, unread: 2, pause: true, shift_ms: 7, ..at(Place::Ready { score: 0 }) };
    let first = taken(&unread, &claim, NOW);
    let head = first.head.expect("held");
    assert_eq!((head.place.clone(), head.begun), (Place::Held { session: MINE, notice: false }, true));
    assert_eq!((head.v, head.updated_at), (V + 1, NOW));
    let second = again(&id("i"), Some(&head), &claim, head.v, NOW);
    assert_eq!((&second.reply, second.head), (&first.reply, None), "the same, and nothing changes");
    for effects in [first.effects, second.effects] {
        assert_eq!(effects.messages_after, Some(0));
    }
    let Taken::Given(claimed) = first.reply else { panic!("given") };
    assert_eq!((claimed.run, claimed.v, claimed.records), (1, V + 1, 2));
    assert_eq!((claimed.arrivals, claimed.shift_ms, claimed.suspect), (4, 7, false));
    assert_eq!((claimed.granted.v, claimed.granted.now, claimed.granted.pause), (V + 1, NOW, true));
}

#[test]
fn a_suspect_is_given_as_one() {
    for (suspect, is_one) in
        [(Suspect::No, false), (Suspect::Yes { crashes: 0 }, true), (Suspect::Marked { crashes: 1 }, true)]
    {
        let head = Head { suspect, ..at(Place::Ready { score: 0 }) };
        let Taken::Given(claimed) = taken(&head, &claim(MINE, "order"), NOW).reply else { panic!("given") };
        assert_eq!(claimed.suspect, is_one, "{suspect:?}");
    }
}

#[test]
fn a_notice_is_given_once_and_changes_nothing_else() {
    let head = at(Place::Held { session: MINE, notice: true });
    let told = noticed(&head).expect("there is one");
    assert_eq!(told, held());
    assert_eq!(noticed(&told), None);
    assert_eq!(noticed(&at(Place::Ready { score: 0 })), None);
}

#[test]
fn an_unknown_version_goes_to_the_shelf_and_is_taken_from_there_by_who_knows_it() {
    let shelved = taken(&at(Place::Ready { score: 0 }), &claim(MINE, "another"), NOW);
    assert_eq!(shelved.reply, Taken::Shelved);
    let head = shelved.head.expect("moved");
    assert_eq!((&head.place, head.v, head.updated_at), (&Place::Shelved, V, NOW));
    assert_eq!(taken(&head, &claim(MINE, "another"), NOW).reply, Taken::Left);
    let older = Claim { known: Arc::new([(workflow("order"), 2)]), ..claim(MINE, "order") };
    assert_eq!(taken(&head, &older, NOW).reply, Taken::Left, "another version");
    assert!(matches!(taken(&head, &claim(MINE, "order"), NOW).reply, Taken::Given(_)));
}
