use workflow::prelude::*;

#[workflow]
async fn order<T: Send>(id: T) -> u64 {
    drop(id);
    1
}

fn main() {}
