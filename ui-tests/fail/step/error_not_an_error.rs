use workflow::prelude::*;

struct Odd;

async fn odd() -> Result<u64, Odd> {
    Err(Odd)
}

#[workflow]
async fn order(id: u64) -> u64 {
    let _ = step!("call", odd()).await;
    id
}

fn main() {}
