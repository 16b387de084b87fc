//! A trait with parts, two implementations, one chosen by the input, as generic argument and as trait object.

use crate::remote;
use serde::{Deserialize, Serialize};
use std::io;
use workflow::prelude::*;

/// Takes money.
trait Gateway: Send + Sync {
    /// What it is called.
    fn name(&self) -> &'static str;

    /// Holds an amount, and gives the hold's id.
    #[part]
    async fn hold(&self, cents: u64) -> Result<String, StepError>;

    /// Takes what was held.
    #[part]
    async fn capture(&self, hold: &str) -> Result<u64, StepError>;

    /// Both.
    #[part]
    async fn charge(&self, cents: u64) -> Result<u64, StepError> {
        let hold = self.hold(cents).await?;
        sleep(1h).await;
        self.capture(&hold).await
    }
}

async fn post(path: &str, cents: u64) -> io::Result<u64> {
    remote::answer(path.len() as u64 + cents).await
}

#[derive(Debug, Clone, Copy)]
struct Card;

#[derive(Debug, Clone)]
struct Bank {
    account: String,
}

impl Gateway for Card {
    fn name(&self) -> &'static str {
        "card"
    }

    #[part]
    async fn hold(&self, cents: u64) -> Result<String, StepError> {
        let held = step!("hold", timeout = 30s, post("/holds", cents)).await?;
        Ok(format!("{}-{held}", self.name()))
    }

    #[part]
    async fn capture(&self, hold: &str) -> Result<u64, StepError> {
        step!("capture", retries = 4, post(hold, 0)).await
    }
}

impl Gateway for Bank {
    fn name(&self) -> &'static str {
        "bank"
    }

    #[part]
    async fn hold(&self, _cents: u64) -> Result<String, StepError> {
        Ok(self.account.clone())
    }

    #[part(name = "debit")]
    async fn capture(&self, hold: &str) -> Result<u64, StepError> {
        let Self { account } = self;
        step!("debit", key = account, post(hold, 1)).await
    }
}

#[part]
async fn by_reference(gateway: &dyn Gateway, cents: u64) -> Result<u64, StepError> {
    gateway.charge(cents).await
}

#[part]
async fn by_type<G: Gateway>(gateway: G, cents: u64) -> Result<u64, StepError> {
    gateway.charge(cents).await
}

#[derive(Debug, Clone, Serialize, Deserialize)]
enum Method {
    Card,
    Bank { account: String },
    Split,
}

/// Takes money in the way that the customer chose.
#[workflow]
async fn pay(method: Method, cents: u64) -> Result<u64, StepError> {
    match method {
        Method::Card => by_type(Card, cents).await,
        Method::Bank { account } => {
            let chosen: Box<dyn Gateway> = Box::new(Bank { account });
            by_reference(&*chosen, cents).await
        }
        Method::Split => {
            let bank = Bank { account: "shared".to_owned() };
            let (by_card, by_bank) = try_join!(by_type(Card, cents / 2), by_reference(&bank, cents / 2)).await?;
            Ok(by_card + by_bank)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_method_pays() {
        assert_eq!(pay::test(Method::Card, 93).run().result, Ok(7));
        assert_eq!(pay::test(Method::Bank { account: "seven".to_owned() }, 93).run().result, Ok(6));
        assert_eq!(pay::test(Method::Split, 92).run().result, Ok(7 + 7));
    }
}
