use workflow::prelude::*;

trait Clock: Send + Sync {
    fn hour(&self) -> u64;
}

#[workflow]
async fn order(total: u64, #[resource] clock: &dyn Clock) -> u64 {
    let hour = clock.hour();
    total + hour
}

fn main() {}
