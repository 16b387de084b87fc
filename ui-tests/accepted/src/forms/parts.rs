//! Helpers: free, generic, recursive, methods, in traits; borrowing whatever they like.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Display;
use std::io;
use workflow::prelude::*;

#[part]
async fn free(bank: &Bank, id: &str) -> Result<u64, StepError> {
    step!("call", bank.call(id)).await
}

#[part]
async fn recursive(n: u32) -> u32 {
    if n == 0 {
        return 0;
    }
    sleep(1s).await;
    recursive(n - 1).await + 1
}

#[part]
async fn generic<T>(value: &T, mut n: u32) -> Result<T, StepError>
where
    T: Serialize + DeserializeOwned + Clone + Send + Sync + 'static,
{
    n += 1;
    step!("clone", {
        let _ = n;
        Ok(value.clone())
    })
    .await
}

#[part]
async fn opaque(name: impl Display + Send, (low, high): (u32, u32)) -> String {
    sleep(5m).await;
    format!("{name} {low} {high}")
}

#[part]
async fn borrowing<'a>(all: &'a [String], prefix: &str) -> Option<&'a String> {
    sleep("2 seconds").await;
    all.iter().find(|one| one.starts_with(prefix))
}

#[part]
async fn elided(all: &[String]) -> &str {
    all.first().map_or("", |first| first)
}

#[part(name = "over an operation")]
async fn over<D>(operation: D) -> D::Output
where
    D: workflow::__private::Durable + Send,
{
    operation.await
}

trait Gateway: Send + Sync {
    #[part]
    async fn charge(&self, id: &str) -> Result<u64, StepError>;

    #[part]
    async fn charge_twice(&self, id: &str) -> Result<u64, StepError> {
        Ok(self.charge(id).await? + self.charge(id).await?)
    }
}

struct Bank;

impl Bank {
    async fn call(&self, id: &str) -> io::Result<u64> {
        Ok(id.len() as u64)
    }
}

impl Gateway for Bank {
    #[part]
    async fn charge(&self, id: &str) -> Result<u64, StepError> {
        step!("charge", self.call(id)).await
    }
}

struct Pair<T>(T, T);

impl<T: Clone + Send + Sync> Pair<T> {
    #[part]
    async fn first(&self) -> T {
        sleep(1s).await;
        self.0.clone()
    }

    #[part]
    async fn second(&self, _other: &str) -> &T {
        &self.1
    }

    #[part]
    async fn swap(&mut self) {
        std::mem::swap(&mut self.0, &mut self.1);
    }

    #[part]
    async fn into_first(self) -> T {
        self.0
    }

    #[part]
    async fn twice(value: T) -> Self {
        Self(value.clone(), value)
    }
}

#[workflow]
async fn all(id: String, #[resource] gateway: &dyn Gateway, #[resource] bank: &Bank) -> Result<u64, StepFailed> {
    let mut sum = free(bank, &id).await? + gateway.charge_twice(&id).await?;
    sum += u64::from(recursive(3).await) + u64::from(generic(&7_u32, 1).await?);
    sum += opaque(&id, (1, 2)).await.len() as u64;
    let names = [id.clone(), "x".to_owned()];
    sum += borrowing(&names, "x").await.map_or(0, |name| name.len() as u64);
    sum += elided(&names).await.len() as u64;
    over(sleep(1s)).await;
    let mut pair = Pair::twice(1_u64).await;
    pair.swap().await;
    sum += pair.first().await + pair.second("").await + pair.into_first().await;
    Ok(sum)
}

#[derive(Debug, PartialEq, Serialize, serde::Deserialize)]
struct StepFailed;

impl From<StepError> for StepFailed {
    fn from(_: StepError) -> Self {
        Self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn each_part_runs() {
        let gateway: Arc<dyn Gateway> = Arc::new(Bank);
        assert_eq!(all::test("id".to_owned()).resource(gateway).resource(Bank).run().result, Ok(28));
    }
}
