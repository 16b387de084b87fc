//! What workflow code runs on: durable operations, and the task that drives one run's future.
//!
//! Two sides meet here. Users and generated code build [`durable::Durable`] values (steps, groups, sleeps, waits,
//! children, joins, races) and await them in a workflow. [`task::RunTask`] polls the workflow's future on behalf of the
//! engine or the test kit and does what the run's state machine ([`crate::journal::machine`]) says next. Never does IO,
//! never reads a clock, knows no store and no executor.
//!
//! - [`durable`], [`context`]: what a durable operation is, and what connects it with its run;
//! - [`step`], [`group`], [`attempt`]: bodies and blocks, their options, attempts and results;
//! - [`sleep`], [`wait`], [`child`]: operations that end from outside, all of them an [`operation`];
//! - [`part`], [`join`], [`race`], [`timeout`], [`branches`]: structure without records of its own;
//! - [`probe`], [`ordered`], [`settled`]: what differs from run to run, refused by type; [`log`]: what is said once;
//! - [`facts`], [`random`]: deterministic facts and randomness;
//! - [`event`]: what can be sent and waited for; [`owned`]: what a step made in a closure takes along;
//! - [`run`], [`signals`], [`task`]: the run as its driver sees it; [`observed`]: as an observer does;
//! - [`verify`]: a run compared with its replay.

pub(crate) mod attempt;
pub(crate) mod branches;
pub(crate) mod child;
pub(crate) mod context;
pub(crate) mod durable;
pub(crate) mod event;
pub(crate) mod facts;
pub(crate) mod group;
pub(crate) mod join;
pub(crate) mod log;
pub(crate) mod observed;
pub(crate) mod operation;
pub(crate) mod options;
pub(crate) mod ordered;
pub(crate) mod owned;
pub(crate) mod part;
pub(crate) mod probe;
pub(crate) mod race;
pub(crate) mod random;
pub(crate) mod run;
pub(crate) mod settled;
pub(crate) mod signals;
pub(crate) mod sleep;
pub(crate) mod step;
pub(crate) mod task;
pub(crate) mod timeout;
pub(crate) mod verify;
pub(crate) mod wait;
