use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    let name = String::new();
    let _ = step!("take", async move {
        drop(name);
        Ok::<_, std::io::Error>(())
    })
    .await;
    id
}

fn main() {}
