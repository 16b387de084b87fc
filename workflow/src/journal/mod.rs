//! What was recorded, what the code asks for, and what happens next: the pure heart of the system.
//!
//! Two state machines live here, and neither knows async, IO or a clock:
//!
//! - [`machine`] drives **one run** inside the worker that owns it: recorded outcomes and the operations the workflow
//!   asks for go in, the next thing to do comes out ([`machine::Next`]).
//! - [`table`] says what **the store** does with an instance: its [`head`] and a command go in, the new head, a reply
//!   and the effects come out. Every store is held against it.
//!
//! The formats kept on disk are [`path`], [`record`] and [`message`]; golden journals keep them readable for ever.

pub mod command;
pub mod divergence;
pub mod head;
pub mod head_codec;
pub mod lease;
pub mod machine;
pub mod message;
pub mod path;
pub mod record;
pub mod table;
pub mod wire;
