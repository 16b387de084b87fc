//! Waiting for the end of an instance.

use std::fmt;
use std::time::Duration;

use super::engine::{Engine, Pause};
use super::failure::RecordedError;
use super::handle::Subject;
use crate::definition::{WorkflowError, WorkflowOutput};
use crate::engine::{Signal, Watch};
use crate::journal::command::{Ending, PauseReason};
use crate::journal::divergence::Divergence;
use crate::journal::head::End;
use crate::store::{BoxFuture, Outcome, Stands, StoreError};
use crate::words::id::InstanceId;

/// How long a drive may take to tell of an end after the hint of it.
const TOLD_WITHIN: Duration = Duration::from_millis(20);

/// Why an instance gave no output. `E` is the workflow's own error.
#[derive(Debug)]
#[non_exhaustive]
pub enum ResultError<E> {
    /// The workflow returned this error. It is the recorded copy.
    Failed(E),
    /// The workflow failed, and the failure is not one of its own errors or cannot be read as one.
    Errored(RecordedError),
    /// It was ended from outside.
    Terminated {
        /// Why.
        reason: String,
    },
    /// There is no such instance: it was never created, or was deleted after its retention.
    Unknown {
        /// The id.
        id: String,
    },
    /// The id belongs to an instance of another workflow.
    WrongWorkflow {
        /// The id.
        id: String,
        /// The workflow it is an instance of.
        found: String,
    },
    /// It completed, but its output cannot be read as the workflow's output: that type has changed since.
    Unreadable {
        /// What is wrong with it.
        message: String,
    },
    /// Its code came to an end, and is parked instead of ended: a replay of its journal did something else, so no
    /// result can be relied on. With code that is corrected it goes on once it is resumed. See
    /// [`VerifyReplay`](crate::VerifyReplay).
    Differs(Box<Divergence>),
    /// It did not end within the time given. It goes on.
    TimedOut {
        /// How long was waited.
        after: Duration,
    },
    /// The store says that it cannot be read. While it only cannot be reached, waiting goes on.
    Store(StoreError),
}

impl<E> ResultError<E> {
    /// The workflow's own error, if it returned one.
    pub fn failed(self) -> Option<E> {
        match self {
            Self::Failed(error) => Some(error),
            _ => None,
        }
    }

    /// Whether the instance has ended; otherwise its end is still to come, or not known.
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Failed(_) | Self::Errored(_) | Self::Terminated { .. } | Self::Unreadable { .. })
    }
}

impl<E: fmt::Debug> fmt::Display for ResultError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // `Debug`, because a workflow's error need only be recordable: this way every one of them can be shown.
            Self::Failed(error) => write!(f, "the workflow failed: {error:?}"),
            Self::Errored(error) => write!(f, "the workflow failed: {error}"),
            Self::Terminated { reason } => write!(f, "the instance was terminated: {reason}"),
            Self::Unknown { id } => write!(f, "there is no instance {id}"),
            Self::WrongWorkflow { id, found } => write!(f, "the instance {id} is a `{found}`"),
            Self::Unreadable { message } => write!(f, "the instance completed, but {message}"),
            Self::Differs(divergence) => write!(f, "the instance is parked: {divergence}"),
            Self::TimedOut { after } => write!(f, "the instance did not end within {after:?}"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl<E: fmt::Debug> std::error::Error for ResultError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Errored(error) => Some(error),
            Self::Store(error) => Some(error),
            _ => None,
        }
    }
}

/// Waits for the end of the instance's newest run. `born`: it was made by us, and is watched since before.
pub(super) async fn wait<W: Subject>(
    engine: &Engine,
    id: &InstanceId,
    born: Option<&Watch>,
) -> Result<W::Output, ResultError<W::Error>> {
    // Watched from before the first look, so that no end falls between the two.
    let mut watch = engine.core().changes().watch(id);
    let mut as_created = born.is_some_and(|watch| !watch.has_rung());
    let driven_here = || engine.core().drive_of(id, W::WORKFLOW);
    loop {
        if let Some(drive) = driven_here()
            && let Some(end) = end_of(&drive, &mut watch).await
        {
            return ended::<W>(&End::Returned(end));
        }
        if !std::mem::take(&mut as_created)
            && let Some(end) = look_for_end::<W>(engine, id).await?
        {
            return ended::<W>(&end);
        }
        if driven_here().is_none() {
            watch.changed().await;
        }
    }
}

/// How it ended, if it has.
async fn look_for_end<W: Subject>(engine: &Engine, id: &InstanceId) -> Result<Option<End>, ResultError<W::Error>> {
    let outcome = look(engine, id, || engine.store().outcome(id.clone())).await.map_err(ResultError::Store)?;
    let Outcome { workflow, stands } = outcome.ok_or_else(|| ResultError::Unknown { id: id.to_string() })?;
    if W::WORKFLOW.is_some_and(|wanted| wanted != workflow.as_str()) {
        return Err(ResultError::WrongWorkflow { id: id.to_string(), found: workflow.to_string() });
    }
    match stands {
        Stands::Ended(end) => Ok(Some(end)),
        // Any other pause is one before the end, and may be over before who waits here would know what to do.
        Stands::Paused(PauseReason::Divergence(divergence)) if divergence.traces.is_some() => {
            Err(ResultError::Differs(divergence))
        }
        Stands::Open | Stands::Paused(_) => Ok(None),
    }
}

/// How a run that is driven here ends: told by its drive, so that the store need not be read. `None`: look.
async fn end_of(drive: &Signal, watch: &mut Watch) -> Option<Ending> {
    tokio::select! {
        biased;
        end = drive.end() => end,
        // It may be this very end, which the drive is about to be told too; or it was ended from outside.
        () = watch.changed() => tokio::time::timeout(TOLD_WITHIN, drive.end()).await.ok().flatten(),
    }
}

fn ended<W: Subject>(end: &End) -> Result<W::Output, ResultError<W::Error>> {
    match end {
        End::Terminated { reason } => Err(ResultError::Terminated { reason: reason.clone() }),
        End::Returned(Ending { result: Ok(output) }) => {
            W::Output::from_payload(output).map_err(|error| ResultError::Unreadable { message: error.to_string() })
        }
        End::Returned(Ending { result: Err(failure) }) => {
            let own = failure.data.as_ref().and_then(|data| W::Error::from_payload(data).ok());
            Err(own.map_or_else(|| ResultError::Errored(RecordedError::new(failure)), ResultError::Failed))
        }
    }
}

/// Looks at an instance, for as long as it takes to reach the store.
pub(super) async fn look<'a, T>(
    engine: &Engine,
    id: &InstanceId,
    mut read: impl FnMut() -> BoxFuture<'a, Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let mut pause = Pause::default();
    let mut told = false;
    loop {
        let answer = read().await;
        engine.core().commands().was_read(&answer);
        match answer {
            Err(StoreError::Unavailable { store, message }) => {
                if !told {
                    tracing::warn!(store, message, instance = %id, "cannot reach the store; still waiting");
                    told = true;
                }
            }
            answer => return answer,
        }
        pause.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::handle::Untyped;
    use crate::words::failure::{FailureData, FailureKind};
    use crate::words::payload::Payload;

    fn failed_with(data: Option<Payload>) -> ResultError<serde_json::Value> {
        let mut failure = FailureData::new(FailureKind::Failed, "shop::Error", "no stock");
        failure.data = data;
        ended::<Untyped>(&End::Returned(Ending { result: Err(failure) })).expect_err("it failed")
    }

    #[test]
    fn the_workflows_own_error_is_given_where_it_can_be_read() {
        let own = Payload::encode("NoStock").expect("encodes");
        assert_eq!(failed_with(Some(own)).failed(), Some("NoStock".into()));
        for unreadable in [None, Some(Payload::from_bytes(*b"{"))] {
            let error = failed_with(unreadable);
            assert_eq!(error.to_string(), "the workflow failed: no stock");
            assert!(matches!(&error, ResultError::Errored(error) if error.class == "shop::Error"), "{error:?}");
            assert!(error.is_final());
        }
    }

    #[test]
    fn an_output_that_cannot_be_read_is_not_taken_for_a_failure() {
        let end = End::Returned(Ending { result: Ok(Payload::from_bytes(*b"{")) });
        let error = ended::<Untyped>(&end).expect_err("unreadable");
        assert!(matches!(error, ResultError::Unreadable { .. }), "{error:?}");
        assert!(error.is_final());
    }
}
