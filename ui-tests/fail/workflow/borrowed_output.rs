use workflow::prelude::*;

#[workflow]
async fn order(#[resource] name: &String) -> &str {
    name
}

fn main() {}
