use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    let shared = std::rc::Rc::new(id);
    sleep(5s).await;
    drop(shared);
    id
}

fn main() {}
