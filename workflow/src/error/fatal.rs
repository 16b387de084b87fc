//! An error that stops retries.

use std::fmt;

use super::StdBox;
use super::describe::class_of;

/// An error, and whether it rules out further attempts of its step.
///
/// `error.fatal()` makes one that does. `?` on a plain `E` in a body that returns `Result<T, Fatal<E>>` makes one that
/// does not, so such a body decides case by case:
///
/// ```
/// use workflow::prelude::*;
///
/// fn charge(card_is_stolen: bool) -> Result<u32, Fatal<std::io::Error>> {
///     if card_is_stolen {
///         return Err(std::io::Error::other("the card is stolen").fatal()); // never tried again
///     }
///     let answer = std::fs::read_to_string("/no/such/file")?; // tried again
///     Ok(answer.len() as u32)
/// }
/// # assert!(charge(true).unwrap_err().is_fatal());
/// # assert!(!charge(false).unwrap_err().is_fatal());
/// ```
///
/// The groups around the step are not tried again either: a group's failure is fatal when the error that its block ends
/// with is, or has a fatal one among its sources. An error that hides its source (`#[error(transparent)]`, or a text made
/// of it) hides this too; make it `.fatal()` itself.
///
/// It is not itself a `std::error::Error`, but `?` turns it into a boxed one.
#[derive(Clone, PartialEq, Eq)]
pub struct Fatal<E> {
    error: E,
    fatal: bool,
}

impl<E> Fatal<E> {
    /// An error that rules out further attempts.
    #[must_use]
    pub const fn new(error: E) -> Self {
        Self { error, fatal: true }
    }

    /// Whether it rules out further attempts.
    #[must_use]
    pub const fn is_fatal(&self) -> bool {
        self.fatal
    }

    /// The error.
    #[must_use]
    pub const fn get(&self) -> &E {
        &self.error
    }

    /// The error, by value.
    #[must_use]
    pub fn into_inner(self) -> E {
        self.error
    }
}

impl<E> From<E> for Fatal<E> {
    fn from(error: E) -> Self {
        Self { error, fatal: false }
    }
}

impl<E: fmt::Display> fmt::Display for Fatal<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<E: fmt::Debug> fmt::Debug for Fatal<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

#[expect(clippy::use_self, reason = "the box is what an error becomes, not this one")]
impl<E: Into<StdBox>> From<Fatal<E>> for StdBox {
    fn from(error: Fatal<E>) -> Self {
        let class = class_of::<E>();
        let Fatal { error, fatal } = error;
        if fatal { Box::new(FatalMarker { class, error: error.into() }) } else { error.into() }
    }
}

/// A fatal error once it is boxed: what a body's boxed error is searched for.
pub(super) struct FatalMarker {
    pub(super) class: &'static str,
    pub(super) error: StdBox,
}

impl fmt::Debug for FatalMarker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl fmt::Display for FatalMarker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.error, f)
    }
}

impl std::error::Error for FatalMarker {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}

/// `.fatal()` on an error: no further attempt of the step.
pub trait FatalError: Sized {
    /// This error, ruling out further attempts.
    fn fatal(self) -> Fatal<Self>;
}

impl<E: Into<StdBox>> FatalError for E {
    fn fatal(self) -> Fatal<Self> {
        Fatal::new(self)
    }
}

/// `.fatal()` on a result: its error, if it is one, rules out further attempts of the step.
pub trait FatalResult<T, E> {
    /// This result, with a fatal error.
    ///
    /// # Errors
    /// The result's own error.
    fn fatal(self) -> Result<T, Fatal<E>>;
}

impl<T, E: Into<StdBox>> FatalResult<T, E> for Result<T, E> {
    fn fatal(self) -> Result<T, Fatal<E>> {
        self.map_err(Fatal::new)
    }
}
