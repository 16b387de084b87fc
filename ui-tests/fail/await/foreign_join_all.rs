use workflow::prelude::*;

/// As the crate of that name has it.
mod futures {
    pub mod future {
        use std::future::{Future, Ready, ready};

        pub fn join_all<I: IntoIterator<Item: Future>>(all: I) -> Ready<usize> {
            ready(all.into_iter().count())
        }
    }
}

async fn call() -> std::io::Result<u64> {
    Ok(1)
}

#[workflow]
async fn order(ids: Vec<u64>) -> usize {
    futures::future::join_all(ids.iter().map(|id| step!("call", key = id, call()))).await
}

fn main() {}
