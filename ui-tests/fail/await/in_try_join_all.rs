use workflow::prelude::*;

async fn find(id: u64) -> Result<u64, StepError> {
    Ok(id)
}

#[workflow]
async fn order(id: u64) -> u64 {
    let all = try_join_all((0..id).map(find)).await;
    all.map_or(0, |all| all.len() as u64)
}

fn main() {}
