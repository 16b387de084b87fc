use workflow::prelude::*;

struct Shop;

#[workflow]
async fn order(#[resource] #[resource] shop: &Shop) {}

fn main() {}
