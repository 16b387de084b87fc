use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    let database = rusqlite::Connection::open("orders.db");
    id
}

fn main() {}
