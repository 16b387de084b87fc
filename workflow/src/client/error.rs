//! Why an engine did not start, or a call to it was not carried out.

use std::fmt;
use std::time::Duration;

use crate::definition::InputError;
use crate::engine::{Mode, StartError};
use crate::journal::head::State;
use crate::store::StoreError;
use crate::words::id::InvalidId;
use crate::words::limits::{EVENTS_MAX, MAILBOX_MAX};
use crate::words::payload::CodecError;

/// Why an engine did not start, or a call to it was not carried out.
///
/// Unless it is [`EngineError::Store`], nothing was written: the call was refused before or by the store. None of these
/// errors repeats a payload or a password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// An option of the builder, of a create or of a list has a value that cannot be used.
    #[error("{option}: {message}")]
    Option {
        /// The option's name, as it is called.
        option: &'static str,
        /// What is wrong with the value, and which are allowed.
        message: String,
    },
    /// An environment variable that sets an option has a value that cannot be used.
    #[error("the environment variable {variable}{}: {message}", holds(value.as_deref()))]
    Variable {
        /// The variable.
        variable: &'static str,
        /// What it holds, cut to 100 characters; `None` where that could be a secret.
        value: Option<String>,
        /// What is wrong with it, and what is allowed.
        message: String,
    },
    /// The engine was told of no store.
    #[error(
        "no store: an engine in mode {mode} shares its store with others, so it must be named; call \
         `.store(\"sqlite:path\")` on the builder or set the environment variable WORKFLOW_STORE"
    )]
    NoStore {
        /// The mode the engine was to start in.
        mode: Mode,
    },
    /// The store's url is of a kind that is not known, or not compiled in.
    #[error("{message}; known are {known}")]
    UnknownStore {
        /// What is wrong, without secrets.
        message: String,
        /// The kinds that are.
        known: String,
    },
    /// The program's workflows cannot be served.
    #[error(transparent)]
    Start(StartError),
    /// An id, or the name of a queue, workflow or namespace, is not one.
    #[error(transparent)]
    InvalidId(#[from] InvalidId),
    /// A text is longer than it may be.
    #[error("{what} has {bytes} bytes; the limit is {max}")]
    TooLong {
        /// What it is.
        what: &'static str,
        /// How long it is, in bytes.
        bytes: usize,
        /// How long it may be, in bytes.
        max: usize,
    },
    /// An input cannot be encoded, or the inputs take more than 1 MiB together.
    #[error("the workflow `{workflow}`: {source}")]
    Input {
        /// Whose inputs.
        workflow: String,
        /// Why they cannot be recorded.
        source: InputError,
    },
    /// An event cannot be encoded, or takes more than 1 MiB.
    #[error("{what}: {source}")]
    Payload {
        /// What was being encoded.
        what: String,
        /// Why it cannot be.
        source: CodecError,
    },
    /// A batch has more than 1,000 items. None of them was created.
    #[error("the batch has more than {limit} instances; none was created: make several batches of it")]
    BatchTooLarge {
        /// How many it may have.
        limit: usize,
    },
    /// There is such an instance already. `.attach()` on the create gives its handle instead.
    #[error("the instance {id} exists already: a `{workflow}`, {state}")]
    AlreadyExists {
        /// Its id.
        id: String,
        /// Its workflow.
        workflow: String,
        /// Its state.
        state: State,
    },
    /// The instance is one of another workflow.
    #[error("the instance {id} is a `{found}`, not a `{wanted}`")]
    WrongWorkflow {
        /// Its id.
        id: String,
        /// The workflow that was asked for.
        wanted: String,
        /// The workflow it is an instance of.
        found: String,
    },
    /// There is no such instance: it was never created, or was deleted after its retention.
    #[error("there is no instance {id}")]
    NotFound {
        /// The id.
        id: String,
    },
    /// There is no such run of the instance, or it is not kept any more.
    #[error("the instance {id} has no run {run} that is kept")]
    NoSuchRun {
        /// The instance.
        id: String,
        /// The run.
        run: u32,
    },
    /// The run has recorded nothing of the operation it is to be restarted from.
    #[error("run {run} of the instance {id} has recorded nothing of {operation}; it has recorded {recorded}")]
    NoSuchStep {
        /// The instance.
        id: String,
        /// The run.
        run: u32,
        /// The operation, in words.
        operation: String,
        /// The names of operations it has recorded, some of them where there are many.
        recorded: String,
    },
    /// What was asked for makes no sense in the instance's state.
    #[error("the instance {id} is {state}: it cannot be {action}")]
    Refused {
        /// The instance.
        id: String,
        /// What was asked for: `paused`, `resumed`, `terminated`, `restarted`, `restarted from an operation` or `deleted`.
        action: &'static str,
        /// Its state.
        state: State,
    },
    /// The instance's run has ended: it takes no more events.
    #[error("the instance {id} has ended: it takes no more events")]
    Finished {
        /// The instance.
        id: String,
    },
    /// The instance has 1,000 events that it did not read, or has received 10,000 in this run.
    #[error(
        "the mailbox of the instance {id} is full: {MAILBOX_MAX} unread events, or {EVENTS_MAX} in one run; send again when \
         it has read some, or let the workflow go on in a new instance before it has received as many"
    )]
    MailboxFull {
        /// The instance.
        id: String,
    },
    /// What the store holds of the instance cannot be read by this version of the program.
    #[error("the instance {id} cannot be read: {message}")]
    Unreadable {
        /// The instance.
        id: String,
        /// What cannot be, and why.
        message: String,
    },
    /// A list by the beginning of ids was asked of a Redis store whose namespace keeps no index of ids.
    #[error(
        "the store {store} keeps no index of ids, which a list by id_prefix needs; it is kept in a namespace whose first \
         url has ids=1: open a new namespace so (redis://host?ids=1), or list by workflow, state and time"
    )]
    NoIdIndex {
        /// Which, without secrets.
        store: String,
    },
    /// The store did not answer in time. A write may have been done or not, or may still be: ask again with the same
    /// id, or look.
    #[error(
        "the store {store} did not answer within {waited:?}; whether a write was done is not known: ask again with the same \
         id, or look at the instance"
    )]
    NoAnswer {
        /// Which, without secrets.
        store: String,
        /// How long was waited: the engine's patience.
        waited: Duration,
    },
    /// The store could not do what it was asked. A write may have been done or not.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn holds(value: Option<&str>) -> String {
    value.map(|value| format!(" holds {value:?}")).unwrap_or_default()
}

/// What the caller of a call that failed can make of it: see [`EngineError::kind`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The call, or how the engine was started, is wrong: it fails again until it is mended. HTTP 400.
    Invalid,
    /// There is no such instance, run or operation. HTTP 404.
    NotFound,
    /// It does not go with what is there: an id that is taken, a state, another workflow. HTTP 409.
    Conflict,
    /// The instance takes no more events until it has read some. HTTP 429.
    Full,
    /// The store cannot be reached or refuses, for now. Whether a write was done is not known. HTTP 503.
    Unavailable,
    /// What is stored cannot be read by this version of the program. HTTP 500.
    Damaged,
}

impl From<StartError> for EngineError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Store(error) => Self::Store(error),
            error => Self::Start(error),
        }
    }
}

impl EngineError {
    /// A stable word for the kind of error, for logs, metrics and replies over the wire.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Option { .. } => "option",
            Self::Variable { .. } => "variable",
            Self::NoStore { .. } => "no_store",
            Self::UnknownStore { .. } => "unknown_store",
            Self::Start(_) => "start",
            Self::InvalidId(_) => "invalid_id",
            Self::TooLong { .. } => "too_long",
            Self::Input { .. } => "input",
            Self::Payload { .. } => "payload",
            Self::BatchTooLarge { .. } => "batch_too_large",
            Self::AlreadyExists { .. } => "already_exists",
            Self::WrongWorkflow { .. } => "wrong_workflow",
            Self::NotFound { .. } => "not_found",
            Self::NoSuchRun { .. } => "no_such_run",
            Self::NoSuchStep { .. } => "no_such_step",
            Self::Refused { .. } => "refused",
            Self::Finished { .. } => "finished",
            Self::MailboxFull { .. } => "mailbox_full",
            Self::Unreadable { .. } => "unreadable",
            Self::NoIdIndex { .. } => "no_id_index",
            Self::NoAnswer { .. } => "no_answer",
            Self::Store(_) => "store",
        }
    }

    /// What the caller can make of it, in few words: what an API answers, what an operator looks at.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound { .. } | Self::NoSuchRun { .. } | Self::NoSuchStep { .. } => ErrorKind::NotFound,
            Self::AlreadyExists { .. } | Self::Refused { .. } | Self::Finished { .. } | Self::WrongWorkflow { .. } => {
                ErrorKind::Conflict
            }
            Self::MailboxFull { .. } => ErrorKind::Full,
            Self::NoAnswer { .. } | Self::Store(StoreError::Unavailable { .. } | StoreError::Refused { .. }) => {
                ErrorKind::Unavailable
            }
            Self::Unreadable { .. } | Self::Store(StoreError::Damaged { .. }) => ErrorKind::Damaged,
            _ => ErrorKind::Invalid,
        }
    }

    pub(super) fn option(option: &'static str, message: impl fmt::Display) -> Self {
        Self::Option { option, message: message.to_string() }
    }

    /// Refuses a text that is too long, before anything is written.
    pub(super) fn check_text(what: &'static str, text: &str, max: usize) -> Result<(), Self> {
        if text.len() > max {
            return Err(Self::TooLong { what, bytes: text.len(), max });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_what_the_caller_can_make_of_it() {
        let text = || "text".to_owned();
        let kinds = [
            (EngineError::option("lease", "too short"), ErrorKind::Invalid),
            (EngineError::TooLong { what: "the id", bytes: 300, max: 256 }, ErrorKind::Invalid),
            (EngineError::NoIdIndex { store: text() }, ErrorKind::Invalid),
            (StoreError::Url { message: text() }.into(), ErrorKind::Invalid),
            (EngineError::NotFound { id: text() }, ErrorKind::NotFound),
            (EngineError::NoSuchRun { id: text(), run: 2 }, ErrorKind::NotFound),
            (EngineError::NoSuchStep { id: text(), run: 1, operation: text(), recorded: text() }, ErrorKind::NotFound),
            (EngineError::AlreadyExists { id: text(), workflow: text(), state: State::Queued }, ErrorKind::Conflict),
            (EngineError::WrongWorkflow { id: text(), wanted: text(), found: text() }, ErrorKind::Conflict),
            (EngineError::Refused { id: text(), action: "paused", state: State::Complete }, ErrorKind::Conflict),
            (EngineError::Finished { id: text() }, ErrorKind::Conflict),
            (EngineError::MailboxFull { id: text() }, ErrorKind::Full),
            (EngineError::NoAnswer { store: text(), waited: Duration::from_secs(1) }, ErrorKind::Unavailable),
            (StoreError::Unavailable { store: text(), message: text() }.into(), ErrorKind::Unavailable),
            (StoreError::Refused { store: text(), message: text() }.into(), ErrorKind::Unavailable),
            (StoreError::Damaged { store: text(), message: text() }.into(), ErrorKind::Damaged),
            (EngineError::Unreadable { id: text(), message: text() }, ErrorKind::Damaged),
        ];
        for (error, kind) in kinds {
            assert_eq!(error.kind(), kind, "{error}");
        }
    }
}
