use workflow::prelude::*;

#[workflow]
async fn order<'a>(name: &'a str) -> u64 {
    name.len() as u64
}

fn main() {}
