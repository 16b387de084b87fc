#![deny(deprecated)]

use workflow::prelude::*;

#[workflow]
async fn order(items: Vec<u64>) -> u64 {
    for item in items {
        let _ = group!("reserve", {
            sleep(5s).await;
            Ok(item)
        })
        .await;
    }
    0
}

fn main() {}
