use workflow::prelude::*;

#[part]
async fn first(names: &[String]) -> &str {
    let own = String::new();
    sleep(5s).await;
    &own
}

fn main() {}
