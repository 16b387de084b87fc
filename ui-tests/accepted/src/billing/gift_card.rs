//! Typed failures: `.typed()` gives the body's own error, and a `match` decides on it.

use crate::remote;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use workflow::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Deserialize)]
enum CardError {
    #[error("there is no card {0}")]
    Unknown(String),
    #[error("only {left} are left")]
    Insufficient { left: u64 },
    #[error("the service is busy")]
    Busy,
}

impl CardError {
    const fn is_final(&self) -> bool {
        !matches!(self, Self::Busy)
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Paid {
    ByCard,
    Both { card: u64, cash: u64 },
    Cash,
}

struct Cards;

impl Cards {
    async fn redeem(&self, card: &str, cents: u64) -> Result<(), CardError> {
        let left = remote::answer(500).await.map_err(|_| CardError::Busy)?;
        match card {
            "lost" => Err(CardError::Unknown(card.to_owned())),
            _ if cents > left => Err(CardError::Insufficient { left }),
            _ => Ok(()),
        }
    }
}

/// Pays by card as far as that goes.
#[workflow]
async fn redeem(card: String, cents: u64, #[resource] cards: &Cards) -> Result<Paid, StepError> {
    let redeemed = step!("redeem", retries = 5, delay = 1s, unless = CardError::is_final, cards.redeem(&card, cents))
        .typed()
        .await;
    match redeemed {
        Ok(()) => Ok(Paid::ByCard),
        Err(Failure::Failed { error: CardError::Insufficient { left }, .. }) if left > 0 => {
            step!("redeem rest", cards.redeem(&card, left)).await?;
            Ok(Paid::Both { card: left, cash: cents - left })
        }
        Err(failure) => match failure.error() {
            Some(CardError::Unknown(_)) => Ok(Paid::Cash),
            _ => Err(failure.into()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paid(card: &str, cents: u64) -> Paid {
        redeem::test(card.to_owned(), cents).resource(Cards).run().result.expect("paid somehow")
    }

    #[test]
    fn errors_are_told_apart() {
        assert_eq!(paid("blue", 300), Paid::ByCard);
        assert_eq!(paid("blue", 700), Paid::Both { card: 500, cash: 200 });
        assert_eq!(paid("lost", 300), Paid::Cash);
    }

    #[test]
    fn a_busy_service_is_asked_again() {
        let report = redeem::test("blue".to_owned(), 1).resource(Cards).fail_typed("redeem", 6, CardError::Busy).run();
        assert_eq!(report.step("redeem").map(|step| step.attempts), Some(6));
        assert!(report.result.is_err());
    }
}
