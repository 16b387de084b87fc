//! Limits under any sequence of requests: shares, and the starts of a rate in every span.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::workflow;
use crate::journal::lease::{Lease, LeaseReply, LimitName};
use crate::journal::table::Hint;
use crate::journal::table::limit::{Leased, Limit, Share, lease};
use crate::words::id::{QueueName, SessionId};
use crate::words::time::Timestamp;

/// What a session does: lets time pass, uses some of what it has, or takes none of it; and then asks.
#[derive(Debug, Clone)]
struct Turn {
    session: u128,
    pause: u16,
    used: u32,
    want: u32,
    /// It is lost after this, and what it used last is told by nobody.
    lost: bool,
    /// A copy of an earlier request arrives as well.
    copy: Option<usize>,
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let turn = (
        0..3_u128,
        prop_oneof![0..400_u16, Just(9_000_u16)],
        0..4_u32,
        0..6_u32,
        prop::bool::weighted(0.1),
        prop::option::weighted(0.2, 0..9_usize),
    )
        .prop_map(|(session, pause, used, want, lost, copy)| Turn { session, pause, used, want, lost, copy });
    prop::collection::vec(turn, 1..120)
}

/// A store of one limit, and sessions that keep to its answers.
struct Play {
    limit: Option<Limit>,
    request: Lease,
    now: Timestamp,
    /// By place: the session's name now, and its tokens.
    sessions: BTreeMap<u128, (SessionId, u32)>,
    next: u128,
    sent: Vec<Lease>,
}

impl Play {
    fn new(name: LimitName, per: Option<Duration>) -> Self {
        let request = Lease { session: SessionId(0), name, number: 0, limit: 4, per, spent: 0, held: 0, want: 0 };
        let now = Timestamp::from_millis(1_000_003);
        Self { limit: None, request, now, sessions: BTreeMap::new(), next: 100, sent: Vec::new() }
    }

    fn send(&mut self, request: &Lease) -> LeaseReply {
        let known: Vec<SessionId> = self.sessions.values().map(|(session, _)| *session).collect();
        let alive = known.contains(&request.session);
        let leased = lease(self.limit.as_ref(), request, alive, &|session| known.contains(&session), self.now);
        self.limit = leased.limit.or(self.limit.take());
        leased.reply
    }

    /// Asks, and returns the share.
    fn ask(&mut self, place: u128, spent: u32, held: u32, want: u32) -> u32 {
        self.request.number += 1;
        let (session, _) = self.sessions[&place];
        let request = Lease { session, spent, held, want, ..self.request.clone() };
        self.sent.push(request.clone());
        let LeaseReply::Granted { tokens, .. } = self.send(&request) else { panic!("it lives and asks anew") };
        self.sessions.insert(place, (session, tokens));
        tokens
    }

    fn begin(&mut self, turn: &Turn) {
        self.now = self.now.shifted(i64::from(turn.pause));
        if !self.sessions.contains_key(&turn.session) {
            self.next += 1;
            self.sessions.insert(turn.session, (SessionId(self.next), 0));
        }
    }

    fn end(&mut self, turn: &Turn) {
        if let Some(copy) = turn.copy.and_then(|back| self.sent.len().checked_sub(back + 1)) {
            let copy = self.sent[copy].clone();
            // Nobody hears what it is answered.
            let _ = self.send(&copy);
        }
        if turn.lost {
            self.sessions.remove(&turn.session);
        }
    }
}

proptest! {
    #[test]
    fn what_sessions_hold_is_never_more_than_the_limit(turns in turns()) {
        let mut play = Play::new(LimitName::Workflow(workflow("order")), None);
        for turn in turns {
            play.begin(&turn);
            let held = play.sessions[&turn.session].1.min(turn.used);
            play.ask(turn.session, 0, held, turn.want);
            play.end(&turn);
            let all: u32 = play.sessions.values().map(|(_, tokens)| tokens).sum();
            prop_assert!(all <= 4, "{:?}", play.sessions);
        }
    }

    #[test]
    fn no_span_ever_has_more_starts_than_there_are(turns in turns(), per in 1..9_000_u64) {
        let per = Duration::from_millis(per);
        let mut play = Play::new(LimitName::Queue(QueueName::new("q").expect("valid")), Some(per));
        let mut starts: Vec<Timestamp> = Vec::new();
        for turn in turns {
            play.begin(&turn);
            // Tokens are used some time after they were given, and told some time after that.
            let used = play.sessions[&turn.session].1.min(turn.used);
            starts.extend((0..used).map(|_| play.now));
            if !turn.lost {
                play.now = play.now.shifted(i64::from(turn.pause % 3));
                play.ask(turn.session, used, 0, turn.want);
            }
            play.end(&turn);
            for (first, last) in starts.iter().zip(starts.iter().skip(4)) {
                prop_assert!(*last >= first.after(per), "{first:?} and {last:?} within {per:?}");
            }
        }
    }
}

#[test]
fn who_asks_all_the_time_gets_nearly_all_of_a_rate() {
    let per = Duration::from_secs(1);
    let mut play = Play::new(LimitName::Queue(QueueName::new("q").expect("valid")), Some(per));
    let (mut starts, ends) = (Vec::new(), play.now.shifted(100_000));
    play.begin(&Turn { session: 1, pause: 0, used: 0, want: 0, lost: false, copy: None });
    while play.now < ends {
        let tokens = play.ask(1, 0, 0, 4);
        play.ask(1, tokens, 0, 0);
        starts.extend((0..tokens).map(|_| play.now));
        play.now = play.now.shifted(1);
    }
    // Four a second for a hundred seconds.
    assert!((396..=400).contains(&starts.len()), "{}", starts.len());
    assert!(starts.iter().zip(starts.iter().skip(4)).all(|(first, last)| *last >= first.after(per)));
}

/// The session that asks, another one that lives, and one that the store does not know any more.
const ASKS: SessionId = SessionId(1);
const LIVES: SessionId = SessionId(2);
const GONE: SessionId = SessionId(3);
const NOW: Timestamp = Timestamp::from_millis(1_000_000);
const PER: Duration = Duration::from_secs(10);

/// A request for `want`, of which `held` are in use; `spent` are.
#[derive(Clone, Copy)]
struct Asked {
    spent: u32,
    held: u32,
    want: u32,
}

/// What becomes of a request, where these have some already of as many as there are.
fn asked(shares: &[(SessionId, u32)], of: u32, per: Option<Duration>, asked: Asked) -> Leased {
    let share = |(session, tokens): &(SessionId, u32)| Share { session: *session, number: 1, tokens: *tokens };
    let limit = Limit { shares: shares.iter().map(share).collect(), spent: Vec::new() };
    let Asked { spent, held, want } = asked;
    let name = LimitName::Workflow(workflow("order"));
    let request = Lease { session: ASKS, name, number: 2, limit: of, per, spent, held, want };
    lease(Some(&limit), &request, true, &|session| session != GONE, NOW)
}

fn tokens(leased: &Leased) -> u32 {
    match leased.reply {
        LeaseReply::Granted { tokens, .. } => tokens,
        other => panic!("it lives, and asks anew: {other:?}"),
    }
}

#[test]
fn only_a_request_that_changes_something_is_written_down() {
    let kept = |shares: &[(SessionId, u32)], per, request| asked(shares, 4, per, request).limit.is_some();
    let mine = [(ASKS, 2)];
    assert!(!kept(&mine, None, Asked { spent: 0, held: 2, want: 2 }), "it has that already");
    assert!(!kept(&[(ASKS, 0), (LIVES, 4)], None, Asked { spent: 0, held: 0, want: 1 }), "there is none");
    assert!(kept(&mine, None, Asked { spent: 0, held: 2, want: 3 }), "it gets another");
    assert!(kept(&mine, None, Asked { spent: 0, held: 1, want: 1 }), "it gives one back");
    assert!(kept(&mine, None, Asked { spent: 0, held: 1, want: 2 }), "one of them is not in use any more");
    assert!(kept(&[(ASKS, 2), (GONE, 1)], None, Asked { spent: 0, held: 2, want: 2 }), "another one is gone");
    assert!(kept(&mine, Some(PER), Asked { spent: 2, held: 2, want: 2 }), "some were spent");
}

/// A request of a rate of four a time, of which so many are counted as spent from these times on.
fn rated(spent: &[(Timestamp, u32)], asked: Asked) -> Leased {
    let name = LimitName::Queue(QueueName::new("q").expect("valid"));
    let limit = Limit { shares: vec![Share { session: ASKS, number: 1, tokens: 0 }], spent: spent.to_vec() };
    let Asked { spent, held, want } = asked;
    let request = Lease { session: ASKS, name, number: 2, limit: 4, per: Some(PER), spent, held, want };
    lease(Some(&limit), &request, true, &|_| true, NOW)
}

#[test]
fn tokens_that_are_counted_from_a_time_to_come_are_counted_from_now_by_any_request() {
    let nothing = Asked { spent: 0, held: 0, want: 0 };
    let at = |counted: Timestamp| rated(&[(counted, 3)], nothing).limit;
    // Times are counted in hundredths.
    for counted in [NOW.shifted(-1_000), NOW.shifted(100)] {
        assert_eq!(at(counted), None, "nothing to mend");
    }
    for ahead in [101, 3_600_000] {
        let mended = at(NOW.shifted(ahead)).expect("the clock was set back").spent;
        assert_eq!(mended, [(NOW.shifted(100), 3)]);
    }
}

#[test]
fn a_spent_token_counts_for_its_time_and_not_a_moment_longer() {
    let over = NOW.shifted(-10_000);
    let spent = |entries: &[(Timestamp, u32)], spent| {
        let leased = rated(entries, Asked { spent, held: 0, want: 4 });
        (tokens(&leased), leased.limit.expect("it got some").spent)
    };
    assert_eq!(spent(&[(over, 3)], 0), (4, vec![]));
    assert_eq!(spent(&[(over.shifted(1), 3)], 0), (1, vec![(over.shifted(1), 3)]));
    assert_eq!(spent(&[(over.shifted(1), 1)], 2), (1, vec![(over.shifted(1), 1), (NOW.shifted(100), 2)]));
}

#[test]
fn who_gets_fewer_than_it_wants_of_a_rate_is_told_when_the_next_are_free() {
    let free_at = |spent: &[(Timestamp, u32)], want| match rated(spent, Asked { spent: 0, held: 0, want }).reply {
        LeaseReply::Granted { free_at, .. } => free_at,
        other => panic!("it lives, and asks anew: {other:?}"),
    };
    let first = NOW.shifted(-4_000);
    let spent = [(first, 1), (NOW.shifted(-1_000), 2)];
    assert_eq!(free_at(&spent, 2), Some(first.after(PER)));
    assert_eq!(free_at(&spent, 1), None, "it has what it wants");
    assert_eq!(free_at(&[], 5), None, "nothing is spent that could come free");
}

#[test]
fn a_repeat_is_answered_as_the_first_time_and_a_copy_of_an_older_request_is_late() {
    let number = |number| {
        let limit = Limit { shares: vec![Share { session: ASKS, number: 2, tokens: 3 }], spent: Vec::new() };
        let name = LimitName::Workflow(workflow("order"));
        let request = Lease { session: ASKS, name, number, limit: 4, per: None, spent: 0, held: 0, want: 1 };
        lease(Some(&limit), &request, true, &|_| true, NOW)
    };
    assert_eq!((number(1).reply, number(1).limit), (LeaseReply::Late, None));
    assert_eq!((tokens(&number(2)), number(2).limit), (3, None));
    assert_eq!(tokens(&number(3)), 1);
}

#[test]
fn others_are_told_of_tokens_that_came_free_and_of_nothing_else() {
    let told = |shares: &[(SessionId, u32)], of, per, request| asked(shares, of, per, request).hint.is_some();
    let name = LimitName::Workflow(workflow("order"));
    let back = asked(&[(ASKS, 3)], 4, None, Asked { spent: 0, held: 1, want: 1 });
    assert_eq!((tokens(&back), back.hint), (1, Some(Hint::Limit(name))));
    assert!(!told(&[(ASKS, 2)], 4, None, Asked { spent: 0, held: 2, want: 3 }), "it took one");
    assert!(!told(&[(ASKS, 2)], 4, None, Asked { spent: 0, held: 1, want: 2 }), "it keeps what it had");
    assert!(!told(&[(ASKS, 3)], 4, Some(PER), Asked { spent: 2, held: 0, want: 1 }), "what was spent is not free");
    assert!(told(&[(ASKS, 3)], 4, Some(PER), Asked { spent: 1, held: 0, want: 1 }), "one of them is");
    assert!(told(&[(GONE, 1)], 4, None, Asked { spent: 0, held: 0, want: 1 }), "what another one had");
    let all = [(LIVES, 3), (GONE, 1)];
    assert!(!told(&all, 4, None, Asked { spent: 0, held: 0, want: 1 }), "it took what came free");
    let lowered = [(ASKS, 2), (LIVES, 2)];
    assert!(!told(&lowered, 1, None, Asked { spent: 0, held: 1, want: 1 }), "there are too many already");
}
