//! Limits under any sequence of requests: shares, and the starts of a rate in every span.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::workflow;
use crate::journal::lease::{Lease, LeaseReply, LimitName};
use crate::journal::table::limit::{Limit, lease};
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
