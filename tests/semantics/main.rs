//! What a workflow means, on every store: see `tests/README.md`.

mod bad_input;
mod bugs;
mod children;
mod control;
mod creating;
mod errors;
mod events;
mod groups;
mod joins;
mod lints;
mod namespaces;
mod priorities;
mod races;
mod replay;
mod results;
mod retries;
mod timers;
mod verify;
mod versions;
