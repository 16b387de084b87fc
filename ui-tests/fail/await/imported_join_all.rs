use library::join_all;
use workflow::prelude::*;

/// As the `join_all` of futures is.
mod library {
    use std::future::{Future, Ready, ready};

    pub fn join_all<I: IntoIterator<Item: Future>>(all: I) -> Ready<Vec<usize>> {
        ready(vec![all.into_iter().count()])
    }
}

async fn call() -> std::io::Result<u64> {
    Ok(1)
}

#[workflow]
async fn order(ids: Vec<u64>) -> usize {
    join_all(ids.iter().map(|id| step!("call", key = id, call()))).await.len()
}

fn main() {}
