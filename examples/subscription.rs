//! A workflow that runs for years: it bills a subscription each month, and listens meanwhile for what the customer wants.
//! The months here are those of a test: `subscription::test(…)` runs the workflow in virtual time, without a store. In
//! the store of an engine the same code sleeps real months, through deploys and restarts.
//!
//! Run it with `cargo run --example subscription`. It prints the bills of three customers, at once.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use workflow::prelude::*;

/// The customer wants another plan, from the next bill on.
#[derive(Debug, Event, Serialize, Deserialize)]
#[event(name = "subscription.upgraded")]
struct Upgraded {
    cents: u64,
}

/// The customer wants no more.
#[derive(Debug, Event, Serialize, Deserialize)]
#[event(name = "subscription.cancelled")]
struct Cancelled;

/// How a subscription ended, and what it brought.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Ended {
    Cancelled { months: u32, cents: u64 },
    Unpaid { months: u32, cents: u64 },
    Complete { cents: u64 },
}

/// Bills a customer each month for as long as a contract runs. A run has room for 25,000 records, so a subscription
/// without an end would begin a new instance each year, as its last step.
#[workflow]
async fn subscription(
    customer: String,
    mut price: u64,
    months: u32,
    #[resource] bank: &Bank,
) -> workflow::Result<Ended> {
    let mut total = 0;
    for month in 1..=months {
        // Three days of trying, then it is over.
        let bill =
            step!("bill", key = month, retries = 3, delay = 1d, unless = is_final, bank.bill(&customer, price)).await;
        match bill {
            Ok(cents) => total += cents,
            Err(_) => return Ok(Ended::Unpaid { months: month - 1, cents: total }),
        }
        let cancelled = timeout("1 month", async {
            loop {
                race! {
                    Upgraded { cents } = wait_for("upgrade") => price = cents,
                    Cancelled = wait_for("cancellation") => break,
                }
                .await;
            }
        })
        .await;
        if cancelled.is_ok() {
            step!("goodbye", retries = 5, delay = 1h, bank.say_goodbye(&customer)).await?;
            return Ok(Ended::Cancelled { months: month, cents: total });
        }
    }
    Ok(Ended::Complete { cents: total })
}

fn is_final(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

struct Bank;

impl Bank {
    async fn bill(&self, customer: &str, cents: u64) -> io::Result<u64> {
        match customer {
            "Barbara" => Err(io::Error::new(io::ErrorKind::NotFound, "there is no such account")),
            _ => Ok(cents),
        }
    }

    async fn say_goodbye(&self, _customer: &str) -> io::Result<()> {
        Ok(())
    }
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn main() {
    // Upgrades after 40 days, and stays to the end of the year.
    let ada = subscription::test("Ada".to_owned(), 900, 12)
        .resource(Bank)
        .advance(40 * DAY)
        .event(Upgraded { cents: 4_900 })
        .run();
    // Cancels after 100 days. The bank does not answer once: the bill is tried again a day later.
    let grace = subscription::test("Grace".to_owned(), 900, 12)
        .resource(Bank)
        .fail("bill", 1, io::Error::other("the bank is closed"))
        .advance(100 * DAY)
        .event(Cancelled)
        .run();
    let barbara = subscription::test("Barbara".to_owned(), 900, 12).resource(Bank).run();
    for (customer, report) in [("Ada", ada), ("Grace", grace), ("Barbara", barbara)] {
        let days = report.records.last().map_or(0, |record| record.at.as_secs() / DAY.as_secs());
        println!("{customer}: {:?} after {days} days", report.result);
    }
}
