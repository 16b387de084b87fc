//! What the compiler says to users.
//!
//! `fail/<family>/<rule>.rs` breaks one rule and its `.stderr` is what the user reads: review it like prose. `pass/` is
//! what must compile and run. No store is needed. After a change of wording: `TRYBUILD=overwrite cargo test -p ui-tests`.
//! Messages change with the compiler, so only the pinned one is expected to agree.

#[test]
fn ui() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("fail/*/*.rs");
    cases.pass("pass/*.rs");
}
