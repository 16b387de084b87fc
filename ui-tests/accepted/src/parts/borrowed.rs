//! Parts that borrow: several lifetimes, slices, mutable state of the workflow, and results that borrow too.

use crate::remote;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use workflow::prelude::*;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Letter {
    to: String,
    pages: Vec<String>,
}

struct Office {
    stamps: u32,
}

impl Office {
    async fn frank(&self, letter: &Letter, page: usize) -> io::Result<u32> {
        remote::answer(self.stamps + u32::try_from(letter.pages[page].len()).unwrap_or_default()).await
    }

    async fn post(&self, to: &str, stamps: &[u32]) -> io::Result<u32> {
        remote::answer(stamps.iter().sum::<u32>() + u32::from(to.is_empty())).await
    }
}

/// What one run remembers.
#[derive(Debug, Default)]
struct State<'a> {
    by_name: BTreeMap<&'a str, u32>,
    last: Option<&'a Letter>,
}

#[part]
async fn longest<'l>(letters: &'l [Letter], office: &Office) -> Option<&'l Letter> {
    let stamps = step!("look around", { Ok(office.stamps) }).await.ok()?;
    letters.iter().filter(|letter| letter.pages.len() <= stamps as usize).max_by_key(|letter| letter.pages.len())
}

#[part]
async fn send<'a>(state: &mut State<'a>, letter: &'a Letter, office: &Office) -> Result<u32, StepError> {
    let mut stamps = vec![];
    for page in 0..letter.pages.len() {
        stamps.push(step!("frank", office.frank(letter, page)).await?);
    }
    let price = step!("post", key = letter.to, office.post(&letter.to, &stamps[..])).await?;
    *state.by_name.entry(&letter.to).or_default() += price;
    state.last = Some(letter);
    Ok(price)
}

#[part]
async fn title<'t>(text: Cow<'t, str>, fallback: &'t str) -> Cow<'t, str> {
    sleep(1s).await;
    if text.is_empty() { Cow::Borrowed(fallback) } else { text }
}

/// Sends letters, the longest one twice.
#[workflow]
async fn send_letters(letters: Vec<Letter>, #[resource] office: &Office) -> workflow::Result<(u32, String)> {
    let mut state = State::default();
    for letter in &letters {
        send(&mut state, letter, office).await?;
    }
    if let Some(letter) = longest(&letters, office).await {
        send(&mut state, letter, office).await?;
    }
    let last = state.last.map_or("", |letter| &letter.to);
    let last = title(last.into(), "nobody").await.into_owned();
    Ok((state.by_name.values().sum(), last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_is_sent_twice() {
        let letter = |to: &str, pages: &[&str]| {
            let pages = pages.iter().map(|page| (*page).to_owned()).collect();
            Letter { to: to.to_owned(), pages }
        };
        let letters = vec![letter("Ada", &["a", "bb"]), letter("Grace", &["c"])];
        let report = send_letters::test(letters).resource(Office { stamps: 2 }).run();
        assert_eq!(report.result, Ok((7 + 3 + 7, "Ada".to_owned())));
    }
}
