//! What reads bytes or text from outside, as functions that take any: each panics where a promise is broken, and returns
//! otherwise.
//!
//! Owns the promises, not the inputs: `tests/fuzz` gives them the seeds in `seeds/` and changes of these, for some seconds
//! with every change of the code, and `fuzz_targets/` has libFuzzer look for inputs that lead to new places, for hours.
//! A new target is a function here, a line in [`TARGETS`], a file in `fuzz_targets/`, and a folder of seeds.

pub mod formats;
pub mod journals;
pub mod server;
pub mod texts;

/// A target: its name, which is that of its folder of seeds, and what it does with an input.
pub type Target = (&'static str, fn(&[u8]));

/// All of them but the macros', which have no library that could be named here.
pub const TARGETS: [Target; 10] = [
    ("records", formats::records),
    ("blobs", formats::blobs),
    ("messages", formats::messages),
    ("payloads", formats::payloads),
    ("names", texts::names),
    ("durations", texts::durations),
    ("urls", texts::urls),
    ("answers", server::answers),
    ("fields", server::fields),
    ("journals", journals::journals),
];
