use workflow::prelude::*;

#[derive(Event, serde::Deserialize)]
struct Paid {
    intent: String,
}

fn main() {}
