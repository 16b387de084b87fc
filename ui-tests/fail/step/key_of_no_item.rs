use workflow::prelude::*;

async fn reserve(_: &str) -> std::io::Result<()> {
    Ok(())
}

/// The key of each item is that of the order.
#[workflow]
async fn order(id: u64, skus: Vec<String>) -> workflow::Result<()> {
    for sku in &skus {
        step!("reserve", key = id, reserve(sku)).await?;
    }
    Ok(())
}

fn main() {}
