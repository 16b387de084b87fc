//! Workflows that end the process that runs them, and one that stands beside them.

use std::convert::Infallible;

use serde::{Deserialize, Deserializer, Serialize};
use workflow::prelude::*;

/// An input that ends the process that reads it.
#[derive(Debug, Serialize)]
pub struct Deadly;

impl<'de> Deserialize<'de> for Deadly {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        std::process::abort()
    }
}

/// Cannot even be begun.
#[workflow]
pub async fn unreadable(input: Deadly) -> workflow::Result<String> {
    Ok(format!("{input:?}"))
}

/// Ends the process in the body of a step.
#[workflow]
pub async fn explosive() -> workflow::Result<()> {
    Ok(step!("explode", explode()).await?)
}

async fn explode() -> Result<(), Infallible> {
    std::process::abort()
}

/// Two steps and a sleep between them.
#[workflow]
pub async fn harmless(number: u64) -> workflow::Result<u64> {
    let one = step!("one", add(number)).await?;
    sleep(5ms).await;
    Ok(step!("two", add(one)).await?)
}

async fn add(number: u64) -> Result<u64, Infallible> {
    Ok(number + 1)
}
