//! Steps: results, retries, time limits, failures.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

use super::{Counter, flow, go, step};
use crate::authoring::step::StepContext;
use crate::error::{BlockError, Failure, Fatal, FatalError};
use crate::test_kit::{StepOutcome, TestError};
use crate::words::failure::FailureKind;
use crate::words::retry::Backoff;

async fn three() -> Result<u32, std::io::Error> {
    Ok(3)
}

flow!(AddsTwo() -> u32, |cx, _resources| {
    let first = go!(cx, step!("first", |_| three()))?;
    let second = go!(cx, step!("second", |_| async move { Ok::<_, BlockError>(first + 1) }))?;
    Ok(first + second)
});

#[test]
fn steps_run_in_order_and_their_values_reach_the_code() {
    let report = AddsTwo::test().run();
    assert_eq!(report.result, Ok(7));
    assert_eq!(report.names().collect::<Vec<_>>(), ["first", "second"]);
    assert_eq!(report.step("second").and_then(|step| step.value::<u32>()), Some(4));
    assert_eq!(report.records.len(), 2);
}

#[test]
fn a_mocked_step_does_not_run_its_body() {
    let report = AddsTwo::test().step("first", Ok(40_u32)).run();
    assert_eq!(report.result, Ok(81));
}

#[test]
fn a_mock_of_another_type_parks_the_run_and_says_which_step() {
    let report = AddsTwo::test().step("first", Ok("text")).run();
    let Err(TestError::Parked { message }) = report.result else { panic!("{report:?}") };
    assert!(message.contains("step \"first\""), "{message}");
}

flow!(Retries(retries: u32) -> u32, |cx, _resources| {
    let delay = Duration::from_secs(10);
    let charge = step!("charge", |_| three()).retries(retries).delay(delay).backoff(Backoff::Exponential);
    Ok(go!(cx, charge)?)
});

#[test]
fn a_failed_attempt_is_tried_again_after_its_delay() {
    let report = Retries::test(3).fail("charge", 2, "no money").run();
    assert_eq!(report.result, Ok(3));
    assert_eq!(report.step("charge").map(|step| step.attempts), Some(3));
    let last = report.records.last().map(|record| record.at);
    assert_eq!(last, Some(Duration::from_secs(30)), "10 s after the first attempt and 20 s after the second");
}

#[test]
fn a_step_fails_when_its_retries_are_used_up() {
    let report = Retries::test(1).fail("charge", 2, "no money").run();
    let Err(TestError::Failed(error)) = &report.result else { panic!("{report:?}") };
    assert_eq!(error.to_string(), "step \"charge\" failed after 2 attempts: no money");
    assert_eq!(error.step(), Some("charge"));
    let outcome = report.step("charge").map(|step| &step.outcome);
    assert_eq!(outcome, Some(&StepOutcome::Failed { message: "no money".to_owned() }));
}

#[test]
fn a_fatal_error_is_not_tried_again() {
    let report = Retries::test(5).fail("charge", 1, "card is stolen".fatal()).run();
    assert!(matches!(report.result, Err(TestError::Failed(_))), "{report:?}");
    assert_eq!(report.step("charge").map(|step| step.attempts), Some(1));
    let plain: Fatal<&str> = "no money".into();
    let report = Retries::test(5).fail("charge", 1, plain).run();
    assert_eq!(report.result, Ok(3), "a plain error in the clothes of a fatal one is tried again");
}

#[derive(Debug, Clone, PartialEq, thiserror::Error, Serialize, Deserialize)]
enum CardError {
    #[error("declined: {0}")]
    Declined(String),
    #[error("busy")]
    Busy,
}

impl CardError {
    fn is_declined(&self) -> bool {
        matches!(self, Self::Declined(_))
    }
}

flow!(Typed() -> String, |cx, _resources| {
    let charge = step!("charge", |_| async { Err::<u32, _>(CardError::Declined("limit".to_owned())) })
        .retries(3)
        .unless(CardError::is_declined)
        .typed();
    match go!(cx, charge) {
        Err(Failure::Failed { error: CardError::Declined(why), step }) => Ok(format!("{why} {}", step.attempts())),
        other => Err(crate::Error::msg(format!("{other:?}"))),
    }
});

#[test]
fn a_typed_step_gives_the_error_itself_and_unless_stops_retries() {
    assert_eq!(Typed::test().run().result, Ok("limit 1".to_owned()));
}

#[test]
fn a_typed_error_can_be_mocked() {
    let report = Typed::test()
        .fail_typed("charge", 2, CardError::Busy)
        .fail_typed("charge", 1, CardError::Declined("mocked".to_owned()).fatal())
        .run();
    assert_eq!(report.result, Ok("mocked 3".to_owned()));
}

/// Writes, and does not read back.
#[derive(Debug, Serialize)]
struct OneWay(u32);

impl<'de> Deserialize<'de> for OneWay {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom("cannot be read"))
    }
}

flow!(NotRecordable() -> u32, |cx, _resources| {
    let odd = step!("odd", |_| async { Ok::<_, BlockError>(OneWay(1)) }).retries(3);
    let error = go!(cx, odd).map(|value| value.0).expect_err("it cannot be recorded");
    assert_eq!(error.kind(), FailureKind::NotRecordable);
    Ok(error.attempts())
});

#[test]
fn a_value_that_does_not_read_back_fails_its_step_at_once() {
    assert_eq!(NotRecordable::test().run().result, Ok(1));
}

/// What is written of it is less than what it holds.
#[derive(Debug, Serialize, Deserialize)]
struct Lossy {
    kept: u32,
    #[serde(skip)]
    lost: u32,
}

flow!(Copies() -> u32, |cx, _resources| {
    let lossy = go!(cx, step!("lossy", |_| async { Ok::<_, BlockError>(Lossy { kept: 1, lost: 2 }) }))?;
    Ok(lossy.kept * 10 + lossy.lost)
});

#[test]
fn what_is_delivered_is_the_decoded_copy() {
    assert_eq!(Copies::test().run().result, Ok(10));
}

flow!(Panics() -> usize, |cx, resources| {
    let counter = resources.get::<Counter>().map_err(|error| crate::Error::msg(error.to_string()))?;
    let counter = &*counter;
    let body = |_| async move {
        let run = counter.up();
        assert!(run > 1, "run {run} fails");
        Ok::<_, BlockError>(run)
    };
    Ok(go!(cx, step!("panics", body).retries(1))?)
});

#[test]
fn a_panic_of_a_body_is_a_failed_attempt() {
    let report = Panics::test().resource(Counter::default()).run();
    assert_eq!(report.result, Ok(2));
    let report = Panics::test().resource(Arc::new(Counter::default())).fail("panics", 1, "x").run();
    let Err(TestError::Failed(error)) = &report.result else { panic!("{report:?}") };
    assert_eq!(error.message(), "step \"panics\" failed after 2 attempts: run 1 fails");
}

flow!(Limited() -> String, |cx, _resources| {
    let slow = step!("slow", |_| three()).timeout(Duration::from_secs(30)).retries(1);
    let error = go!(cx, slow).expect_err("it never ends");
    Ok(format!("{:?} {}", error.kind(), error.attempts()))
});

#[test]
fn a_body_that_takes_too_long_is_dropped_and_has_failed() {
    let report = Limited::test().hang("slow").run();
    assert_eq!(report.result, Ok("TimedOut 2".to_owned()));
    assert_eq!(report.records.last().map(|record| record.at), Some(Duration::from_secs(60)));
}

flow!(Contexts() -> Vec<String>, |cx, _resources| {
    let who = |step: StepContext| async move {
        if step.attempt() == 1 {
            return Err(BlockError::from("again"));
        }
        Ok(format!("{} {:?} {} {}", step.name(), step.key(), step.path(), step.idempotency_key()))
    };
    let first = go!(cx, step!("who", who).key("a").retries(1))?;
    let second = go!(cx, step!("who", who).key("b").retries(1))?;
    Ok(vec![first, second])
});

#[test]
fn a_body_can_know_who_it_is() {
    let names = Contexts::test().run().result.expect("it ends");
    assert!(names[0].starts_with("who Some(\"a\") s:who[a] "), "{names:?}");
    let keys: Vec<&str> = names.iter().filter_map(|name| name.rsplit(' ').next()).collect();
    assert_eq!(keys.iter().map(|key| key.len()).collect::<Vec<_>>(), [32, 32]);
    assert_ne!(keys[0], keys[1]);
    assert_eq!(Contexts::test().run().result, Ok(names), "the keys are the same in another run of this seed");
}

flow!(LongKey() -> u32, |cx, _resources| {
    Ok(go!(cx, step!("keyed", |_| three()).key("k".repeat(300)))?)
});

#[test]
fn a_key_that_is_too_long_ends_the_run() {
    let report = LongKey::test().run();
    let Err(TestError::Ended { message }) = &report.result else { panic!("{report:?}") };
    assert!(message.contains("step \"keyed\""), "{message}");
}
