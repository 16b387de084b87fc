//! A tuple of parallel operations: `join!` of steps, a wait with a deadline and a block, then decisions on the results.

use crate::remote;
use serde::{Deserialize, Serialize};
use std::io;
use workflow::prelude::*;

#[derive(Debug, Event, Serialize, Deserialize)]
#[event(name = "seller.accepted")]
struct SellerAccepted {
    days: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Risk {
    Low,
    High,
}

struct Market;

impl Market {
    async fn risk(&self, buyer: u64) -> io::Result<Risk> {
        remote::answer(if buyer.is_multiple_of(2) { Risk::Low } else { Risk::High }).await
    }

    async fn hold_money(&self, buyer: u64, cents: u64) -> io::Result<String> {
        remote::answer(format!("hold-{buyer}-{cents}")).await
    }

    async fn release_money(&self, hold: &str) -> io::Result<()> {
        assert!(hold.starts_with("hold-"));
        remote::answer(()).await
    }

    async fn ask_seller(&self, seller: u64) -> io::Result<u64> {
        remote::answer(seller).await
    }
}

/// Brings a buyer and a seller together.
#[workflow]
async fn purchase(buyer: u64, seller: u64, cents: u64, #[resource] market: &Market) -> workflow::Result<Option<u32>> {
    let (risk, hold, accepted) = join!(
        step!("judge risk", market.risk(buyer)),
        step!("hold money", retries = 3, market.hold_money(buyer, cents)),
        async {
            step!("ask seller", market.ask_seller(seller)).await?;
            let answer = wait_for::<SellerAccepted>("seller accepts").timeout(2d).await?;
            Ok::<_, workflow::Error>(answer.days)
        },
    )
    .await;
    let hold = hold?;
    match (risk?, accepted) {
        (Risk::Low, Ok(days)) => Ok(Some(days)),
        (Risk::High, Ok(days)) if cents < 1_000 => Ok(Some(days + 1)),
        (_, Err(_)) | (Risk::High, _) => {
            step!("release money", market.release_money(&hold)).await?;
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seller_who_accepts_is_paid() {
        let report = purchase::test(2, 3, 5_000).resource(Market).event(SellerAccepted { days: 4 }).run();
        assert_eq!(report.result, Ok(Some(4)));
    }

    #[test]
    fn without_an_answer_the_money_is_released() {
        let report = purchase::test(2, 3, 5_000).resource(Market).run();
        assert_eq!(report.result, Ok(None));
        assert!(report.step("release money").is_some());
    }
}
