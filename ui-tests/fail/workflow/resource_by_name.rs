use workflow::prelude::*;

struct Shop {
    name: String,
}

#[workflow]
async fn opaque(#[resource] name: &impl ToString) {}

#[workflow]
async fn taken_apart(#[resource] Shop { name }: &Shop) {}

fn main() {}
