//! `workflow::Error`: one error for workflows that do not need an error type of their own.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::StdBox;
use super::cause::Causes;
use super::describe::{class_of, describe, step_of};
use crate::words::failure::{FailureData, FailureKind};

/// The result of a workflow or part that takes any error by `?`.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Any error, as it can be recorded: its class, its message and what its sources say.
///
/// `?` makes one of every `std::error::Error`, boxed ones and texts included. It does not implement
/// `std::error::Error` itself (no type that takes every error can); [`Error::into_boxed`] gives one that does.
///
/// ```
/// fn parse(text: &str) -> workflow::Result<u32> {
///     Ok(text.parse::<u32>()?)
/// }
/// let error = parse("x").unwrap_err();
/// assert_eq!(error.class(), "core::num::error::ParseIntError");
/// assert_eq!(error.to_string(), "invalid digit found in string");
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Error(Box<Inner>);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Inner {
    class: String,
    message: String,
    #[serde(default)]
    causes: Causes,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    step: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    fatal: bool,
}

impl Error {
    /// An error that says `message` and has no class.
    #[must_use]
    pub fn msg(message: impl fmt::Display) -> Self {
        Self::from_failure(FailureData::new(FailureKind::Failed, "", message.to_string()))
    }

    /// The type of the error this was made of, as the compiler names it; of a failed step, the type of its body's
    /// error. Empty when it was boxed or a plain text.
    #[must_use]
    pub fn class(&self) -> &str {
        &self.0.class
    }

    /// What the error says of itself.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What its sources say, nearest first.
    pub fn chain(&self) -> impl Iterator<Item = &str> {
        self.0.causes.iter()
    }

    /// The name of the step or group that failed, when that is what this was made of.
    #[must_use]
    pub fn step(&self) -> Option<&str> {
        self.0.step.as_deref()
    }

    /// This error as a boxed one of the standard library, with its causes as sources.
    #[must_use]
    pub fn into_boxed(self) -> Box<dyn std::error::Error + Send + Sync> {
        Box::new(AsStd(self))
    }

    pub(super) fn of_boxed(class: &'static str, error: &StdBox) -> Self {
        if let Some(error) = Self::of_std(&**error) {
            return error.clone();
        }
        let mut any = Self::from_failure(describe(class, error));
        any.0.step = step_of(error).map(|step| step.name().to_owned());
        any
    }

    /// What [`Self::into_boxed`] was given.
    pub(super) fn of_std<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e Self> {
        error.downcast_ref::<AsStd>().map(|AsStd(error)| error)
    }

    pub(super) const fn is_fatal(&self) -> bool {
        self.0.fatal
    }

    fn from_failure(failure: FailureData) -> Self {
        let FailureData { class, message, chain, fatal, .. } = failure;
        Self(Box::new(Inner { class, message, causes: chain.into(), step: None, fatal }))
    }

    pub(crate) fn into_failure(self) -> FailureData {
        let Inner { class, message, causes, step: _, fatal } = *self.0;
        let mut failure = FailureData::new(FailureKind::Failed, class, message);
        failure.chain = causes.to_vec();
        failure.fatal = fatal;
        failure
    }
}

impl<E: Into<StdBox>> From<E> for Error {
    fn from(error: E) -> Self {
        Self::of_boxed(class_of::<E>(), &error.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        if f.alternate() {
            self.chain().try_for_each(|cause| write!(f, ": {cause}"))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    /// The message, then each cause on a line of its own: what a `main` that returns this prints.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        self.chain().try_for_each(|cause| write!(f, "\n  caused by: {cause}"))
    }
}

/// A [`struct@Error`] in the clothes of the standard library.
struct AsStd(Error);

impl fmt::Debug for AsStd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for AsStd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl std::error::Error for AsStd {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.0.causes.first()
    }
}
