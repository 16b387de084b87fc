use workflow::prelude::*;

#[workflow]
async fn order(#[resource] name: &String) -> &str {
    "x"
}

fn main() {}
