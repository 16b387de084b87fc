use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    let child = std::process::Command::new("ls");
    drop(child);
    id
}

fn main() {}
