use workflow::prelude::*;

async fn call() -> Result<u64, std::io::Error> {
    Ok(1)
}

fn plain() {
    let _ = step!("call", call());
}

fn main() {}
