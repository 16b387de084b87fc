//! Many steps at once, but no more than so many: each is a checkpoint of its own, so after a crash only those that were
//! not done run again. The key says which is which, whatever the order.
//!
//! Run it with `cargo run --example fan_out`. It prints how many texts were counted at once, and how many words they have.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use workflow::prelude::*;

/// How many texts are with the service at once.
const LANES: usize = 5;

/// Counts the words of all texts. Without the lanes it is
/// `try_join_all(texts.iter().map(|text| step!("count", key = ..., ...)))`: all of them at once.
#[workflow]
async fn count_words(texts: Vec<String>, #[resource] service: &Service) -> workflow::Result<usize> {
    // Each lane takes every fifth text, one after the other: a slow one holds up its lane only.
    let lane = |first: usize| {
        let texts = &texts;
        async move {
            let mut words = 0;
            for (number, text) in texts.iter().enumerate().skip(first).step_by(LANES) {
                words += step!("count", key = number, retries = 3, delay = 1s, service.count(text)).await?;
            }
            Ok::<usize, StepError>(words)
        }
    };
    let words = try_join_all((0..LANES).map(lane)).await?;
    Ok(words.iter().sum())
}

/// A service that takes its time, and does not like to be asked too much at once.
#[derive(Default)]
struct Service {
    asked: AtomicUsize,
    asked_at_once: AtomicUsize,
    most_at_once: AtomicUsize,
}

impl Service {
    async fn count(&self, text: &str) -> io::Result<usize> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let at_once = self.asked_at_once.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_at_once.fetch_max(at_once, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(100)).await;
        self.asked_at_once.fetch_sub(1, Ordering::Relaxed);
        Ok(text.split_whitespace().count())
    }
}

#[tokio::main]
async fn main() -> workflow::Result<()> {
    let service = Arc::new(Service::default());
    let engine = Engine::builder().store("sqlite::memory:").resource_arc(Arc::clone(&service)).start().await?;
    let texts = (1..=20).map(|n| "word ".repeat(n)).collect();
    let instance = count_words::create(&engine, texts).await?;
    println!("{} words in all", instance.result().await?);
    let [asked, most] = [&service.asked, &service.most_at_once].map(|count| count.load(Ordering::Relaxed));
    println!("{asked} texts, at most {most} at once");
    Ok(())
}
