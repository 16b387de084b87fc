use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line);
    id
}

fn main() {}
