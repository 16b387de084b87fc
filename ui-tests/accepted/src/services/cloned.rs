//! A resource behind an `Arc`, cloned for bodies that move, and clients that are cheap to clone.

use crate::remote;
use std::io;
use std::sync::Arc;
use workflow::prelude::*;

#[derive(Clone)]
struct Client {
    base: Arc<str>,
}

impl Client {
    async fn get(self, path: String) -> io::Result<String> {
        remote::answer(format!("{}{path}", self.base)).await
    }
}

struct Pool {
    client: Client,
}

impl Pool {
    async fn lend(self: Arc<Self>, path: &str) -> io::Result<String> {
        self.client.clone().get(path.to_owned()).await
    }
}

/// Gets pages.
#[workflow]
async fn get_pages(
    paths: Vec<String>,
    #[resource] client: &Client,
    #[resource] pool: &Arc<Pool>,
) -> workflow::Result<String> {
    let client = client.clone();
    let pool = Arc::clone(pool);
    let mut pages = Vec::new();
    for path in paths {
        pages.push(step!("get", key = path, client.clone().get(path.clone())).await?);
        let shared = pool.clone();
        pages.push(step!("lend", key = path, { Ok(shared.clone().lend(&path).await?) }).await?);
    }
    let last = {
        let pool = &pool;
        join_all((0..2).map(|number| async move {
            let pool = Arc::clone(pool);
            let path = format!("/{number}");
            step!("last", key = number, { Ok(Arc::clone(&pool).lend(&path).await?) }).await
        }))
        .await
    };
    pages.extend(last.into_iter().flatten());
    Ok(pages.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_come() {
        let client = Client { base: "a".into() };
        let pool = Pool { client: Client { base: "b".into() } };
        let report = get_pages::test(vec!["/x".to_owned()]).resource(client).resource(Arc::new(Arc::new(pool))).run();
        assert_eq!(report.result, Ok("a/x b/x b/0 b/1".to_owned()));
    }
}
