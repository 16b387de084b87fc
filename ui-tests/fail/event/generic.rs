use workflow::prelude::*;

#[derive(Event, serde::Serialize, serde::Deserialize)]
struct Paid<T> {
    amount: T,
}

fn main() {}
