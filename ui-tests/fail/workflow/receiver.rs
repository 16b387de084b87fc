use workflow::prelude::*;

struct Shop;

impl Shop {
    #[workflow]
    async fn order(&self, id: u64) -> u64 {
        id
    }
}

fn main() {}
