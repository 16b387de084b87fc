//! Steps and groups made in closures, with what they use of the closure's own variables.

use std::io;
use workflow::prelude::*;

struct Api;

impl Api {
    async fn call(&self, n: u64, note: &str) -> io::Result<u64> {
        Ok(n + note.len() as u64)
    }

    async fn lend(&self, n: &u64) -> io::Result<u64> {
        Ok(*n)
    }
}

async fn own<T: AsRef<str>>(text: T) -> io::Result<u64> {
    Ok(text.as_ref().len() as u64)
}

#[derive(Clone, Copy)]
struct Point {
    x: u64,
}

#[workflow]
async fn all(numbers: Vec<u64>, names: Vec<String>, #[resource] api: &Api) -> u64 {
    let note = String::from("note");
    let mut sum = 0;
    sum += join_all(numbers.iter().map(|n| step!("by reference", key = n, api.lend(n)))).await.len();
    sum += join_all(numbers.iter().map(|&n| step!("by pattern", key = n, api.call(n, &note)))).await.len();
    sum += join_all(numbers.iter().copied().map(|n| step!("by value", key = n, api.call(n, &note)))).await.len();
    sum += join_all((0..3_u64).map(|n| step!("lent", key = n, retries = 2, api.lend(&n)).delay(2s))).await.len();
    sum += join_all(names.iter().map(|name| step!("generic", key = name, own(name)))).await.len();
    sum += join_all((0..3).map(|n| step!("block", key = n, { Ok(api.call(n, &format!("{note} {n}")).await?) })))
        .await
        .len();
    sum += join_all((0..3).map(|n| step!("async block", key = n, async { api.lend(&n).await }))).await.len();
    sum += join_all((0..3).map(|n| step!("async move", key = n, async move { api.lend(&n).await }))).await.len();
    sum += join_all((0..3).map(|n| step!("context", key = n, |cx| api.call(n, cx.instance_id())))).await.len();
    sum += join_all((0..3).map(|n| step!("context block", key = n, |cx| { Ok(api.call(n, cx.instance_id()).await?) })))
        .await
        .len();
    sum += join_all((0..3).map(|n| {
        step!("shadowed", key = n, {
            let n = n + 1;
            Ok(api.lend(&n).await?)
        })
    }))
    .await
    .len();
    sum += join_all((0..3).map(|n| {
        group!("group", key = n, {
            let first = step!("first", api.call(n, &note)).await?;
            Ok(first + step!("second", api.lend(&n)).await?)
        })
    }))
    .await
    .len();
    sum += join_all(numbers.iter().enumerate().map(|(i, n)| {
        let twice = 2 * *n;
        let point = Point { x: twice };
        timeout(1h, step!("locals", key = i, api.call(twice + point.x, if i > 1 { "x" } else { &note })))
    }))
    .await
    .len();
    sum +=
        join_all(names.into_iter().map(|name| async move { step!("owned", key = name, own(&name)).await })).await.len();
    let steps = numbers.iter().map(|n| step!("collected", key = n, { Ok::<_, BlockError>(api.lend(n).await?) }));
    sum += join_all(steps.collect::<Vec<_>>()).await.len();
    let mut kept = Vec::new();
    for n in 0..3 {
        kept.push(step!("kept", key = n, async move { api.lend(&n).await }));
    }
    sum += join_all(kept).await.len();
    sum as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_closure_makes_its_steps() {
        let names = vec!["x".to_owned(), "yz".to_owned()];
        assert_eq!(all::test(vec![1, 2, 3, 4], names).resource(Api).run().result, Ok(51));
    }
}
