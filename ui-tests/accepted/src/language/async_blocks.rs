//! Async blocks with operations in them: kept in variables, moved, borrowing, in each other, given to combinators.

use crate::remote;
use std::io;
use workflow::prelude::*;

async fn load(what: &str) -> io::Result<usize> {
    remote::answer(what.len()).await
}

/// Awaits blocks in many ways.
#[workflow]
async fn blocks(name: String, limit: usize) -> workflow::Result<usize> {
    let slow = async {
        sleep(1h).await;
        step!("slow", load(&name)).await
    };
    let fast = async {
        let loaded = step!("fast", load("fast")).await?;
        if loaded > limit {
            return Err(workflow::Error::msg("too fast"));
        }
        Ok(loaded)
    };
    let (slow, fast) = join!(slow, fast).await;
    let sum = slow? + fast?;
    let moved = {
        let name = name.clone();
        async move {
            let inner = async { step!("inner", load(&name)).await.unwrap_or_default() };
            let (inner, waited) = join!(inner, timeout(1s, sleep(2s))).await;
            (inner, waited.is_ok(), name)
        }
    };
    let (inner, waited, name) = moved.await;
    let chosen = if waited { limit } else { async { step!("chosen", load(&name)).await.unwrap_or(0) }.await };
    let raced = race! {
        won = async { step!("won", load("won")).await.map_err(workflow::Error::from) } => won?,
        () = async { sleep(1d).await } => return Err("nothing was won".into()),
    }
    .await;
    Ok(sum + inner + chosen + raced)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_awaited() {
        assert_eq!(blocks::test("Ada".to_owned(), 10).run().result, Ok(3 + 4 + 3 + 3 + 3));
    }
}
