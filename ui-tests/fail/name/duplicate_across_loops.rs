use workflow::prelude::*;

async fn call() -> Result<u64, std::io::Error> {
    Ok(1)
}

#[workflow]
async fn order(id: u64) -> u64 {
    for n in 0..2 {
        let _ = step!("call", key = n, call()).await;
    }
    while id > 9 {
        let _ = step!("call", call()).await;
    }
    id
}

fn main() {}
