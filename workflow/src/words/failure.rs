//! A failure as it is recorded: what remains of a user's error once it must survive the process.

use serde::{Deserialize, Serialize};

use super::limits::{CAUSES_MAX, MESSAGE_CHARS_MAX};
use super::payload::Payload;

/// What kind of failure ended an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailureKind {
    /// The body returned an error.
    Failed,
    /// The body took longer than its timeout; it was dropped.
    TimedOut,
    /// The body panicked.
    Panicked,
    /// The body's result cannot be recorded, or not be read back.
    NotRecordable,
}

impl FailureKind {
    /// The kind in a word, as it is serialised.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Panicked => "panicked",
            Self::NotRecordable => "not_recordable",
        }
    }
}

/// A recorded failure. The same value is given to the workflow live and in every replay.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FailureData {
    /// What kind of failure it is.
    pub kind: FailureKind,
    /// The type of the user's error, as the compiler names it; empty when it was boxed.
    pub class: String,
    /// What the error says of itself.
    pub message: String,
    /// What its sources say, nearest first.
    pub chain: Vec<String>,
    /// How many attempts were made, this one included.
    pub attempts: u32,
    /// Whether retries were ruled out by the error itself.
    pub fatal: bool,
    /// The user's error itself, where it is recordable and was asked for.
    pub data: Option<Payload>,
}

impl FailureData {
    /// A failure with no sources and no data, at the first attempt.
    #[must_use]
    pub fn new(kind: FailureKind, class: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            kind,
            class: class.into(),
            message: shorten(message.into()),
            chain: Vec::new(),
            attempts: 1,
            fatal: false,
            data: None,
        }
    }

    /// From an error: its message, and the messages of its sources.
    #[must_use]
    pub fn of_error(kind: FailureKind, class: impl Into<String>, error: &(dyn std::error::Error + 'static)) -> Self {
        let mut failure = Self::new(kind, class, error.to_string());
        let mut source = error.source();
        while let Some(error) = source.filter(|_| failure.chain.len() < CAUSES_MAX) {
            failure.chain.push(shorten(error.to_string()));
            source = error.source();
        }
        failure
    }

    /// Whether both are the same failure; the user's error is compared as a value.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let words = |of: &Self| Self { data: None, ..of.clone() };
        let data = match (&self.data, &other.data) {
            (Some(one), Some(other)) => one.is_same_value(other),
            (one, other) => one.is_none() && other.is_none(),
        };
        data && words(self) == words(other)
    }
}

/// At most as much of a message as is recorded.
pub(crate) fn shorten(mut message: String) -> String {
    if let Some((at, _)) = message.char_indices().nth(MESSAGE_CHARS_MAX) {
        message.truncate(at);
    }
    message
}
