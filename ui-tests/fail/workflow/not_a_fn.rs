use workflow::prelude::*;

#[workflow]
struct Order;

fn main() {}
