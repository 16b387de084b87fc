use workflow::prelude::*;

async fn fetch(id: u64) -> u64 {
    id
}

#[workflow]
async fn order(id: u64) -> u64 {
    let _ = group!("outer", {
        group!("inner", {
            fetch(id).await;
            Ok(())
        })
        .await?;
        Ok(())
    })
    .await;
    id
}

fn main() {}
