use workflow::prelude::*;

async fn take(name: String, n: u64) -> Result<usize, std::io::Error> {
    Ok(name.len() + n as usize)
}

#[workflow]
async fn order(id: u64) -> usize {
    let name = String::new();
    join_all((0..id).map(|n| step!("take", key = n, take(name, n)))).await.len()
}

fn main() {}
