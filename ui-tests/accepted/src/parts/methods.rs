//! Methods as parts: of a struct with borrowed fields, by `self`, `&self`, `&mut self`, and associated functions.

use crate::remote;
use std::fmt::Display;
use std::io;
use std::sync::Arc;
use workflow::prelude::*;

struct Client {
    base: u32,
}

impl Client {
    async fn get(&self, path: &str) -> io::Result<u32> {
        remote::answer(self.base + u32::try_from(path.len()).unwrap_or_default()).await
    }
}

/// A conversation with one service, in one run.
struct Session<'c> {
    client: &'c Client,
    calls: u32,
    user: String,
}

impl<'c> Session<'c> {
    #[part]
    async fn open(client: &'c Client, user: &str) -> Result<Self, StepError> {
        let greeting = step!("open", key = user, client.get(user)).await?;
        Ok(Self { client, calls: greeting, user: user.to_owned() })
    }

    #[part]
    async fn call(&mut self, path: &str) -> Result<u32, StepError> {
        self.calls += 1;
        let answer = step!("call", key = self.calls, retries = 2, self.client.get(path)).await?;
        Ok(answer)
    }

    #[part]
    async fn peek<D: Display + Send + Sync>(&self, path: D) -> Result<u32, StepError> {
        step!("peek", key = path, self.client.get(&path.to_string())).await
    }

    #[part]
    async fn close(self) -> Result<u32, StepError> {
        let Self { client, calls, user } = self;
        step!("close", { Ok(client.get(&user).await? + calls) }).await
    }

    const fn calls(&self) -> u32 {
        self.calls
    }
}

/// Shared by reference count.
struct Shared(Client);

impl Shared {
    #[part]
    async fn ping(self: Arc<Self>, times: u32) -> Result<u32, StepError> {
        let mut sum = 0;
        for _ in 0..times {
            sum += step!("ping", self.0.get("ping")).await?;
        }
        Ok(sum)
    }
}

/// Has a conversation.
#[workflow]
async fn converse(
    user: String,
    #[resource] client: &Client,
    #[resource] shared: &Arc<Shared>,
) -> workflow::Result<u32> {
    let mut session = Session::open(client, &user).await?;
    let mut sum = session.call("/one").await? + session.call("/two").await?;
    sum += session.peek(format!("/{user}")).await?;
    sum += Arc::clone(shared).ping(2).await?;
    let calls = session.calls();
    Ok(sum + session.close().await? - calls)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_closed() {
        let report = converse::test("Ada".to_owned())
            .resource(Client { base: 10 })
            .resource(Arc::new(Arc::new(Shared(Client { base: 0 }))))
            .run();
        assert_eq!(report.result, Ok(14 + 14 + 14 + 8 + 13));
    }
}
