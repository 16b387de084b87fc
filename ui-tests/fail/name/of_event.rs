use workflow::prelude::*;

#[derive(Event, serde::Serialize, serde::Deserialize)]
#[event(name = "paid\n")]
struct Paid;

fn main() {}
