use uuid::Uuid;
use workflow::prelude::*;

struct Charge {
    id: u64,
    key: Uuid,
}

async fn charge(charge: &Charge) -> Result<u64, std::io::Error> {
    Ok(charge.id)
}

#[workflow]
async fn order(id: u64) -> u64 {
    let _ = step!("charge", charge(&Charge { id, key: Uuid::new_v4() })).await;
    let charge = Charge { id, key: Uuid::new_v4() };
    id
}

fn main() {}
