#![deny(deprecated)]

use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    let _ = group!("calls", {
        eprintln!("calls");
        Ok(())
    })
    .await;
    id
}

fn main() {}
