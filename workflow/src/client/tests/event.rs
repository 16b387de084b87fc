//! Sending events.

use serde::{Deserialize, Serialize};

use super::{Bench, Order};
use crate::authoring::event::Event;
use crate::client::handle::Handle;
use crate::journal::command::Ending;
use crate::journal::message::{Channel, Message};
use crate::words::limits::{MAILBOX_MAX, PAYLOAD_BYTES_MAX};
use crate::words::payload::Payload;

#[derive(Debug, Serialize, Deserialize)]
struct Paid {
    amount: u64,
}

impl Event for Paid {
    const TYPE: &'static str = "stripe.payment";
}

fn received(bench: &Bench) -> Vec<Message> {
    let (_, mut claimed) = bench.claim();
    claimed.remove(0).granted.messages
}

async fn queued(bench: &Bench) -> Handle<Order> {
    bench.order(1).await.expect("new")
}

#[tokio::test]
async fn an_event_sent_before_anything_waits_is_kept() {
    let bench = Bench::new().await;
    let order = queued(&bench).await;
    order.send(Paid { amount: 5 }).key("pi_1").await.expect("accepted");
    order.send_type("any.type", serde_json::json!([1])).await.expect("accepted");
    assert_eq!(order.status().await.expect("exists").unread_events, 2);
    let messages = received(&bench);
    assert_eq!(messages[0].message.channel, Channel::event("stripe.payment", "pi_1"));
    assert_eq!(messages[0].message.payload.as_bytes(), br#"{"amount":5}"#);
    assert_eq!(messages[1].message.channel, Channel::event("any.type", ""));
}

#[tokio::test]
async fn an_event_with_an_id_counts_once() {
    let bench = Bench::new().await;
    let order = queued(&bench).await;
    for amount in [1, 2] {
        order.send(Paid { amount }).id("evt-1").await.expect("accepted");
    }
    order.send(Paid { amount: 3 }).await.expect("accepted");
    order.send(Paid { amount: 3 }).await.expect("accepted");
    let amounts: Vec<u64> =
        received(&bench).iter().map(|m| m.message.payload.decode::<Paid>().expect("paid").amount).collect();
    assert_eq!(amounts, [1, 3, 3]);
}

#[tokio::test]
async fn no_users_event_id_can_be_that_of_a_childs_end() {
    let bench = Bench::new().await;
    let order = queued(&bench).await;
    order.send(Paid { amount: 1 }).id("o~0123:1").await.expect("accepted");
    let id = received(&bench)[0].message.event_id.clone();
    assert!(crate::words::id::InstanceId::new(&*id).is_err(), "{id}");
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_before_anything_is_written() {
    let bench = Bench::new().await;
    let order = queued(&bench).await;
    let long = "x".repeat(257);
    let refused = [
        (order.send_type("", 1).await, "option"),
        (order.send_type(&long, 1).await, "too_long"),
        (order.send_type("t", 1).key(&long).await, "too_long"),
        (order.send_type("t", 1).id(&long).await, "too_long"),
        (order.send_type("t", 1).id("").await, "option"),
        (order.send_type("t", "x".repeat(PAYLOAD_BYTES_MAX - 1)).await, "payload"),
    ];
    for (outcome, code) in refused {
        assert_eq!(outcome.expect_err(code).code(), code);
    }
    assert_eq!(order.status().await.expect("exists").unread_events, 0);
    order.send_type("t", "x".repeat(PAYLOAD_BYTES_MAX - 2)).key("k".repeat(256)).await.expect("just fits");
}

#[tokio::test]
async fn a_full_mailbox_and_an_ended_run_are_told() {
    let bench = Bench::new().await;
    let order = queued(&bench).await;
    for _ in 0..MAILBOX_MAX {
        order.send_type("t", 1).await.expect("there is room");
    }
    assert_eq!(order.send_type("t", 1).await.expect_err("full").code(), "mailbox_full");
    bench.finish(Ending { result: Ok(Payload::from_bytes(*b"1")) });
    assert_eq!(order.send_type("t", 1).await.expect_err("ended").code(), "finished");
}

#[tokio::test]
async fn an_events_content_is_not_shown() {
    let bench = Bench::new().await;
    let order = queued(&bench).await;
    let send = order.send_type("t", "s3cret").key("s3cret");
    assert!(!format!("{send:?}").contains("s3cret"));
}
