use workflow::prelude::*;

trait Orders {
    #[workflow]
    async fn order(id: u64) -> u64;
}

fn main() {}
