use std::process::Command;
use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    let child = Command::new("ls");
    id
}

fn main() {}
