use workflow::prelude::*;

#[part]
async fn helper(id: u64) -> u64 {
    let shared = std::rc::Rc::new(id);
    sleep(5s).await;
    *shared
}

fn main() {}
