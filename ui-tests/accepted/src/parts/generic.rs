//! Parts that are generic over types, constants, closures and traits with associated types.

use crate::remote;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Display;
use std::io;
use workflow::prelude::*;

/// Something that can be fetched by its id.
trait Entity: Serialize + DeserializeOwned + Send + 'static {
    /// How it is named.
    type Id: Display + Clone + Send + Sync + 'static;

    /// Asks for it.
    fn fetch(id: &Self::Id) -> impl Future<Output = io::Result<Self>> + Send;
}

impl Entity for String {
    type Id = u64;

    async fn fetch(id: &u64) -> io::Result<Self> {
        remote::answer(format!("entity {id}")).await
    }
}

#[part]
async fn fetch_all<E, const N: usize>(ids: [E::Id; N]) -> Result<Vec<E>, StepError>
where
    E: Entity,
{
    try_join_all(ids.iter().map(|id| step!("fetch", key = id, E::fetch(id)))).await
}

#[part]
async fn until<T, F>(name: impl Display + Send + Sync, first: T, decide: F) -> Result<T, StepError>
where
    T: Serialize + DeserializeOwned + Clone + Send + Sync + 'static,
    F: Fn(&T) -> Option<T> + Send + Sync,
{
    let mut current = first;
    while let Some(next) = decide(&current) {
        current = step!("improve", remote::answer(next.clone())).await?;
        sleep(1m).await;
    }
    step!("use", key = name, { Ok(remote::answer(current.clone()).await?) }).await
}

/// Fetches, then improves what it fetched.
#[workflow]
async fn generic_parts(longest: usize) -> Result<String, StepError> {
    let fetched: Vec<String> = fetch_all([7, 8]).await?;
    let text = fetched.join(" and ");
    until("text", text, |text| (text.len() > longest).then(|| text[1..].to_owned())).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_runs() {
        assert_eq!(generic_parts::test(20).run().result, Ok("ntity 7 and entity 8".to_owned()));
    }
}
