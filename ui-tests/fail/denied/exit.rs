use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    if id == 0 {
        std::process::exit(1);
    }
    id
}

fn main() {}
