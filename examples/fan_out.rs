//! Many steps at once: each is a checkpoint of its own, so after a crash only those that were not done run again.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::time::Duration;

use workflow::Engine;
use workflow::prelude::*;

/// Counts the words of several texts, all at the same time.
#[workflow]
async fn count_words(texts: Vec<String>) -> workflow::Result<usize> {
    let counts = texts.iter().enumerate().map(|(number, text)| step!("count", key = number, count(text)));
    let counts = try_join_all(counts).await?;
    Ok(counts.iter().sum())
}

async fn count(text: &str) -> Result<usize, std::io::Error> {
    // As if it were asked of a service.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let words = text.split_whitespace().count();
    println!("{words} words in {text:?}");
    Ok(words)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let engine = Engine::builder().store("sqlite::memory:").start().await?;
    let texts = (1..=20).map(|n| "word ".repeat(n).trim_end().to_owned()).collect();
    let instance = count_words::create(&engine, texts).await?;
    println!("{} words in all", instance.result().await?);
    Ok(())
}
