use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> String {
    let text: String = id;
    sleep(5s).await;
    text.lenght()
}

fn main() {}
