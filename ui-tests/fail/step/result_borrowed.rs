use workflow::prelude::*;

async fn name_of(name: &str) -> Result<&str, std::io::Error> {
    Ok(name)
}

#[workflow]
async fn order(id: u64) -> u64 {
    let name = String::from("x");
    let _ = step!("name", name_of(&name)).await;
    id
}

fn main() {}
