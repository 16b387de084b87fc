use workflow::prelude::*;

async fn fetch(id: u64) -> u64 {
    id
}

#[workflow]
async fn order(id: u64) -> u64 {
    let _ = group!("all", {
        let user = fetch(id).await;
        Ok(user)
    })
    .await;
    id
}

fn main() {}
