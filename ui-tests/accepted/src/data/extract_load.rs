//! Stages as groups, in groups; a generic stage shared by several tables as a part.

use crate::remote;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;
use workflow::prelude::*;

/// A table that can be read and written.
trait Table: Send + Sync + 'static {
    type Row: Serialize + DeserializeOwned + Clone + Send + Sync + 'static;

    const NAME: &'static str;

    fn rows() -> impl Future<Output = io::Result<Vec<Self::Row>>> + Send;
}

struct Users;
struct Prices;

impl Table for Users {
    type Row = String;

    const NAME: &'static str = "users";

    async fn rows() -> io::Result<Vec<String>> {
        remote::answer(vec!["Ada".to_owned(), "Grace".to_owned()]).await
    }
}

impl Table for Prices {
    type Row = (u32, f64);

    const NAME: &'static str = "prices";

    async fn rows() -> io::Result<Vec<(u32, f64)>> {
        remote::answer(vec![(1, 9.5)]).await
    }
}

#[part]
async fn load<T: Table>(chunk: usize) -> Result<usize, StepError> {
    let rows: Vec<T::Row> = step!("extract", key = T::NAME, T::rows()).await?;
    let mut loaded = 0;
    for (number, rows) in rows.chunks(chunk).enumerate() {
        loaded += step!("load", key = number, remote::answer(rows.len())).await?;
    }
    Ok(loaded)
}

/// Copies both tables, then checks them.
#[workflow]
async fn nightly_copy(chunk: usize) -> workflow::Result<usize> {
    let copied = group!("copy", timeout = 6h, {
        let users = group!("users", retries = 2, { Ok(load::<Users>(chunk).await?) }).await?;
        let prices = group!("prices", retries = 2, { Ok(load::<Prices>(chunk).await?) }).await?;
        Ok(users + prices)
    })
    .await?;
    let checked = step!("check", { Ok(remote::answer(copied).await?) }).await?;
    if checked != copied {
        return Err(workflow::Error::msg(format!("{checked} of {copied}")));
    }
    Ok(copied)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_are_copied() {
        assert_eq!(nightly_copy::test(1).run().result, Ok(3));
    }

    #[test]
    fn a_stage_is_repeated_where_it_failed() {
        let report = nightly_copy::test(2).fail("load", 1, "disk full").run();
        assert_eq!(report.result, Ok(3));
        assert_eq!(report.names().filter(|name| *name == "extract").count(), 2);
    }
}
