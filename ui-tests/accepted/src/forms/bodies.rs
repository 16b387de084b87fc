//! Every place where an operation may stand, and every form of a body.

use std::io;
use workflow::prelude::*;

struct Api;

impl Api {
    async fn call(&self, id: &str) -> io::Result<u64> {
        Ok(id.len() as u64)
    }

    fn itself(&self) -> &Self {
        self
    }
}

struct Fails(u32);

impl Fails {
    fn is_final(error: &io::Error) -> bool {
        error.kind() == io::ErrorKind::NotFound
    }
}

#[workflow]
async fn forms(id: String, #[resource] api: &Api) -> u64 {
    let __wf_cx = 1_u64;
    let limit = Fails(3).0;
    let call = step!("call", api.call(&id)).await.unwrap_or(__wf_cx);
    let block = step!("block", {
        let n: u64 = "12".parse()?;
        Ok(n + api.call(&id).await?)
    });
    let block = block.await.unwrap_or(0);
    let future = step!("async", async { api.call(&id).await }).await.unwrap_or(0);
    let copied = step!("async move", async move { api.call("x").await.map(|n| n + call) }).await.unwrap_or(0);
    let attempt = step!("context", |cx| async { Ok::<_, io::Error>(u64::from(cx.attempt())) }).await.unwrap_or(0);
    let keyed = step!("context block", |cx| { Ok(api.call(&cx.idempotency_key()).await?) }).await.unwrap_or(0);
    let lent = step!("context lent", |cx| api.call(cx.instance_id())).await.unwrap_or(0);
    let temporary = step!("temporary", api.call(&format!("{id}{limit}"))).await.unwrap_or(0);
    let chained = step!("chained", api.itself().call(id.to_owned().as_str())).await.unwrap_or(0);
    let all = step!(
        "all options",
        key = id,
        retries = limit,
        delay = 250ms,
        backoff = linear,
        max_delay = "1 minute",
        jitter = 0.1,
        timeout = std::time::Duration::from_secs(3),
        unless = Fails::is_final,
        api.call(&id),
    )
    .await;
    let built = step!("built", api.call(&id)).key(1).retries(2).delay(2s).timeout("5 seconds").await.is_ok();
    let grouped = group!("group", retries = 2, timeout = 1h, {
        let n = step!("call", api.call(&id)).await?;
        let m = group!("inner", key = n, { Ok(step!("call", api.call(&id)).await? + n) }).await?;
        sleep(1s).await;
        if m > 100 {
            return Ok(100);
        }
        Ok(n + m + block)
    })
    .await
    .unwrap_or(0);
    if all.is_ok() && built {
        call + block + future + copied + attempt + keyed + lent + grouped + temporary + chained
    } else {
        0
    }
}

#[workflow]
async fn places(ids: Vec<String>, #[resource] api: &Api) -> Option<u64> {
    let (a, b) =
        join!(
            async { step!("one", api.call("1")).await },
            async move { step!("two", api.call("2")).await.map(|n| n + 1) },
        )
        .await;
    let nested = join!(join!(sleep(1s), sleep(2s)), timeout(3s, step!("late", api.call("3")))).await.1.is_ok();
    let each = join_all(ids.iter().map(|id| step!("each", key = id, api.call(id)))).await;
    let blocks = join_all(ids.iter().map(|id| async move {
        step!("in a block", key = id, api.call(id)).await?;
        sleep(5m).await;
        Ok::<_, StepError>(())
    }))
    .await;
    let moving =
        try_join_all(ids.iter().map(move |id| async move { step!("moving", key = id, api.call(id)).await })).await;
    let groups =
        join_all(ids.iter().map(|id| group!("of each", key = id, { Ok(step!("each", api.call(id)).await?) }))).await;
    let won = race! {
        n = step!("fast", api.call("x")) => n.is_ok(),
        () = sleep(5s) => {
            if step!("after all", api.call("y")).await.is_err() {
                return None;
            }
            false
        }
    }
    .await;
    let mut vector = vec![step!("in vec", api.call("v")).await, step!("again in vec", api.call("v")).await];
    vector.extend([step!("in an array", api.call("v")).await]);
    assert!(vector.len() == 3, "{:?}", step!("in assert", api.call("v")).await);
    let text = format!("{} {}", step!("in format", api.call("f")).await.is_ok(), ids.len());
    let known = matches!(step!("in matches", api.call("m")).await, Ok(n) if n > 1);
    let mut count = 0;
    'outer: loop {
        while let Ok(n) = step!("poll", api.call("p")).await {
            count += n;
            if count > 10 {
                break 'outer;
            }
        }
        let Ok(n) = step!("else", api.call("e")).await else { continue };
        count += match n {
            0 => step!("in an arm", api.call("a")).await.ok()?,
            n if won && known => n,
            _ => return Some(count),
        };
    }
    let done = each.len() + blocks.len() + moving.ok()?.len() + groups.len() + text.len() + usize::from(nested);
    Some(count + a.ok()? + b.ok()? + done as u64)
}

#[workflow]
async fn children(n: u64) -> u64 {
    if n == 0 {
        return 0;
    }
    let (one, two) = join!(children(n - 1), children(n - 1)).await;
    one.unwrap_or(0) + two.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_give_what_their_bodies_give() {
        let report = forms::test("four".to_owned()).resource(Api).run();
        // call, block, async, async move, context, context block, group, temporary, chained, context lent
        assert_eq!(report.result, Ok(4 + 16 + 4 + 5 + 1 + 32 + 28 + 5 + 4 + 4));
    }

    #[test]
    fn operations_are_found_in_every_place() {
        let ids = vec!["a".to_owned(), "bc".to_owned()];
        assert_eq!(places::test(ids).resource(Api).run().result, Ok(Some(29)));
    }

    #[test]
    fn a_workflow_awaits_itself() {
        assert_eq!(children::test(3).run().result, Ok(0));
    }
}
