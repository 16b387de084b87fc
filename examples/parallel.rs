//! Several things at once: `try_join!` until one fails, `join!` until all have ended, `race!` until the first has.
//!
//! Run it with `cargo run --example parallel`. It prints what a product page is made of. For as many as a list has, see
//! `fan_out`.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::io;
use std::time::Duration;

use workflow::prelude::*;

/// Gathers what a page about a product shows.
#[workflow]
async fn page(product: String) -> workflow::Result<String> {
    // All of them are needed: the first error drops the others.
    let (name, price) =
        try_join!(step!("name", after(20, product.to_uppercase())), step!("price", after(10, 1_250_u64))).await?;
    // As many as can be had: each outcome is looked at.
    let (stars, stock) = join!(
        step!("stars", retries = 2, delay = 10ms, refuse("the service for stars is down")),
        step!("stock", after(10, 7_u32)),
    )
    .await;
    let stars = stars.map_or_else(|_| "stars unknown".to_owned(), |stars| format!("{stars} stars"));
    // Whichever comes first. The other one is dropped, and a replay knows who won.
    let picture = race! {
        near = step!("near server", after(10, "a picture from nearby".to_owned())) => near?,
        far = step!("far server", after(60_000, "a picture from afar".to_owned())) => far?,
        () = sleep(5s) => "no picture".to_owned(),
    }
    .await;
    Ok(format!("{name} for {price} cents, {stars}, {} left, {picture}", stock?))
}

/// An answer of a service that takes a while.
async fn after<T>(millis: u64, answer: T) -> io::Result<T> {
    tokio::time::sleep(Duration::from_millis(millis)).await;
    Ok(answer)
}

async fn refuse(why: &str) -> io::Result<f64> {
    Err(io::Error::other(why.to_owned()))
}

#[tokio::main]
async fn main() -> workflow::Result<()> {
    let engine = Engine::builder().store("sqlite::memory:").start().await?;
    let instance = page::create(&engine, "mug".to_owned()).await?;
    println!("{}", instance.result().await?);
    Ok(())
}
