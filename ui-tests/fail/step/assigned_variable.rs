use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    let mut count = 0;
    let _ = step!("count", { count += 1; Ok(()) }).await;
    let _ = group!("counts", { count = 2; Ok(()) }).await;
    drop(count);
    id
}

fn main() {}
