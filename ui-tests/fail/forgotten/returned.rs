use workflow::prelude::*;

#[workflow]
async fn order(id: u64) {
    sleep(5s)
}

fn main() {}
