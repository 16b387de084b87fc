use workflow::prelude::*;

async fn fill(all: &mut Vec<u64>) -> Result<(), std::io::Error> {
    all.push(1);
    Ok(())
}

#[workflow]
async fn order(id: u64) -> u64 {
    let mut all = Vec::new();
    let _ = step!("fill", fill(&mut all)).await;
    all.len() as u64
}

fn main() {}
