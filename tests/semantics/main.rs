//! What a workflow means, on every store: see `tests/README.md`.

mod bad_input;
mod bounds;
mod bugs;
mod children;
mod control;
mod creating;
mod errors;
mod events;
mod groups;
mod histories;
mod joins;
mod kept;
mod limits;
mod lints;
mod namespaces;
mod operations;
mod ported;
mod priorities;
mod races;
mod replay;
mod restarts;
mod results;
mod retries;
mod timers;
mod verify;
mod versions;
