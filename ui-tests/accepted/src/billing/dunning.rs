//! An escalation driven by a constant table, ended from outside at any stage.

use crate::remote;
use serde::{Deserialize, Serialize};
use std::io;
use std::time::Duration;
use workflow::prelude::*;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Tone {
    Friendly,
    Firm,
    Legal,
}

const STAGES: &[(Tone, Duration, u64)] = &[(Tone::Friendly, DAY, 0), (Tone::Firm, DAY, 500), (Tone::Legal, DAY, 4_000)];

#[derive(Debug, Clone, Copy, PartialEq, Eq, Event, Serialize, Deserialize)]
struct PaymentReceived {
    cents: u64,
}

struct Letters;

impl Letters {
    async fn send(&self, invoice: &str, tone: Tone, cents: u64) -> io::Result<u64> {
        assert!(!invoice.is_empty() && tone as u8 <= Tone::Legal as u8);
        remote::answer(cents).await
    }

    async fn to_court(&self, invoice: &str) -> io::Result<String> {
        remote::answer(format!("case {invoice}")).await
    }
}

/// Writes ever less friendly letters until an invoice is paid.
#[workflow]
async fn dun(invoice: String, owed: u64, #[resource] letters: &Letters) -> Result<String, StepError> {
    let mut owed = owed;
    'stages: for &(tone, patience, fee) in STAGES {
        owed += fee;
        step!("send letter", key = fee, letters.send(&invoice, tone, owed)).await?;
        while let Ok(PaymentReceived { cents }) = wait_for::<PaymentReceived>("payment").timeout(patience * 7).await {
            owed = owed.saturating_sub(cents);
            if owed == 0 {
                return Ok("paid".to_owned());
            }
            if matches!(tone, Tone::Legal) {
                break 'stages;
            }
        }
    }
    step!("to court", letters.to_court(&invoice)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_payments_are_enough() {
        let report = dun::test("7".to_owned(), 1_000)
            .resource(Letters)
            .event(PaymentReceived { cents: 600 })
            .advance(DAY * 8)
            .event(PaymentReceived { cents: 900 })
            .run();
        assert_eq!(report.result, Ok("paid".to_owned()));
    }

    #[test]
    fn silence_ends_in_court() {
        let report = dun::test("7".to_owned(), 1_000).resource(Letters).run();
        assert_eq!(report.result, Ok("case 7".to_owned()));
        assert_eq!(report.steps.len(), 4);
    }
}
