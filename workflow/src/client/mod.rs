//! The running surface: starting an engine, creating instances, asking about them and controlling them.
//!
//! Owns what users hold while their program runs, the checks before anything is written, and the words in which
//! answers are given. Decides nothing about an instance (that is [`crate::journal::table`]'s) and runs nothing (that is
//! [`crate::engine`]'s): every call here is a command or a question to the store. Called by users and by generated code.

mod batch;
mod bounds;
mod builder;
mod change;
mod create;
mod description;
mod engine;
mod environment;
mod error;
mod event;
mod failure;
mod handle;
mod history;
mod limits;
mod list;
mod open;
mod restart;
mod result;
mod status;
#[cfg(test)]
mod tests;
mod when;

pub use self::batch::{CreateBatch, create_batch};
pub use self::builder::{Definitions, EngineBuilder, StoreChoice};
pub use self::change::Changes;
pub use self::create::{Create, New, create, new_instance};
pub use self::description::Description;
pub use self::engine::Engine;
pub use self::error::{EngineError, ErrorKind};
pub use self::event::SendEvent;
pub use self::failure::RecordedError;
pub use self::handle::{Get, Handle, Instance, Subject, Untyped, get};
pub use self::history::{Attempt, History, Operation, OperationEnd, Pause, Recorded, SetAside};
pub use self::list::{DamagedInstance, List, Listed, Listing, PageToken};
pub use self::open::{fsck, open_store};
pub use self::restart::RestartFrom;
pub use self::result::ResultError;
pub use self::status::{OpenWait, Paused, RunningOperation, Status, WaitTarget};
