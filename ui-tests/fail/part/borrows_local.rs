use workflow::prelude::*;

#[part]
async fn first(names: &[String]) -> &str {
    let own = names.join(", ");
    sleep(5s).await;
    &own
}

fn main() {}
