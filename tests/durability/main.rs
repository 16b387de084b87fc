//! Worker processes killed and frozen: nothing is lost, nothing is done twice beyond what a crash explains.
//!
//! What ran is counted in a file outside the store, one line an execution. See `tests/README.md`.

mod account;
mod acknowledged;
mod book;
mod books;
mod clocks;
mod clones;
mod deliveries;
mod endings;
mod environment;
mod failovers;
mod failpoints;
mod fleet;
mod freezes;
mod hand;
mod histories;
mod kills;
mod leftovers;
mod linear;
mod operator;
mod outages;
mod poison;
mod power;
mod readers;
mod rolling;
mod soak;
mod wires;
