use workflow::prelude::*;

struct Shop;

#[workflow]
async fn by_value(#[resource] shop: Shop) {}

#[workflow]
async fn exclusive(#[resource] shop: &mut Shop) {}

#[workflow]
async fn with_default(#[resource] #[default] shop: &Shop) {}

#[workflow]
async fn named(#[resource = "shop"] shop: &Shop) {}

fn main() {}
