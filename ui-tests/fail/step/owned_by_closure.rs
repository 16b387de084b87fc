use workflow::prelude::*;

async fn read(name: &str) -> Result<usize, std::io::Error> {
    Ok(name.len())
}

#[workflow]
async fn order(names: Vec<String>) -> usize {
    join_all(names.into_iter().map(|name| step!("read", key = name, read(&name)))).await.len()
}

fn main() {}
