use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    let name = String::new();
    let _ = group!("take", { drop(name); Ok(()) }).await;
    id
}

fn main() {}
