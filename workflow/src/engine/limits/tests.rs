//! Each move of a token in the hand, and each bell.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

use super::*;
use crate::engine::host::LeaseClock;

const PARTITION: usize = 0;

fn name() -> LimitName {
    LimitName::Workflow(order())
}

fn order() -> WorkflowName {
    WorkflowName::new("order").expect("valid")
}

/// A worker of one partition that has these tokens of the limit.
fn with(session: &Session, tokens: u32) -> Arc<Limits> {
    let limits = Limits::new(&[LimitRule { name: name(), tokens: 9, per: None }], 1);
    lock(&limits.limits[0].hand).of(session).expect("it lives").share = tokens;
    limits
}

fn told(limits: &Limits, session: &Session, short: bool) -> bool {
    let short = if short { vec![name()] } else { Vec::new() };
    limits.answered(session, PARTITION, &Told { short: &short, started: &[], limit: 1, gave: false })
}

fn is_wanted(limits: &Limits) -> bool {
    lock(&limits.limits[0].hand).wanted.contains_key(&PARTITION)
}

fn is_rung(bell: &Notify) -> bool {
    pin!(bell.notified()).poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

#[test]
fn idle_tokens_are_given_back_at_once_unless_a_claim_is_short_of_them() {
    let mine = Session::new(LeaseClock::Machine, Duration::from_secs(600));
    let limits = with(&mine, 1);
    let token = limits.token(&mine, PARTITION, &order()).expect("it is limited");
    told(&limits, &mine, true);
    assert!(!is_rung(&limits.give_back) && !is_rung(&limits.freed[PARTITION]));
    drop(token);
    assert!(!is_rung(&limits.give_back) && is_rung(&limits.freed[PARTITION]), "the claim can use it");
    told(&limits, &mine, false);
    assert!(is_rung(&limits.give_back));
    drop(limits.token(&mine, PARTITION, &order()));
    assert!(is_rung(&limits.give_back) && !is_rung(&limits.freed[PARTITION]));
}

#[test]
fn what_was_short_is_asked_for_in_the_next_claim_too() {
    let mine = Session::new(LeaseClock::Machine, Duration::from_secs(600));
    let limits = with(&mine, 0);
    told(&limits, &mine, true);
    told(&limits, &mine, false);
    assert!(is_wanted(&limits), "it may need another limit first");
    told(&limits, &mine, false);
    assert!(!is_wanted(&limits));
}

#[test]
fn what_was_refused_just_now_is_not_asked_for_again_until_it_may_be_free() {
    let mine = Session::new(LeaseClock::Machine, Duration::from_secs(600));
    let limits = with(&mine, 0);
    assert!(told(&limits, &mine, true), "it was not asked for");
    lock(&limits.limits[0].hand).ask_at = Some(Instant::now() + ASK_EVERY);
    assert!(!told(&limits, &mine, true));
    assert!(limits.ask_at(PARTITION).is_some());
    limits.may_be_free(Some(&name()));
    assert!(is_rung(&limits.freed[PARTITION]) && told(&limits, &mine, true));
}

#[test]
fn after_a_refusal_there_is_a_pause_although_what_was_refused_should_be_free_by_now() {
    assert_eq!(ask_in(Some(Duration::ZERO)), ASK_PAUSE);
    assert_eq!(ask_in(Some(ASK_EVERY / 2)), ASK_EVERY / 2);
    assert_eq!(ask_in(Some(2 * ASK_EVERY)), ASK_EVERY);
    assert!(ask_in(None) >= ASK_EVERY / 2);
}

#[test]
fn a_token_of_a_lost_session_frees_none_of_the_next() {
    let mine = Session::new(LeaseClock::Machine, Duration::from_secs(600));
    let limits = with(&mine, 1);
    let lost = limits.token(&mine, PARTITION, &order());
    mine.revoke();
    let next = Session::new(LeaseClock::Machine, Duration::from_secs(600));
    lock(&limits.limits[0].hand).of(&next).expect("it lives").share = 1;
    let kept = limits.token(&next, PARTITION, &order());
    drop(lost);
    assert_eq!(limits.health()[0].in_use, 1);
    drop(kept);
    assert_eq!(limits.health()[0].in_use, 0);
}

#[test]
fn an_answer_to_a_lost_session_changes_nothing_of_the_next() {
    let mine = Session::new(LeaseClock::Machine, Duration::from_secs(600));
    let limits = with(&mine, 1);
    mine.revoke();
    let next = Session::new(LeaseClock::Machine, Duration::from_secs(600));
    lock(&limits.limits[0].hand).of(&next).expect("it lives").share = 1;
    let kept = limits.token(&next, PARTITION, &order()).expect("it is limited");
    assert!(limits.token(&mine, PARTITION, &order()).is_none());
    told(&limits, &mine, true);
    assert!(!is_wanted(&limits));
    assert_eq!((limits.health()[0].tokens, limits.health()[0].in_use), (1, 1));
    drop(kept);
    assert_eq!(limits.health()[0].in_use, 0);
}

#[test]
fn a_claim_that_did_not_look_says_nothing_of_what_there_is() {
    let mine = Session::new(LeaseClock::Machine, Duration::from_secs(600));
    let limits = with(&mine, 1);
    told(&limits, &mine, true);
    let is_short = || lock(&limits.limits[0].hand).short.contains(&PARTITION);
    // It asked for no instances.
    limits.answered(&mine, PARTITION, &Told { short: &[], started: &[], limit: 0, gave: false });
    assert!(is_short());
    // It was given again what it had.
    let doubtful = Reserved { tokens: 1, doubtful: true };
    lock(&limits.limits[0].hand).reserved.insert(PARTITION, doubtful);
    told(&limits, &mine, false);
    assert!(is_short());
    told(&limits, &mine, false);
    assert!(!is_short());
}

#[test]
fn a_claim_in_doubt_has_spent_what_it_reserved_if_it_gave_something_and_else_nothing() {
    let mine = Session::new(LeaseClock::Machine, Duration::from_secs(600));
    let name = LimitName::Queue(QueueName::new("mail").expect("valid"));
    let limits = Limits::new(&[LimitRule { name, tokens: 9, per: Some(ASK_EVERY) }], 1);
    lock(&limits.limits[0].hand).of(&mine).expect("it lives").share = 3;
    for (gave, spent) in [(false, 0), (true, 2)] {
        lock(&limits.limits[0].hand).reserved.insert(PARTITION, Reserved { tokens: 2, doubtful: true });
        limits.answered(&mine, PARTITION, &Told { short: &[], started: &[], limit: 1, gave });
        assert_eq!(lock(&limits.limits[0].hand).spent, spent);
    }
}

#[test]
fn idle_tokens_of_a_rate_are_given_back_at_once_whoever_is_short_of_them() {
    let mine = Session::new(LeaseClock::Machine, Duration::from_secs(600));
    let name = LimitName::Queue(QueueName::new("mail").expect("valid"));
    let limits = Limits::new(&[LimitRule { name: name.clone(), tokens: 9, per: Some(ASK_EVERY) }], 1);
    lock(&limits.limits[0].hand).of(&mine).expect("it lives").share = 1;
    limits.answered(&mine, PARTITION, &Told { short: &[name], started: &[], limit: 1, gave: false });
    assert!(is_rung(&limits.give_back));
}

#[test]
fn what_was_spent_is_told_to_the_store_and_is_nothing_for_a_claim() {
    let mine = Session::new(LeaseClock::Machine, Duration::from_secs(600));
    let queue = QueueName::new("mail").expect("valid");
    let name = LimitName::Queue(queue.clone());
    for spent in [0, 2] {
        let limits = Limits::new(&[LimitRule { name: name.clone(), tokens: 9, per: Some(ASK_EVERY) }], 1);
        lock(&limits.limits[0].hand).of(&mine).expect("it lives").share = spent;
        lock(&limits.limits[0].hand).reserve(PARTITION, spent);
        let (short, started) = (vec![name.clone()], vec![(queue.clone(), spent)]);
        limits.answered(&mine, PARTITION, &Told { short: &short, started: &started, limit: 3, gave: spent > 0 });
        let of_hand = |hand: &Hand| (hand.spent, hand.idle());
        assert_eq!(of_hand(&lock(&limits.limits[0].hand)), (spent, 0));
        assert_eq!(is_rung(&limits.give_back), spent > 0);
        assert!(!is_rung(&limits.freed[PARTITION]), "there is nothing idle");
    }
}

#[test]
fn what_is_being_given_back_is_found_by_no_claim() {
    let mine = Session::new(LeaseClock::Machine, Duration::from_secs(600));
    let limits = with(&mine, 3);
    let token = limits.token(&mine, PARTITION, &order());
    let mut hand = lock(&limits.limits[0].hand);
    assert_eq!((hand.idle(), hand.let_go()), (2, (1, 1)));
    assert_eq!((hand.idle(), hand.share), (0, 1));
    drop(hand);
    drop(token);
}

#[test]
fn what_a_claim_asked_for_is_not_given_back_while_it_asks_for_tokens_of_another_limit() {
    let mine = Session::new(LeaseClock::Machine, Duration::from_secs(600));
    let limits = with(&mine, 0);
    let mut hand = lock(&limits.limits[0].hand);
    // Granted: now the answer of the other limit is waited for, and whatever is idle is given back.
    hand.granted(5, Some(Claiming { partition: PARTITION, slots: 3 }));
    assert_eq!(hand.let_go(), (3, 3));
    assert_eq!((hand.share, hand.reserve(PARTITION, 3)), (3, 3), "the claim finds it");
    // What another one gives back is for nobody.
    hand.reserved.clear();
    hand.granted(2, None);
    assert_eq!(hand.let_go(), (0, 0));
}

#[test]
fn only_what_is_limited_is_kept_from_starting_past_a_claim() {
    let mine = Session::new(LeaseClock::Machine, Duration::from_secs(600));
    let limits = with(&mine, 0);
    let (other, queue) = (WorkflowName::new("other").expect("valid"), QueueName::new("order").expect("valid"));
    assert!(limits.concern(&order(), &queue));
    assert!(!limits.concern(&other, &queue), "a queue of the name of a workflow is another matter");
    let rule = LimitRule { name: LimitName::Queue(queue.clone()), tokens: 9, per: Some(ASK_EVERY) };
    let limits = Limits::new(&[rule], 1);
    assert!(limits.concern(&other, &queue));
    assert!(!limits.concern(&order(), &QueueName::new("other").expect("valid")), "nor the other way around");
}

#[test]
fn what_is_idle_is_kept_while_a_claim_is_short_of_it_unless_nobody_came_for_it() {
    let mine = Session::new(LeaseClock::Machine, Duration::from_secs(600));
    let limits = with(&mine, 1);
    let (rule, mut hand) = (&limits.limits[0].rule, lock(&limits.limits[0].hand));
    assert!(hand.has_needless(rule, false) && hand.has_needless(rule, true));
    hand.told(PARTITION, true);
    assert!(!hand.has_needless(rule, false), "the next claim takes it");
    assert!(hand.has_needless(rule, true));
    let rate = LimitRule { per: Some(ASK_EVERY), ..rule.clone() };
    assert!(hand.has_needless(&rate, false), "of a rate another worker can use it as well");
    hand.in_use = 1;
    for all in [false, true] {
        assert!(!hand.has_needless(rule, all) && !hand.has_needless(&rate, all), "nothing is idle");
    }
    hand.told(PARTITION, false);
    assert!(!hand.has_needless(rule, false), "nor when nobody is short of it");
}

#[test]
fn a_claim_is_worth_making_again_when_it_has_what_it_was_short_of() {
    let mine = Session::new(LeaseClock::Machine, Duration::from_secs(600));
    for (tokens, worth) in [(0, false), (1, true)] {
        let limits = with(&mine, tokens);
        lock(&limits.limits[0].hand).reserve(PARTITION, 1);
        assert!(!limits.has_some(PARTITION), "it was short of nothing");
        lock(&limits.limits[0].hand).told(PARTITION, true);
        assert_eq!(limits.has_some(PARTITION), worth);
        assert!(!limits.has_some(PARTITION + 1));
    }
}

#[test]
fn what_was_reserved_for_a_claim_that_is_not_made_is_given_back() {
    let mine = Session::new(LeaseClock::Machine, Duration::from_secs(600));
    for tokens in [0, 1] {
        let limits = with(&mine, tokens);
        assert_eq!(lock(&limits.limits[0].hand).reserve(PARTITION, 1), tokens);
        assert_eq!(lock(&limits.limits[0].hand).idle(), 0);
        limits.unreserve(PARTITION);
        assert_eq!(lock(&limits.limits[0].hand).idle(), tokens);
        assert_eq!(is_rung(&limits.give_back), tokens > 0);
    }
}
