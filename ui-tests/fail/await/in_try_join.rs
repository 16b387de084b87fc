use workflow::prelude::*;

async fn find(id: u64) -> Result<u64, StepError> {
    Ok(id)
}

async fn call() -> Result<u64, std::io::Error> {
    Ok(1)
}

#[workflow]
async fn order(id: u64) -> u64 {
    let both = try_join!(find(id), step!("call", call())).await;
    id
}

fn main() {}
