//! Children: another workflow, awaited.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::Location as Caller;

use super::context::Ctx;
use super::durable::Durable;
use super::operation::{Label, Operation, misfit, unreadable};
use super::sleep::caller;
use crate::definition::{Definition, EncodedInputs, WorkflowError, WorkflowOutput};
use crate::error::ChildError;
use crate::journal::command::ParentClose;
use crate::journal::machine::{Ask, ChildSpec};
use crate::journal::message::ChildEnd;
use crate::journal::path::Kind;
use crate::journal::record::Outcome;
use crate::words::failure::FailureData;
use crate::words::id::{QueueName, WorkflowName};
use crate::words::location::Location;

/// Another workflow, called: awaiting it in a workflow creates an instance of it and gives its end, as
/// `Result<W::Output, ChildError<W::Error>>`.
///
/// # Durability
/// The child is created once, whatever crashes: its id follows from the parent (this creation of it), its run and this
/// call's place in it.
#[must_use = "a child workflow is not created until it is awaited, joined or raced, inside another workflow"]
pub struct ChildToAwaitInWorkflow<W> {
    inputs: EncodedInputs,
    on_close: ParentClose,
    at: Location,
    workflow: PhantomData<fn() -> W>,
}

/// [`ChildToAwaitInWorkflow`], where it is named. The compiler says the long name, to whoever awaits one elsewhere.
pub type Child<W> = ChildToAwaitInWorkflow<W>;

/// The child that calling a workflow's function makes.
#[track_caller]
pub fn child<W: Definition>(inputs: EncodedInputs) -> Child<W> {
    Child { inputs, on_close: ParentClose::default(), at: caller(Caller::caller()), workflow: PhantomData }
}

impl<W> Child<W> {
    /// What becomes of the child when this run ends before it does: terminated, unless given.
    pub const fn on_parent_close(mut self, on_close: ParentClose) -> Self {
        self.on_close = on_close;
        self
    }
}

impl<W: Definition> Child<W> {
    fn ask(self) -> Result<(Label, Ask), String> {
        let spec = ChildSpec {
            workflow: WorkflowName::new(W::NAME).map_err(|error| error.to_string())?,
            version: W::VERSION,
            queue: QueueName::new(W::QUEUE).map_err(|error| error.to_string())?,
            input: self.inputs.into_payload().map_err(|error| error.to_string())?,
            keep_complete: W::KEEP_COMPLETE,
            keep_failed: W::KEEP_FAILED,
            on_close: self.on_close,
        };
        Ok((Label { kind: Kind::Child, name: W::NAME, key: None, at: self.at }, Ask::Child(spec)))
    }
}

#[diagnostic::do_not_recommend]
impl<W: Definition> Durable for Child<W> {
    type Output = Result<W::Output, ChildError<W::Error>>;

    fn run(self, cx: Ctx) -> impl Future<Output = Self::Output> + Send {
        let asked = self.ask();
        async move {
            // The inputs are the same in every replay, so what is wrong with them is too.
            let (label, ask) = asked.map_err(|reason| ChildError::NotCreated { reason })?;
            let mut operation = Operation::new(cx, label, ask);
            let outcome = (&mut operation).await;
            let Operation { cx, label, .. } = &operation;
            let decoded = match outcome {
                Outcome::Child(ChildEnd::Complete(output)) => {
                    W::Output::from_payload(&output).map(Ok).map_err(|error| error.to_string())
                }
                Outcome::Child(ChildEnd::Errored(failure)) => read_error(&failure).map(Err),
                Outcome::Child(ChildEnd::Terminated { reason }) => Ok(Err(ChildError::Terminated { reason })),
                Outcome::Child(ChildEnd::NotCreated { reason }) => Ok(Err(ChildError::NotCreated { reason })),
                _ => return misfit(cx, label).await,
            };
            match decoded {
                Ok(result) => result,
                Err(reason) => unreadable(cx, label, &reason).await,
            }
        }
    }
}

/// The child's own error; one that the system ended it with (a passed limit) is told as a termination.
fn read_error<E: WorkflowError>(failure: &FailureData) -> Result<ChildError<E>, String> {
    match &failure.data {
        Some(data) => E::from_payload(data).map(ChildError::Failed).map_err(|error| error.to_string()),
        None => Ok(ChildError::Terminated { reason: failure.message.clone() }),
    }
}

impl<W> fmt::Debug for Child<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child").field("on_close", &self.on_close).field("at", &self.at).finish_non_exhaustive()
    }
}
