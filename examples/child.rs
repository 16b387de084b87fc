//! A workflow awaits others: each child is an instance of its own, with its own journal, on whatever worker has room. It
//! fails on its own too: the parent sees why.
//!
//! Run it with `cargo run --example child`. It prints who is paid what, and the sum.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::io;

use workflow::prelude::*;

/// Pays everybody, and says how much that was.
#[workflow]
async fn payday(staff: Vec<String>) -> workflow::Result<u64> {
    let mut total = 0;
    for name in staff {
        match pay_salary(name.clone()).await {
            Ok(amount) => total += amount,
            Err(error) => step!("tell", key = name, tell(&name, &error.to_string())).await?,
        }
    }
    Ok(total)
}

/// Pays one person.
#[workflow]
async fn pay_salary(name: String) -> workflow::Result<u64> {
    let amount = step!("look up", look_up(&name)).await?;
    step!("transfer", retries = 5, delay = 1s, transfer(&name, amount)).await?;
    Ok(amount)
}

async fn look_up(name: &str) -> io::Result<u64> {
    if name == "Charles" { Err(io::Error::other("he does not work here")) } else { Ok(1_000 + 10 * name.len() as u64) }
}

async fn transfer(name: &str, amount: u64) -> io::Result<()> {
    println!("{amount} to {name}");
    Ok(())
}

async fn tell(name: &str, error: &str) -> io::Result<()> {
    println!("nothing to {name}: {error}");
    Ok(())
}

#[tokio::main]
async fn main() -> workflow::Result<()> {
    let engine = Engine::builder().store("sqlite::memory:").start().await?;
    let staff = ["Ada", "Charles", "Grace", "Barbara"].map(str::to_owned).to_vec();
    let instance = payday::create(&engine, staff).await?;
    println!("{} in all", instance.result().await?);
    Ok(())
}
