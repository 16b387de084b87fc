//! Taking an error apart: class, message, chain, and whether it rules out retries.

use std::any::type_name;
use std::borrow::Cow;
use std::iter::successors;

use super::fatal::FatalMarker;
use super::{BlockError, Error, StdBox, StepError};
use crate::words::failure::{FailureData, FailureKind};
use crate::words::limits::CAUSES_MAX;

/// The error of a step's body.
///
/// Anything that can be boxed is one: a `std::error::Error`, a `String`, a boxed error, [`Fatal`](super::Fatal) of
/// any of these, [`workflow::Error`](super::Error), and the error of a block.
#[diagnostic::on_unimplemented(
    message = "a step's error must be an error, but `{Self}` is not",
    label = "`{Self}` says nothing of itself that could be recorded",
    note = "implement `std::error::Error` for it, or return a `String` or a boxed error"
)]
pub trait StepFailure: Sized {
    /// What remains of the error in the journal.
    #[doc(hidden)]
    fn describe(self) -> FailureData;
}

#[diagnostic::do_not_recommend]
impl<E: Into<StdBox>> StepFailure for E {
    fn describe(self) -> FailureData {
        describe(class_of::<E>(), &self.into())
    }
}

#[diagnostic::do_not_recommend]
impl StepFailure for Error {
    fn describe(self) -> FailureData {
        self.into_failure()
    }
}

#[diagnostic::do_not_recommend]
impl StepFailure for BlockError {
    fn describe(self) -> FailureData {
        self.into_failure()
    }
}

/// The name of an error's type; empty for boxes and texts, whose type says nothing.
pub(crate) fn class_of<E>() -> &'static str {
    // `E` need not be `'static`, so it can only be compared by name.
    let name = type_name::<E>();
    let nameless = [
        type_name::<StdBox>(),
        type_name::<String>(),
        type_name::<&str>(),
        type_name::<Cow<'_, str>>(),
        type_name::<BlockError>(),
    ];
    let wrapped = name.starts_with("workflow::error::fatal::Fatal<");
    if nameless.contains(&name) || wrapped { "" } else { name }
}

/// Takes a boxed error apart. What it is inside goes before the `class` it had outside.
pub(crate) fn describe(class: &'static str, error: &StdBox) -> FailureData {
    if let Some(marker) = error.downcast_ref::<FatalMarker>() {
        let mut failure = describe(marker.class, &marker.error);
        failure.fatal = true;
        return failure;
    }
    if let Some(step) = step_of(error) {
        return of_step(step);
    }
    let mut failure = FailureData::of_error(FailureKind::Failed, class, &**error);
    failure.fatal = successors(error.source(), |error| error.source()).take(CAUSES_MAX).any(rules_out);
    failure
}

/// The failed step that the error is: itself, or, as for a typed step, a source that it says no more than.
pub(super) fn step_of(error: &StdBox) -> Option<&StepError> {
    let source = || error.source().and_then(|source| source.downcast_ref::<StepError>());
    error.downcast_ref().or_else(|| source().filter(|step| step.to_string() == error.to_string()))
}

/// Whether an error rules out further attempts of the step or group that it ends.
fn rules_out(error: &(dyn std::error::Error + 'static)) -> bool {
    error.is::<FatalMarker>()
        || error.downcast_ref::<StepError>().is_some_and(StepError::is_fatal)
        || Error::of_std(error).is_some_and(Error::is_fatal)
}

/// A step's error on its way on: it keeps the class of what caused it, and says which step it was.
fn of_step(step: &StepError) -> FailureData {
    let mut failure = FailureData::of_error(FailureKind::Failed, step.class(), step);
    failure.fatal = step.is_fatal();
    failure
}
