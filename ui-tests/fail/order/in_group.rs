use std::collections::HashMap;
use workflow::prelude::*;

#[workflow]
async fn order(stock: HashMap<String, u64>) -> u64 {
    let _ = group!("all", {
        for count in stock.values() {
            sleep(5s).await;
        }
        Ok(())
    })
    .await;
    0
}

fn main() {}
