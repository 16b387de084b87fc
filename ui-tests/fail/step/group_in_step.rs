use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    let _ = step!("outer", {
        group!("inner", { Ok(()) }).await?;
        Ok(())
    })
    .await;
    id
}

fn main() {}
