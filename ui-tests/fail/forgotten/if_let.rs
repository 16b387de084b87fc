use workflow::prelude::*;

async fn call() -> Result<u64, std::io::Error> {
    Ok(1)
}

#[workflow]
async fn order(id: u64) -> u64 {
    if let Ok(n) = step!("call", call()) {
        return n;
    }
    id
}

fn main() {}
