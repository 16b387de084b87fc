use workflow::prelude::*;

struct Refused;

#[workflow]
async fn order(id: u64) -> Result<u64, Refused> {
    if id == 0 { Err(Refused) } else { Ok(id) }
}

fn main() {}
