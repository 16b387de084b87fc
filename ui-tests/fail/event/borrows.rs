use workflow::prelude::*;

#[derive(Event, serde::Serialize)]
struct Paid<'a> {
    intent: &'a str,
}

fn main() {}
