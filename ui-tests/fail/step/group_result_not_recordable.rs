use workflow::prelude::*;

struct Connection;

#[workflow]
async fn order(id: u64) -> u64 {
    let _ = group!("open", { Ok(Connection) }).await;
    id
}

fn main() {}
