use workflow::prelude::*;

struct Connection;

async fn open() -> Result<Connection, std::io::Error> {
    Ok(Connection)
}

#[workflow]
async fn order(id: u64) -> u64 {
    let _ = step!("open", open()).await;
    let _ = step!("open again", { Ok(open().await?) }).await;
    id
}

fn main() {}
