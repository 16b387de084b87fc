//! The vocabulary every other layer shares: ids, limits, time, payloads, failures and retry arithmetic.
//!
//! Owns validation: an id or name that exists as one of these types is valid everywhere. Never does IO.

#[doc(hidden)]
pub mod chance;
pub mod duration;
pub mod failure;
pub mod id;
pub mod limits;
pub mod location;
pub mod mismatch;
pub mod payload;
pub mod retry;
pub(crate) mod spelling;
pub mod time;
