use workflow::prelude::*;

async fn take(name: String) -> Result<usize, std::io::Error> {
    Ok(name.len())
}

#[workflow]
async fn order(id: u64) -> u64 {
    let name = String::new();
    let _ = step!("take", take(name)).await;
    id
}

fn main() {}
