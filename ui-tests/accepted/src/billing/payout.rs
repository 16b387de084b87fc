//! Fatal errors and idempotency keys: a declined payout is not tried again, a slow one is, with the same key.

use crate::remote;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use workflow::prelude::*;

#[derive(Debug, Error)]
enum BankError {
    #[error("the account {0} is closed")]
    Closed(String),
    #[error("the bank does not answer")]
    Silent(#[from] std::io::Error),
}

#[derive(Debug, PartialEq, Error, Serialize, Deserialize)]
enum PayoutError {
    #[error("not paid")]
    NotPaid(#[from] StepError),
    #[error("nothing to pay to {0}")]
    Nothing(String),
}

struct Bank;

impl Bank {
    async fn transfer(&self, account: &str, cents: u64, key: &str, attempt: u32) -> Result<String, Fatal<BankError>> {
        if account == "closed" {
            return Err(BankError::Closed(account.to_owned()).fatal());
        }
        if attempt < 3 {
            let () = remote::down("the bank").await.map_err(BankError::from)?;
        }
        Ok(format!("{cents} to {account}, once: {}", key.len()))
    }
}

/// Pays a seller what was earned.
#[workflow]
async fn payout(account: String, cents: u64, #[resource] bank: &Bank) -> Result<String, PayoutError> {
    if cents == 0 {
        return Err(PayoutError::Nothing(account));
    }
    let receipt = step!("transfer", retries = 9, delay = 1m, max_delay = 30m, backoff = exponential, |cx| async {
        let key = cx.idempotency_key();
        bank.transfer(&account, cents, &key, cx.attempt()).await
    })
    .await?;
    Ok(receipt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_bank_is_asked_again() {
        let report = payout::test("seller".to_owned(), 700).resource(Bank).run();
        assert_eq!(report.result, Ok("700 to seller, once: 32".to_owned()));
        assert_eq!(report.step("transfer").map(|step| step.attempts), Some(3));
    }

    #[test]
    fn a_closed_account_is_not() {
        let report = payout::test("closed".to_owned(), 700).resource(Bank).run();
        assert_eq!(report.step("transfer").map(|step| step.attempts), Some(1));
        assert!(report.result.is_err());
    }

    #[test]
    fn nothing_is_an_error_of_its_own() {
        let report = payout::test("seller".to_owned(), 0).resource(Bank).run();
        assert_eq!(
            report.result,
            Err(workflow::test_kit::TestError::Failed(PayoutError::Nothing("seller".to_owned())))
        );
    }
}
