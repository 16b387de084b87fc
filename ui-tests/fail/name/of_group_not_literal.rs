use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    let _ = group!(format!("calls {id}"), { Ok(()) }).await;
    id
}

fn main() {}
