//! Inputs that were added later, with defaults; a wait for an untyped sender; a deadline around a whole block.

use crate::remote;
use serde::{Deserialize, Serialize};
use std::io;
use std::time::Duration;
use workflow::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct CardAdded {
    #[serde(rename = "last4")]
    last_digits: String,
}

fn standard_trial() -> Duration {
    Duration::from_secs(14 * 24 * 60 * 60)
}

struct Plans;

impl Plans {
    async fn upgrade(&self, user: u64, card: &CardAdded) -> io::Result<String> {
        remote::answer(format!("{user} pays by {}", card.last_digits)).await
    }
}

/// Gives a user some time before they have to pay.
#[workflow(version = 3)]
async fn trial(
    user: u64,
    #[default = standard_trial()] length: Duration,
    #[default] referrer: Option<u64>,
    #[default = vec![3, 1]] reminders: Vec<u32>,
    #[resource] plans: &Plans,
) -> workflow::Result<String> {
    let length = if referrer.is_some_and(|referrer| referrer != user) { length * 2 } else { length };
    let added = timeout(length, async {
        for days in reminders {
            step!("remind", key = days, timeout = 1m, remote::answer(days)).await?;
            sleep(1h).await;
        }
        let card: CardAdded = wait_for_type("card", "stripe.card_added").key(user).await;
        step!("upgrade", plans.upgrade(user, &card)).await
    })
    .await;
    match added {
        Ok(upgraded) => Ok(upgraded?),
        Err(late) => Ok(format!("free: {late}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_ends_the_trial() {
        let card = CardAdded { last_digits: "4242".to_owned() };
        let report = trial::test(7, standard_trial(), None, vec![1])
            .resource(Plans)
            .event_type("stripe.card_added", "7", card)
            .run();
        assert_eq!(report.result, Ok("7 pays by 4242".to_owned()));
    }

    #[test]
    fn without_one_the_plan_is_free() {
        let report = trial::test(7, standard_trial(), Some(1), vec![]).resource(Plans).run();
        assert!(report.result.is_ok_and(|text| text.starts_with("free: ")));
    }
}
