use workflow::prelude::*;

struct Shop {
    limit: u64,
}

#[workflow]
async fn order(total: u64, #[resource] shop: &Shop) -> u64 {
    let _ = group!("review", {
        if total > shop.limit {
            sleep(5s).await;
        }
        Ok(())
    })
    .await;
    total
}

fn main() {}
