use workflow::prelude::*;

async fn call() -> Result<u64, std::io::Error> {
    Ok(1)
}

#[workflow]
async fn order(id: u64) -> u64 {
    for n in 0..id {
        let _ = step!("call", key = n, {
            if n == 3 {
                break;
            }
            Ok(call().await?)
        })
        .await;
    }
    id
}

fn main() {}
