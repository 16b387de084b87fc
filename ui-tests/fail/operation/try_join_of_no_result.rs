use workflow::prelude::*;

async fn call() -> Result<u64, std::io::Error> {
    Ok(1)
}

#[workflow]
async fn order(id: u64) -> u64 {
    let both = try_join!(step!("call", call()), sleep(5m)).await;
    id
}

fn main() {}
