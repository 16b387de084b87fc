//! The twenty-six bugs found in the library this one is modelled on, one test a bug, named after its number there.
//!
//! Each test's doc says what the model did. What ours does is in the test's name.

mod control;
mod creating;
mod events;
mod fresh_crate;
mod replay;
mod timers;
mod workers;
