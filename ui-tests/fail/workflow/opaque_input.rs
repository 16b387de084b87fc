use workflow::prelude::*;

#[workflow]
async fn order(name: impl Into<String>) -> usize {
    name.into().len()
}

fn main() {}
