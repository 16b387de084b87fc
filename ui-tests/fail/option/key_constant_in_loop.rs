use workflow::prelude::*;

async fn call() -> Result<u64, std::io::Error> {
    Ok(1)
}

#[workflow]
async fn order(items: Vec<u64>) -> u64 {
    for item in &items {
        let _ = step!("call", key = "item", call()).await;
    }
    items.len() as u64
}

fn main() {}
