//! Whatever comes from outside is read, or refused with a typed error: never a panic, never a hang, never much memory.
//!
//! The targets are in `fuzz/src`, and are libFuzzer's too. Here each is given changed seeds for some seconds. `SEED=<n>`
//! repeats a run; what fails is made as small as it can be, and printed. An input that once failed is kept among the seeds.

mod edit;
mod runner;
mod seeds;
#[path = "../../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "a library of its own for libFuzzer, and a module here")]
mod targets;
mod wire;

/// One test a target.
macro_rules! fuzzed {
    ($($name:ident),+ $(,)?) => {
        $(#[test] fn $name() { crate::runner::run(stringify!($name)); })+

        #[test]
        fn every_target_is_run() {
            let run = [$(stringify!($name)),+];
            let known: Vec<&str> = crate::targets::TARGETS.iter().map(|(name, _)| *name).collect();
            assert_eq!(run[..], known[..]);
        }
    };
}

fuzzed!(records, blobs, messages, payloads, names, durations, urls, answers, fields, journals);
