use workflow::prelude::*;

async fn call() -> Result<u64, std::io::Error> {
    Ok(1)
}

#[workflow]
async fn order(id: u64) -> u64 {
    race! {
        Ok(n) = step!("call", call()) => n,
        () = sleep(1s) => 0,
    }
    .await
}

fn main() {}
