//! The flagship example as a black box: what it prints, what its step bodies leave in the effects file, how it ends, and
//! what is true of both after it was killed. Nothing here looks into a store or links the workflow.

/// Makes a test of each `fn(StoreKind)` for each store, in a module named after the store.
macro_rules! on_every_store {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[test] fn $name() { super::$name(support::StoreKind::SqliteFile); })*
        }
        mod redis {
            $(#[test] fn $name() { super::$name(support::StoreKind::Redis); })*
        }
    };
}

mod bad_input;
mod binary;
mod crash_after;
mod effects;
mod kills;
mod modes;
mod orders;
mod output;
mod program;
mod stage;
mod webhook;
