//! What only bodies call is a piece of them; and steps in other people's macros.

use std::io;

use serde_json::{Value, json};
use workflow::prelude::*;

/// What is asked.
#[derive(Debug, Default)]
struct Shop;

impl Shop {
    async fn user(&self, id: u64) -> io::Result<u64> {
        Ok(id + 1)
    }
}

async fn doubled(id: u64) -> io::Result<u64> {
    Ok(id * 2)
}

/// A closure over a resource, and an async one, that only steps call.
#[workflow]
async fn closures(id: u64, #[resource] shop: &Shop) -> workflow::Result<u64> {
    let load = |id: u64| shop.user(id);
    let twice = |id: u64| async move {
        let once = doubled(id).await?;
        doubled(once).await
    };
    let user = step!("load", key = id, load(id)).await?;
    step!("twice", twice(user)).await.map_err(Into::into)
}

/// A fn of its own that a step runs, and that does what only a body may.
#[workflow]
async fn own_fn(id: u64) -> workflow::Result<bool> {
    async fn exists(path: String) -> io::Result<bool> {
        Ok(std::path::Path::new(&path).exists())
    }
    step!("exists", exists(format!("no such file {id}"))).await.map_err(Into::into)
}

/// The one item that is too dear ends the loop, so its step runs once.
#[workflow]
async fn first_of_all(orders: Vec<u64>) -> workflow::Result<Option<u64>> {
    for cents in orders {
        if cents > 100_000 {
            let asked = step!("ask", doubled(cents)).await?;
            return Ok(Some(asked));
        }
    }
    Ok(None)
}

/// Steps among the values of an object.
#[workflow]
async fn object(id: u64) -> workflow::Result<Value> {
    Ok(json!({
        "id": id,
        "doubled": step!("double", key = format_args!("{id}-x"), doubled(id)).await?,
        "all": [step!("again", doubled(id + 1)).await?, 7],
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_run_in_their_steps() {
        assert_eq!(closures::test(1).resource(Shop).run().result, Ok(8));
        assert_eq!(own_fn::test(1).run().result, Ok(false));
        assert_eq!(first_of_all::test(vec![1, 200_000, 300_000]).run().result, Ok(Some(400_000)));
        assert_eq!(object::test(2).run().result, Ok(json!({ "id": 2, "doubled": 4, "all": [6, 7] })));
    }
}
