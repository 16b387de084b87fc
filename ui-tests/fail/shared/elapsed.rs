use workflow::prelude::*;

#[workflow]
async fn order(id: u64, since: std::time::SystemTime) -> u64 {
    let late = since.elapsed().is_ok_and(|time| time > std::time::Duration::from_secs(60));
    id + u64::from(late)
}

fn main() {}
