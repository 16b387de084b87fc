//! What the compiler says to users.
//!
//! `fail/<family>/<rule>.rs` breaks one rule and its `.stderr` is what the user reads: review it like prose. What must
//! compile without a word stands beside: `accepted/`, and `renamed/` for a crate that knows the framework by another name.
//! No store is needed. After a change of wording: `TRYBUILD=overwrite cargo test -p ui-tests`. Messages change with the
//! compiler, so only the pinned one is expected to agree.

#[test]
fn ui() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("fail/*/*.rs");
}
