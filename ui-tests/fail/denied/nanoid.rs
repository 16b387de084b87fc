use workflow::prelude::*;

macro_rules! nanoid {
    () => {
        String::new()
    };
}

#[workflow]
async fn order(id: u64) -> u64 {
    let key = nanoid!();
    id
}

fn main() {}
