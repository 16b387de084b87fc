use workflow::prelude::*;

async fn call() -> Result<u64, std::io::Error> {
    Ok(1)
}

macro_rules! both {
    ($a:expr, $b:expr) => {
        ($a, $b)
    };
}

#[workflow]
async fn order(id: u64) -> u64 {
    let _ = both!(step!("call", call()).await, step!("call", call()).await);
    id
}

fn main() {}
