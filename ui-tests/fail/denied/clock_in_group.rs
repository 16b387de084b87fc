use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    let _ = group!("calls", {
        let begun = std::time::Instant::now();
        Ok(())
    })
    .await;
    id
}

fn main() {}
