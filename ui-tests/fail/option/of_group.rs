use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    let _ = group!("calls", attempts = 3, { Ok(()) }).await;
    id
}

fn main() {}
