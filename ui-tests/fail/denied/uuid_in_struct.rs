use uuid::Uuid;
use workflow::prelude::*;

struct Charge {
    id: u64,
    key: Uuid,
}

async fn send(charge: &Charge) -> Result<u64, std::io::Error> {
    Ok(charge.id)
}

#[workflow]
async fn order(id: u64) -> u64 {
    let charge = Charge { id, key: Uuid::new_v4() };
    let _ = step!("charge", send(&charge)).await;
    id
}

fn main() {}
