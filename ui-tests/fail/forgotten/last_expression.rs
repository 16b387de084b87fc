use workflow::prelude::*;

async fn call() -> Result<u64, std::io::Error> {
    Ok(1)
}

#[workflow]
async fn order(id: u64) -> Result<u64, StepError> {
    step!("call", call())
}

fn main() {}
