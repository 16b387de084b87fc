//! `workflow::Error` and the errors it is made of.

use std::fmt;

use crate::error::{BlockError, ChildError, Error, Fatal, FatalError, FatalResult, Never, StepError, TimedOut};
use crate::words::failure::{FailureData, FailureKind};

#[derive(Debug)]
struct Outer(std::num::ParseIntError);

impl fmt::Display for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no number")
    }
}

impl std::error::Error for Outer {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

fn outer() -> Result<u32, Outer> {
    "x".parse().map_err(Outer)
}

fn boxed() -> Result<u32, Box<dyn std::error::Error + Send + Sync>> {
    Ok(outer()?)
}

fn any() -> crate::Result<u32> {
    Ok(outer()?)
}

fn through_a_box() -> crate::Result<u32> {
    Ok(boxed()?)
}

fn through_a_block() -> Result<u32, BlockError> {
    Ok(any()?)
}

fn fatal() -> Result<u32, BlockError> {
    Ok(outer().fatal()?)
}

fn seldom_fatal(fatal: bool) -> Result<u32, Fatal<Outer>> {
    if fatal { outer().fatal() } else { Ok(outer()?) }
}

#[test]
fn any_error_keeps_its_class_message_and_chain() {
    let error = any().expect_err("fails");
    assert_eq!(error.class(), std::any::type_name::<Outer>());
    assert_eq!(error.message(), "no number");
    assert_eq!(error.chain().collect::<Vec<_>>(), ["invalid digit found in string"]);
    assert_eq!(format!("{error:#}"), "no number: invalid digit found in string");
    assert_eq!(format!("{error:?}"), "no number\n  caused by: invalid digit found in string");

    let again: Error = serde_json::from_str(&serde_json::to_string(&error).expect("writes")).expect("reads");
    assert_eq!(again, error);
    let back = Error::from(error.clone().into_boxed());
    assert_eq!(back, error, "a round through a box changes nothing");
}

#[test]
fn a_boxed_error_has_no_class_but_its_chain() {
    let error = through_a_box().expect_err("fails");
    assert_eq!(error.class(), "");
    assert_eq!(error.chain().count(), 1);
    assert_eq!(Error::from("text").class(), "");
}

#[test]
fn an_error_of_a_part_passes_through_a_block_unchanged() {
    let error = through_a_block().expect_err("fails");
    assert_eq!(Error::from(error), any().expect_err("fails"));
}

#[test]
fn fatal_survives_the_box_and_plain_errors_are_not() {
    let failure = fatal().expect_err("fails").into_failure();
    assert!(failure.fatal);
    assert_eq!(failure.class, std::any::type_name::<Outer>());
    assert_eq!(failure.message, "no number");
    assert!(seldom_fatal(true).expect_err("fails").is_fatal());
    assert!(!seldom_fatal(false).expect_err("fails").is_fatal());
    assert_eq!(Outer(any_number()).fatal().get().to_string(), "no number");
}

/// A user's own error that holds a boxed one.
#[derive(Debug)]
struct Holds(Box<dyn std::error::Error + Send + Sync>);

impl fmt::Display for Holds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it went wrong")
    }
}

impl std::error::Error for Holds {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.0)
    }
}

#[test]
fn an_error_with_a_fatal_source_is_fatal() {
    let fatal_source = |source| BlockError::from(Holds(Box::new(Holds(source)))).into_failure();
    let boxed = fatal_source(Outer(any_number()).fatal().into());
    assert_eq!((boxed.fatal, boxed.message.as_str()), (true, "it went wrong"));
    assert!(!fatal_source(Outer(any_number()).into()).fatal);
    let any = Error::from(fatal().expect_err("fails"));
    assert!(fatal_source(any.into_boxed()).fatal);
    assert!(!fatal_source(Error::msg("no").into_boxed()).fatal);
}

fn any_number() -> std::num::ParseIntError {
    "x".parse::<u32>().expect_err("no number")
}

#[test]
fn a_failed_step_keeps_its_causes_as_sources() {
    let mut failure = FailureData::of_error(FailureKind::Failed, "shop::Error", &Outer(any_number()));
    failure.attempts = 2;
    let step = StepError::new(false, "charge", Some("42"), failure);
    assert_eq!(step.to_string(), "step \"charge\" [42] failed after 2 attempts: no number");
    let source = std::error::Error::source(&step).map(ToString::to_string);
    assert_eq!(source.as_deref(), Some("invalid digit found in string"));
    let read: StepError = serde_json::from_str(&serde_json::to_string(&step).expect("writes")).expect("reads");
    assert_eq!(read, step);

    let error = Error::from(step);
    assert_eq!((error.class(), error.step()), ("shop::Error", Some("charge")));
}

#[test]
fn every_error_of_the_framework_becomes_any_error() {
    let late = Error::from(TimedOut::new("payment", std::time::Duration::from_secs(600)));
    assert_eq!(late.to_string(), "the wait \"payment\" timed out after 600s");
    let child = Error::from(ChildError::Failed(any().expect_err("fails")));
    assert_eq!(child.to_string(), "the child workflow failed: no number");
    assert!(serde_json::from_str::<Never>("null").is_err());
}
