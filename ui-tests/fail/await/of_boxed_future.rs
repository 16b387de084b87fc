use std::pin::Pin;
use workflow::prelude::*;

fn load(id: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move { id })
}

#[workflow]
async fn order(id: u64) -> u64 {
    load(id).await
}

fn main() {}
