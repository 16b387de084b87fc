//! Worker processes killed and frozen: nothing is lost, nothing is done twice beyond what a crash explains.
//!
//! What ran is counted in a file outside the store, one line an execution. See `tests/README.md`.

mod account;
mod acknowledged;
mod book;
mod deliveries;
mod environment;
mod failovers;
mod fleet;
mod freezes;
mod hand;
mod kills;
mod leftovers;
mod operator;
mod outages;
mod poison;
mod readers;
mod rolling;
mod wires;
