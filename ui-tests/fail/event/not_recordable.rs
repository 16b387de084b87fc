use workflow::prelude::*;

#[derive(Event)]
struct Paid {
    amount: u64,
}

fn main() {}
