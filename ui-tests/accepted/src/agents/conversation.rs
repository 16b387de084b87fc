//! A conversation that waits for the next message, is summed up when it grows long, and ends when it falls silent.

use crate::remote;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::io;
use workflow::prelude::*;

#[derive(Debug, Clone, Event, Serialize, Deserialize)]
#[event(name = "chat.message")]
struct Said {
    text: String,
    #[serde(default)]
    attachments: Vec<String>,
}

async fn reply(history: &VecDeque<String>, text: &str) -> io::Result<String> {
    remote::answer(format!("{}: {text}?", history.len())).await
}

async fn sum_up(lines: &[String]) -> io::Result<String> {
    remote::answer(format!("{} lines", lines.len())).await
}

/// Talks until nobody answers for an hour.
#[workflow]
async fn conversation(greeting: String, longest: usize) -> workflow::Result<Vec<String>> {
    let mut history = VecDeque::from([greeting]);
    while let Ok(Said { text, attachments }) = wait_for::<Said>("message").timeout(1h).await {
        let text = match attachments.as_slice() {
            [] => text,
            [only] => format!("{text} [{only}]"),
            many => format!("{text} [{} attachments]", many.len()),
        };
        let answer = step!("reply", retries = 3, reply(&history, &text)).await?;
        history.extend([text, answer]);
        if history.len() > longest {
            let old: Vec<String> = history.drain(..longest / 2).collect();
            history.push_front(step!("sum up", sum_up(&old)).await?);
        }
    }
    Ok(history.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_summed_up() {
        let said = |text: &str| Said { text: text.to_owned(), attachments: vec![] };
        let report = conversation::test("hello".to_owned(), 4).event(said("one")).event(said("two")).run();
        let expected = ["2 lines", "1: one?", "two", "3: two?"].map(str::to_owned);
        assert_eq!(report.result, Ok(expected.to_vec()));
    }
}
