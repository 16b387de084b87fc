//! The macros on any text. Their sources are modules here, as they have no library.
#![no_main]

extern crate proc_macro;

#[path = "../../workflow-macros/src/attribute.rs"]
mod attribute;
#[path = "../../workflow-macros/src/body/mod.rs"]
mod body;
#[path = "../../workflow-macros/src/duration.rs"]
mod duration;
#[path = "../../workflow-macros/src/errors.rs"]
mod errors;
#[path = "../../workflow-macros/src/event.rs"]
mod event;
#[path = "../../workflow-macros/src/tests/given.rs"]
mod given;
#[path = "../../workflow-macros/src/graph/mod.rs"]
mod graph;
#[path = "../../workflow-macros/src/lints.rs"]
mod lints;
#[path = "../../workflow-macros/src/name.rs"]
mod name;
#[path = "../../workflow-macros/src/part/mod.rs"]
mod part;
#[path = "../../workflow-macros/src/race.rs"]
mod race;
#[path = "../../workflow-macros/src/runtime.rs"]
mod runtime;
#[path = "../../workflow-macros/src/step/mod.rs"]
mod step;
#[path = "../../workflow-macros/src/suggest.rs"]
mod suggest;
#[path = "../../workflow-macros/src/workflow/mod.rs"]
mod workflow;

libfuzzer_sys::fuzz_target!(|text: &str| given::given(text));
