use workflow::prelude::*;

async fn call() -> Result<u64, std::io::Error> {
    Ok(1)
}

#[workflow]
async fn order(id: u64) -> u64 {
    let _ = group!("calls", {
        let shared = std::rc::Rc::new(1);
        step!("call", call()).await?;
        drop(shared);
        Ok(())
    })
    .await;
    id
}

fn main() {}
