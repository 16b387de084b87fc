//! Errors are values: a workflow has its own error type, looks at why a step failed, cleans up, and goes on or gives up.
//! After a replay it sees the same error, with all its fields.
//!
//! Run it with `cargo run --example errors`. It prints what three withdrawals came to.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use serde::{Deserialize, Serialize};
use workflow::prelude::*;

/// What the bank says. Recordable, so that a workflow can match on it.
#[derive(Debug, Clone, thiserror::Error, Serialize, Deserialize)]
enum BankError {
    #[error("only {left} are left")]
    TooLittle { left: u64 },
    #[error("the bank is closed")]
    Closed,
}

/// What a withdrawal says. `From<StepError>` lets `?` take any step that failed.
#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
enum WithdrawalError {
    #[error("refused: {left} are left, {wanted} were asked for")]
    Refused { left: u64, wanted: u64 },
    #[error(transparent)]
    Step(#[from] StepError),
}

/// Takes money out; of an account that has too little it takes nothing.
#[workflow]
async fn withdraw(account: String, wanted: u64) -> Result<u64, WithdrawalError> {
    step!("lock", lock(&account)).await?;
    // `.typed()` gives the body's own error; without it there is a `StepError`, which holds its class, message and causes.
    let taken = step!("take", retries = 1, delay = 20ms, unless = is_final, take(&account, wanted)).typed().await;
    // Whatever came of it, the account is unlocked again: also when the process died in between.
    step!("unlock", retries = 10, delay = 100ms, unlock(&account)).await?;
    match taken {
        Ok(()) => Ok(wanted),
        Err(Failure::Failed { error: BankError::TooLittle { left }, .. }) => {
            Err(WithdrawalError::Refused { left, wanted })
        }
        Err(other) => Err(WithdrawalError::Step(other.into())),
    }
}

const fn is_final(error: &BankError) -> bool {
    matches!(error, BankError::TooLittle { .. })
}

async fn lock(account: &str) -> Result<(), BankError> {
    println!("locking the account of {account}");
    Ok(())
}

async fn take(account: &str, wanted: u64) -> Result<(), BankError> {
    println!("taking {wanted} from {account}");
    match account {
        "Ada" => Ok(()),
        "Grace" => Err(BankError::TooLittle { left: 20 }),
        _ => Err(BankError::Closed),
    }
}

async fn unlock(account: &str) -> Result<(), BankError> {
    println!("unlocking the account of {account}");
    Ok(())
}

#[tokio::main]
async fn main() -> workflow::Result<()> {
    let engine = Engine::builder().store("sqlite::memory:").start().await?;
    for account in ["Ada", "Grace", "Barbara"] {
        let instance = withdraw::create(&engine, account.to_owned(), 50).await?;
        // The caller gets the workflow's own error back, also in another process.
        match instance.result().await {
            Ok(taken) => println!("=> {taken} for {account}"),
            Err(ResultError::Failed(WithdrawalError::Refused { left, .. })) => println!("=> {account} has only {left}"),
            Err(ResultError::Failed(error)) => println!("=> nothing for {account}: {error}"),
            Err(other) => return Err(other.into()),
        }
    }
    Ok(())
}
