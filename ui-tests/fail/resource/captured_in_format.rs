use workflow::prelude::*;

#[derive(Debug)]
struct Shop;

#[workflow]
async fn order(total: u64, #[resource] shop: &Shop) -> u64 {
    let text = format!("{shop:?}");
    total
}

fn main() {}
