use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    let _ = step!("outer", {
        race! { () = sleep(1s) => 1, () = sleep(2s) => 2 }.await;
        Ok(())
    })
    .await;
    id
}

fn main() {}
