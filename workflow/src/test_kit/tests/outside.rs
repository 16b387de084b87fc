//! What comes from outside: time, events, children.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::{flow, go, step};
use crate::__private::{Raced2, race};
use crate::authoring::event::Event;
use crate::authoring::facts::{changed, info, now};
use crate::authoring::sleep::{sleep, sleep_until};
use crate::authoring::wait::{wait_for, wait_for_type};
use crate::error::{BlockError, ChildError, TimedOut};
use crate::journal::command::ParentClose;
use crate::test_kit::TestError;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Paid {
    amount: u32,
}

impl Event for Paid {
    const TYPE: &'static str = "paid";
}

const MINUTE: Duration = Duration::from_secs(60);

flow!(Sleeps() -> u64, |cx, _resources| {
    let start = go!(cx, now());
    go!(cx, sleep(MINUTE));
    go!(cx, sleep_until(start + 2 * MINUTE));
    go!(cx, sleep_until(SystemTime::UNIX_EPOCH));
    Ok(go!(cx, now()).duration_since(start).map_err(|error| crate::Error::msg(error.to_string()))?.as_secs())
});

#[test]
fn sleeps_pass_in_virtual_time_and_are_never_early() {
    let report = Sleeps::test().run();
    assert_eq!(report.result, Ok(120));
}

flow!(Waits() -> Vec<u32>, |cx, _resources| {
    let first = go!(cx, wait_for::<Paid>("first").key("a"));
    let second = go!(cx, wait_for::<Paid>("second").key("a").timeout(10 * MINUTE));
    let other = go!(cx, wait_for::<Paid>("other").timeout(MINUTE));
    Ok(vec![first.amount, second.map_or(0, |paid| paid.amount), other.map_or(0, |paid| paid.amount)])
});

#[test]
fn events_are_given_first_in_first_out_within_their_key() {
    let report = Waits::test()
        .event(Paid { amount: 5 })
        .event_keyed("a", Paid { amount: 1 })
        .event_keyed("b", Paid { amount: 9 })
        .event_keyed("a", Paid { amount: 2 })
        .run();
    assert_eq!(report.result, Ok(vec![1, 2, 5]), "the one without a key came first, and was kept");
}

#[test]
fn a_wait_ends_at_its_deadline_and_not_before() {
    let early = Waits::test().event_keyed("a", Paid { amount: 1 }).advance(10 * MINUTE - Duration::from_millis(1));
    let report = early.event_keyed("a", Paid { amount: 2 }).run();
    assert_eq!(report.result, Ok(vec![1, 2, 0]));
    let late = Waits::test().event_keyed("a", Paid { amount: 1 }).advance(10 * MINUTE);
    let report = late.event_keyed("a", Paid { amount: 2 }).run();
    assert_eq!(report.result, Ok(vec![1, 0, 0]));
}

#[test]
fn a_wait_for_what_never_comes_is_said_to_be_stuck() {
    let report = Waits::test().run();
    let Err(TestError::Stuck { waits }) = &report.result else { panic!("{report:?}") };
    assert_eq!(waits, &["wait \"first\" [a]"]);
}

flow!(Untyped() -> (Paid, Result<Paid, TimedOut>), |cx, _resources| {
    let paid = go!(cx, wait_for_type::<Paid>("any", "bank.paid"));
    let late = go!(cx, wait_for_type::<Paid>("late", "bank.paid").timeout(MINUTE));
    Ok((paid, late))
});

#[test]
fn an_event_that_cannot_be_read_is_set_aside_and_the_wait_goes_on() {
    let report = Untyped::test()
        .event_type("bank.paid", "", "not a payment".to_owned())
        .event_type("bank.paid", "", Paid { amount: 3 })
        .run();
    let (paid, late) = report.result.expect("it ends");
    assert_eq!(paid.amount, 3);
    assert_eq!(late.expect_err("nothing more came").name, "late");
    assert!(report.records.iter().any(|record| record.what == "event set aside"), "{:?}", report.records);
}

async fn double(number: u32) -> Result<u32, BlockError> {
    if number > 100 { Err("too large".into()) } else { Ok(number * 2) }
}

flow!(ChildFlow(number: u32) -> u32, |cx, _resources| {
    go!(cx, sleep(MINUTE));
    Ok(go!(cx, step!("double", |_| double(number)))?)
});

flow!(ParentFlow(number: u32) -> u32, |cx, _resources| {
    let (first, second) = go!(cx, crate::join!(ChildFlow::call(number), ChildFlow::call(number + 1)));
    Ok(first? + second?)
});

#[test]
fn children_run_in_the_same_test() {
    let report = ParentFlow::test(1).run();
    assert_eq!(report.result, Ok(6));
    assert_eq!(report.steps.len(), 2);
    assert!(report.steps.iter().all(|step| step.instance != "test" && step.succeeded()), "{:?}", report.steps);
    assert_eq!(report.records.last().map(|record| record.at), Some(MINUTE), "they sleep at the same time");
}

#[test]
fn a_childs_error_reaches_its_parent() {
    let report = ParentFlow::test(100).run();
    let Err(TestError::Failed(error)) = &report.result else { panic!("{report:?}") };
    assert_eq!(error.message(), "the child workflow failed: step \"double\" failed: too large");
}

flow!(GivesUp(abandon: bool) -> String, |cx, _resources| {
    let on_close = if abandon { ParentClose::Abandon } else { ParentClose::Terminate };
    match go!(cx, race((ChildFlow::call(1).on_parent_close(on_close), sleep(Duration::from_secs(1))))) {
        Raced2::A(_) => Ok("child".to_owned()),
        Raced2::B(()) => {
            go!(cx, sleep(2 * MINUTE));
            Ok("time".to_owned())
        }
    }
});

#[test]
fn a_child_that_lost_a_race_is_ended() {
    let report = GivesUp::test(false).run();
    assert_eq!(report.result, Ok("time".to_owned()));
    assert_eq!(report.step("double"), None, "it was ended in its sleep");
}

flow!(Outer(amount: u32) -> Result<u32, ChildError<crate::Error>>, |cx, _resources| {
    Ok(go!(cx, Inner::call(amount)))
});

flow!(Inner(amount: u32) -> u32, |cx, _resources| {
    let who = go!(cx, info());
    assert_eq!((who.workflow.as_str(), who.version, who.run), ("Inner", 1, 1));
    assert_eq!(who.parent.as_deref(), Some("test"));
    Err(crate::Error::msg(format!("{amount} is wrong")))
});

#[test]
fn a_child_knows_its_parent_and_its_error_is_typed() {
    let error = Outer::test(7).run().result.expect("the parent ends").expect_err("the child fails");
    assert_eq!(error.failed().map(|error| error.message().to_owned()), Some("7 is wrong".to_owned()));
}

flow!(Changes() -> (bool, bool), |cx, _resources| {
    let before = go!(cx, changed("tax"));
    go!(cx, sleep(MINUTE));
    Ok((before, go!(cx, changed("tax"))))
});

#[test]
fn a_new_run_is_on_the_new_side_of_a_change() {
    assert_eq!(Changes::test().run().result, Ok((true, true)));
}
