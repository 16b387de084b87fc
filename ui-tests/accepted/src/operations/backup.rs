//! An `impl` block in a body, a `match` that gives operations of one type, and options from the inputs.

use crate::remote;
use serde::{Deserialize, Serialize};
use std::io;
use std::time::Duration;
use workflow::prelude::*;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Kind {
    Full,
    Incremental { since: u32 },
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Policy {
    retries: u32,
    delay: Duration,
    limit: Duration,
}

async fn copy(database: &str, since: Option<u32>) -> io::Result<u64> {
    remote::answer(database.len() as u64 * if since.is_some() { 1 } else { 10 }).await
}

async fn verify(bytes: u64) -> io::Result<bool> {
    remote::answer(bytes > 0).await
}

/// Backs up a database, and makes sure of it.
#[workflow]
async fn backup(database: String, kind: Kind, policy: Policy) -> workflow::Result<u64> {
    struct Pause(Duration);

    impl Pause {
        fn doubled(&mut self) -> Duration {
            let doubled = self.0.saturating_mul(2);
            std::mem::replace(&mut self.0, doubled)
        }
    }

    let Policy { retries, delay, limit } = policy;
    let since = match kind {
        Kind::Full => None,
        Kind::Incremental { since } => Some(since),
    };
    let copied = match since {
        None => step!("full copy", retries = retries, delay = delay, timeout = limit, copy(&database, None)),
        Some(_) => {
            step!("incremental copy", copy(&database, since)).retries(retries + 1).delay(delay).timeout(limit / 2)
        }
    };
    let bytes = copied.await?;
    let mut pause = Pause(delay);
    let verified = loop {
        if step!("verify", verify(bytes)).await? {
            break true;
        }
        let next = pause.doubled();
        if next > limit {
            break false;
        }
        sleep(next).await;
    };
    if verified { Ok(bytes) } else { Err(format!("{database} is not backed up").into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy = Policy { retries: 2, delay: Duration::from_secs(1), limit: Duration::from_secs(60) };

    #[test]
    fn each_kind_is_copied() {
        let backed_up = |kind| backup::test("main".to_owned(), kind, POLICY).run().result;
        assert_eq!((backed_up(Kind::Full), backed_up(Kind::Incremental { since: 3 })), (Ok(40), Ok(4)));
    }

    #[test]
    fn it_is_verified_again_and_again() {
        let report = backup::test("main".to_owned(), Kind::Full, POLICY).step("verify", Ok(false)).run();
        assert_eq!(report.names().filter(|name| *name == "verify").count(), 7);
    }
}
