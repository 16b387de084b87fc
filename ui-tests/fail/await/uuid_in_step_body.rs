use workflow::prelude::*;

async fn charge(key: String) -> Result<u64, std::io::Error> {
    Ok(key.len() as u64)
}

#[workflow]
async fn order(id: u64) -> u64 {
    let _ = step!("charge", {
        let key = uuid().await;
        Ok(charge(key.to_string()).await?)
    })
    .await;
    id
}

fn main() {}
