use workflow::prelude::*;

async fn call() -> Result<u64, std::io::Error> {
    Ok(1)
}

#[workflow(verison = 2)]
async fn order(id: u64) -> String {
    let one = step!("call", call()).await;
    let two = step!("call", retires = 3, call()).await;
    let three = call().await;
    let now = std::time::SystemTime::now();
    sleep("5 mins").await;
    let text: u32 = "four";
    text
}

fn main() {}
