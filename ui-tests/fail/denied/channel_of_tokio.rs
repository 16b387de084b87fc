use workflow::prelude::*;

#[workflow]
async fn order(id: u64) -> u64 {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    sender.send(id);
    receiver.await
}

fn main() {}
