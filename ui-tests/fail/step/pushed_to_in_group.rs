use workflow::prelude::*;

async fn call() -> Result<u64, std::io::Error> {
    Ok(1)
}

#[workflow]
async fn order(id: u64) -> u64 {
    let mut all = Vec::new();
    let _ = group!("calls", {
        all.push(step!("call", call()).await?);
        Ok(())
    })
    .await;
    all.len() as u64
}

fn main() {}
