//! What a workflow is to the runtime: its name, version, types, and how a run of it starts.
//!
//! Generated code implements [`Definition`] and submits a [`Registration`]; the engine and the test kit find the
//! registrations and start runs from them. Owns the encoding of inputs, the lookup of resources, and how a function's
//! return value becomes the end of its run. Never runs anything.

mod inputs;
mod resources;

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use self::inputs::{EncodedInputs, Input, InputError, Inputs, input};
pub use self::resources::{ResourceKey, Resources};
use crate::authoring::context::Ctx;
use crate::error::Error;
use crate::journal::command::Ending;
use crate::words::failure::{FailureData, FailureKind};
use crate::words::location::Location;
use crate::words::payload::{CodecError, Payload};

/// A workflow: what `#[workflow]` implements for the struct of the function's name.
pub trait Definition: Send + Sync + 'static {
    /// The name its instances carry.
    const NAME: &'static str;
    /// The major version of its code. An instance runs only on code of its own.
    const VERSION: u32;
    /// The queue of its instances unless another is given.
    const QUEUE: &'static str;
    /// How long its instances are kept after they completed, unless their create says; `None`: as long as the engine says,
    /// or, of a child, as long as its parent. At most ten years.
    const KEEP_COMPLETE: Option<Duration> = None;
    /// The same, of instances that failed or were terminated.
    const KEEP_FAILED: Option<Duration> = None;
    /// Its operations as a Mermaid diagram.
    const GRAPH: &'static str;
    /// What it gives.
    type Output: WorkflowOutput;
    /// What it fails with.
    type Error: WorkflowError;

    /// The registration of this workflow, as inventory holds it.
    fn registration() -> &'static Registration;
}

/// The output of a workflow: anything that serde writes and reads.
///
/// It does not have serde's traits above it: then a missing one would be told in their words, in two long messages.
#[diagnostic::on_unimplemented(
    message = "the output of a workflow must be recordable, but `{Self}` is not",
    label = "`{Self}` cannot be written to the journal and read back",
    note = "add `#[derive(serde::Serialize, serde::Deserialize)]` to `{Self}` if it is yours, or return only the part of it you need"
)]
pub trait WorkflowOutput: Sized + Send + 'static {
    /// Writes it.
    #[doc(hidden)]
    fn to_payload(&self) -> Result<Payload, CodecError>;

    /// Reads it.
    #[doc(hidden)]
    fn from_payload(payload: &Payload) -> Result<Self, CodecError>;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> WorkflowOutput for T {
    fn to_payload(&self) -> Result<Payload, CodecError> {
        Payload::encode(self)
    }

    fn from_payload(payload: &Payload) -> Result<Self, CodecError> {
        payload.decode()
    }
}

/// The error of a workflow: anything that serde writes and reads, see [`WorkflowOutput`].
#[diagnostic::on_unimplemented(
    message = "the error of a workflow must be recordable, but `{Self}` is not",
    label = "`{Self}` cannot be written to the journal and read back",
    note = "return `workflow::Result<T>`, which takes any error by `?`, or add `#[derive(serde::Serialize, serde::Deserialize)]` to `{Self}` if it is yours"
)]
pub trait WorkflowError: Sized + Send + 'static {
    /// Writes it.
    #[doc(hidden)]
    fn to_payload(&self) -> Result<Payload, CodecError>;

    /// Reads it.
    #[doc(hidden)]
    fn from_payload(payload: &Payload) -> Result<Self, CodecError>;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> WorkflowError for T {
    fn to_payload(&self) -> Result<Payload, CodecError> {
        Payload::encode(self)
    }

    fn from_payload(payload: &Payload) -> Result<Self, CodecError> {
        payload.decode()
    }
}

/// An input of a workflow.
#[diagnostic::on_unimplemented(
    message = "an input of a workflow must be recordable, but `{Self}` is not",
    label = "`{Self}` cannot be written to the journal and read back",
    note = "add `#[derive(serde::Serialize, serde::Deserialize)]` to `{Self}` if it is yours, or mark the argument `#[resource]` if it is a service"
)]
pub trait WorkflowInput: Serialize + DeserializeOwned + Send + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> WorkflowInput for T {}

/// The two sides of a `Result`: how generated code names the types of a workflow's return.
pub trait ResultType {
    /// The type of its value.
    type Ok;
    /// The type of its error.
    type Err;
}

impl<T, E> ResultType for Result<T, E> {
    type Ok = T;
    type Err = E;
}

/// One workflow of the program, submitted to inventory by `#[workflow]`.
pub struct Registration {
    /// Its name.
    pub name: &'static str,
    /// Its version.
    pub version: u32,
    /// Its default queue.
    pub queue: &'static str,
    /// Its operations as a Mermaid diagram.
    pub graph: &'static str,
    /// Where it is defined.
    pub at: Location,
    /// The resources it needs, checked when an engine starts that serves it.
    pub resources: fn() -> Vec<ResourceKey>,
    /// Makes the future of one run.
    pub start: fn(Start) -> Result<RunFuture, InputError>,
}

/// A registration as inventory holds it.
#[derive(Debug)]
pub struct Registered(pub &'static Registration);

inventory::collect!(Registered);

impl Registration {
    /// Every workflow that is linked into the program.
    pub(crate) fn all() -> impl Iterator<Item = &'static Self> {
        inventory::iter::<Registered>.into_iter().map(|registered| registered.0)
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} v{} ({})", self.name, self.version, self.at)
    }
}

/// What a run starts from.
#[derive(Debug)]
pub struct Start {
    /// The context of the workflow function.
    pub cx: Ctx,
    /// Its recorded inputs.
    pub inputs: Inputs,
    /// What the engine was given for `#[resource]` arguments.
    pub resources: Resources,
}

/// The future of one run.
pub type RunFuture = Pin<Box<dyn Future<Output = Ended> + Send>>;

/// The workflow's future: what is held across an `.await` can go to another thread.
pub fn run_future<F>(future: F) -> RunFuture
where
    F: Send + 'static,
    F: Future<Output = Ended>,
{
    Box::pin(future)
}

/// How a workflow's function returned, encoded.
#[derive(Debug)]
pub struct Ended(pub(crate) Ending);

/// The end of a workflow that returns a plain value.
#[expect(clippy::needless_pass_by_value, reason = "the value is what the workflow's future returned")]
pub fn ended_value<W: Definition>(value: W::Output) -> Ended {
    Ended(Ending { result: output(&value) })
}

/// The end of a workflow that returns a result. `words` gives what an error says of itself: generated code passes
/// `|error| Words(error).words()`, as it alone knows the type.
#[inline]
pub fn ended_result<W: Definition>(
    result: Result<W::Output, W::Error>,
    words: fn(&W::Error) -> Option<String>,
) -> Ended {
    ended(result, words)
}

/// Not generic over the workflow: many return the same types.
fn ended<T: WorkflowOutput, E: WorkflowError>(result: Result<T, E>, words: fn(&E) -> Option<String>) -> Ended {
    let result = match result {
        Ok(value) => output(&value),
        Err(error) => Err(failure(&error, words)),
    };
    Ended(Ending { result })
}

/// What was returned, as it is recorded; it must read back.
fn returned<T>(
    value: &T,
    write: impl FnOnce(&T) -> Result<Payload, CodecError>,
    read: impl FnOnce(&Payload) -> Result<T, CodecError>,
) -> Result<Payload, FailureData> {
    write(value).and_then(|payload| read(&payload).map(|_| payload)).map_err(|error| {
        let mut failure = FailureData::of_error(FailureKind::NotRecordable, "", &error);
        failure.message = format!("the workflow's return value: {}", failure.message);
        failure
    })
}

fn output<T: WorkflowOutput>(value: &T) -> Result<Payload, FailureData> {
    returned(value, T::to_payload, T::from_payload)
}

fn failure<E: WorkflowError>(error: &E, words: fn(&E) -> Option<String>) -> FailureData {
    let data = match returned(error, E::to_payload, E::from_payload) {
        Ok(data) => data,
        Err(failure) => return failure,
    };
    let class = std::any::type_name::<E>();
    let failure = match (error as &dyn Any).downcast_ref::<Error>() {
        Some(error) => error.clone().into_failure(),
        None => FailureData::new(FailureKind::Failed, class, words(error).unwrap_or_else(|| class.to_owned())),
    };
    FailureData { data: Some(data), ..failure }
}

/// What a value says of itself, if it is `Display`: generated code calls `Words(error).words()` with [`NoWords`] in
/// scope, where the type is known. The inherent method goes first where its bound holds.
#[derive(Debug)]
pub struct Words<'a, T>(pub &'a T);

impl<T: fmt::Display> Words<'_, T> {
    /// Its words.
    #[must_use]
    pub fn words(&self) -> Option<String> {
        Some(self.0.to_string())
    }
}

/// See [`Words`]: what a value says that is not `Display`.
pub trait NoWords {
    /// Nothing.
    fn words(&self) -> Option<String>;
}

impl<T> NoWords for Words<'_, T> {
    fn words(&self) -> Option<String> {
        None
    }
}
