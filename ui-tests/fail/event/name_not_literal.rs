use workflow::prelude::*;

const NAME: &str = "paid";

#[derive(Event, serde::Serialize, serde::Deserialize)]
#[event(name = NAME)]
struct Paid;

fn main() {}
