//! Durable workflows for Rust.
#![forbid(unsafe_code)]

#[doc(hidden)]
pub mod __private;
mod authoring;
mod definition;
pub mod engine;
pub mod error;
pub mod journal;
pub mod prelude;
pub mod store;
pub mod test_kit;
pub mod words;

pub use error::{Error, Result};

/// Several durable operations at once; awaiting it gives all their outputs, in the order written.
///
/// All begin in the order written. At most sixteen; [`join_all`](prelude::join_all) takes any number.
#[macro_export]
macro_rules! join {
    ($($operation:expr),+ $(,)?) => {
        $crate::__private::join(($($operation,)+))
    };
}

/// As [`join!`] for operations that give results: all their values, or the error that came first. Then the others are
/// dropped, and nothing of them is left behind.
#[macro_export]
macro_rules! try_join {
    ($($operation:expr),+ $(,)?) => {
        $crate::__private::try_join(($($operation,)+))
    };
}

/// An expression that the checks of `#[workflow]` leave alone: it runs again in every replay, and nothing of it is
/// recorded. For what cannot change what the workflow does, such as a log line.
#[macro_export]
macro_rules! unrecorded {
    ($expression:expr) => {{
        #[allow(clippy::disallowed_methods, clippy::disallowed_macros, clippy::iter_over_hash_type)]
        let value = $expression;
        value
    }};
}
