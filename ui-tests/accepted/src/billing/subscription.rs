//! Races of cancelling, changing, paying and time, with `return` and `?` in their arms.

use crate::remote;
use serde::{Deserialize, Serialize};
use std::io;
use workflow::prelude::*;

/// The customer wants no more.
#[derive(Debug, Event, Serialize, Deserialize)]
#[event(name = "subscription.cancelled")]
struct Cancelled {
    at_period_end: bool,
}

/// The customer wants another plan.
#[derive(Debug, Event, Serialize, Deserialize)]
#[event(name = "subscription.changed")]
struct Changed {
    plan: Plan,
}

/// The bank says that an invoice was paid.
#[derive(Debug, Event, Serialize, Deserialize)]
#[event(name = "bank.paid")]
struct Paid;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Plan {
    Basic,
    Team,
}

impl Plan {
    const fn cents(self) -> u64 {
        match self {
            Self::Basic => 900,
            Self::Team => 4_900,
        }
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Ended {
    Cancelled { after: u32 },
    Unpaid { invoice: String },
    Complete { cents: u64 },
}

struct Billing;

impl Billing {
    async fn invoice(&self, customer: u64, cents: u64) -> io::Result<String> {
        remote::answer(format!("i-{customer}-{cents}")).await
    }

    async fn void(&self, invoice: &str) -> io::Result<()> {
        assert!(invoice.starts_with("i-"));
        remote::answer(()).await
    }
}

/// Bills a customer each month, for at most `months` of them.
#[workflow(queue = "billing")]
async fn subscription(
    customer: u64,
    plan: Plan,
    months: u32,
    #[resource] billing: &Billing,
) -> workflow::Result<Ended> {
    let (mut plan, mut cents) = (plan, 0);
    for month in 1..=months {
        let invoice = step!("invoice", retries = 3, delay = 10s, billing.invoice(customer, plan.cents())).await?;
        race! {
            Paid = wait_for::<Paid>("paid").key(&invoice) => cents += plan.cents(),
            Cancelled { .. } = wait_for("cancelled before paid") => {
                step!("void", billing.void(&invoice)).await?;
                return Ok(Ended::Cancelled { after: month - 1 });
            }
            () = sleep(14d) => return Ok(Ended::Unpaid { invoice }),
        }
        .await;
        let ended = race! {
            () = sleep("1 month") => None,
            Cancelled { at_period_end } = wait_for("cancelled in the month") => {
                if at_period_end {
                    sleep(14d).await;
                }
                Some(month)
            }
            Changed { plan: other } = wait_for::<Changed>("changed") => {
                plan = other;
                None
            },
        }
        .await;
        if let Some(after) = ended {
            return Ok(Ended::Cancelled { after });
        }
    }
    Ok(Ended::Complete { cents })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use workflow::test_kit::StepReport;

    const MONTH: Duration = Duration::from_secs(31 * 24 * 60 * 60);

    #[test]
    fn a_plan_changes() {
        let report = subscription::test(1, Plan::Basic, 2)
            .resource(Billing)
            .event_keyed("i-1-900", Paid)
            .event(Changed { plan: Plan::Team })
            .event_keyed("i-1-4900", Paid)
            .run();
        assert_eq!(report.result, Ok(Ended::Complete { cents: 5_800 }));
    }

    #[test]
    fn it_is_cancelled_before_it_is_paid() {
        let report = subscription::test(1, Plan::Basic, 2)
            .resource(Billing)
            .event_keyed("i-1-900", Paid)
            .advance(MONTH)
            .event(Cancelled { at_period_end: true })
            .run();
        assert_eq!(report.result, Ok(Ended::Cancelled { after: 1 }));
        assert!(report.step("void").is_some_and(StepReport::succeeded));
    }

    #[test]
    fn nobody_pays() {
        let report = subscription::test(1, Plan::Basic, 2).resource(Billing).run();
        assert_eq!(report.result, Ok(Ended::Unpaid { invoice: "i-1-900".to_owned() }));
    }
}
