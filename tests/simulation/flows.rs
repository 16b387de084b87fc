//! The workflows of a simulation: everything a workflow can wait for, with numbers that a seed decides.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use workflow::prelude::*;

use crate::hand::Hand;

/// An event that carries a number.
#[derive(Debug, Clone, PartialEq, Eq, Event, Serialize, Deserialize)]
pub(crate) struct Go {
    pub(crate) number: u64,
}

/// What a tour is to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Course {
    pub(crate) failures: u32,
    pub(crate) nap_ms: u64,
    pub(crate) race_ms: u64,
    pub(crate) limit_ms: u64,
}

/// What a tour gives: numbers of its bodies' executions, and whether an event came in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Found {
    pub(crate) tokens: Vec<u64>,
    pub(crate) event: Option<u64>,
}

/// Goes through everything once.
#[workflow]
pub(crate) async fn tours(course: Course, #[resource] hand: &Hand) -> workflow::Result<Found> {
    let mut tokens = Vec::new();
    tokens.push(step!("first", |cx| hand.works(cx)).await?);
    let failures = course.failures;
    tokens.push(step!("flaky", retries = 5, delay = 300ms, backoff = linear, |cx| hand.fails(cx, failures)).await?);
    let packed = group!("pack", retries = 3, delay = 50ms, {
        let one = step!("one", |cx| hand.works(cx)).await?;
        sleep(20ms).await;
        let two = step!("two", |cx| hand.works(cx)).await?;
        Ok(vec![one, two])
    });
    tokens.extend(packed.await?);
    let nap = Duration::from_millis(course.nap_ms);
    let beside = async {
        sleep(nap).await;
        step!("beside", |cx| hand.works(cx)).await
    };
    let (left, right) = join!(step!("left", |cx| hand.works(cx)), beside).await;
    tokens.extend([left?, right?]);
    let winner = race! {
        body = step!("runner", |cx| hand.works(cx)) => Some(body?),
        () = sleep(Duration::from_millis(course.race_ms)) => None,
    }
    .await;
    tokens.extend(winner);
    let since = step!("look", |cx| hand.looks(cx)).await?;
    sleep(nap).await;
    let since_wait = step!("look again", |cx| hand.looks(cx)).await?;
    tokens.push(step!("napped", |cx| hand.is_later(cx, since, nap)).await?);
    let limit = Duration::from_millis(course.limit_ms);
    let event = wait_for::<Go>("go").timeout(limit).await.ok().map(|go| go.number);
    let late = if event.is_some() { Duration::ZERO } else { limit };
    tokens.push(step!("waited", |cx| hand.is_later(cx, since_wait, late)).await?);
    Ok(Found { tokens, event })
}

/// Takes so many events.
#[workflow]
pub(crate) async fn gathers(count: u64, #[resource] hand: &Hand) -> workflow::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    while numbers.len() as u64 != count {
        numbers.push(wait_for::<Go>("go").await.number);
        if numbers.len() % 3 == 1 {
            step!("note", key = numbers.len(), |cx| hand.works(cx)).await?;
        }
    }
    Ok(numbers)
}

/// A body and a number.
#[workflow]
pub(crate) async fn small(number: u64, nap_ms: u64, #[resource] hand: &Hand) -> workflow::Result<u64> {
    step!("work", |cx| hand.works(cx)).await?;
    sleep(Duration::from_millis(nap_ms)).await;
    Ok(number * 2)
}

/// Children beside each other, and one that may lose a race.
#[workflow]
pub(crate) async fn raises(children: u64, nap_ms: u64, #[resource] hand: &Hand) -> workflow::Result<u64> {
    let doubled = try_join_all((0..children).map(|number| small(number, nap_ms, hand))).await?;
    race! {
        child = small(100, 2 * nap_ms, hand) => drop(child?),
        () = sleep(Duration::from_millis(nap_ms)) => {}
    }
    .await;
    step!("sum", |cx| hand.works(cx)).await?;
    Ok(doubled.into_iter().sum())
}

/// Of these few run at once.
#[workflow]
pub(crate) async fn limited(nap_ms: u64, #[resource] hand: &Hand) -> workflow::Result<u64> {
    let first = step!("work", |cx| hand.works(cx)).await?;
    sleep(Duration::from_millis(nap_ms)).await;
    let second = step!("work again", |cx| hand.works(cx)).await?;
    Ok(first.max(second))
}

/// Of these few start in a second.
#[workflow(queue = "mail")]
pub(crate) async fn mails(#[resource] hand: &Hand) -> workflow::Result<u64> {
    Ok(step!("send", |cx| hand.works(cx)).await?)
}
