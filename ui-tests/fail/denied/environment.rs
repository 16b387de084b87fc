use workflow::prelude::*;

use std::env;

#[workflow]
async fn order(id: u64) -> u64 {
    let region = std::env::var("REGION");
    println!("{}", env::var("ZONE").is_ok());
    drop(region);
    id
}

fn main() {}
