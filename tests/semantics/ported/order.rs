//! "Quick Start": the order workflow, how it is run, and the webhook that pays it.

use std::convert::Infallible;

use support::prelude::*;
use workflow::test_kit::StepOutcome;

on_every_store!(
    an_order_is_paid_by_a_webhook_and_followed_up_a_day_later,
    an_order_of_an_unknown_user_fails_at_its_first_attempt,
);

const HOUR: Duration = Duration::from_secs(60 * 60);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Order {
    order_id: String,
    user_id: String,
    items: Vec<Item>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Item {
    sku: String,
    quantity: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct User {
    email: String,
    customer: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct PaymentIntent {
    id: String,
}

/// What the payment provider's webhook tells.
#[derive(Debug, Clone, Event, Serialize, Deserialize)]
#[event(name = "stripe.payment")]
struct StripeWebhook {
    payment_intent_id: String,
    amount: u64,
    customer_id: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "lowercase")]
enum Outcome {
    Completed { order_id: String, payment_id: String, total: u64, follow_up_sent: bool },
    Cancelled { reason: String },
}

#[derive(Debug, thiserror::Error)]
#[error("user not found: {0}")]
struct UserNotFound(String);

/// The world of the order: what the sample reaches through globals.
struct Shop<'a>(&'a Witness);

impl Shop<'_> {
    async fn user_and_total(&self, order: &Order) -> Result<(User, u64), Fatal<UserNotFound>> {
        self.0.note("fetch user and calculate total");
        if order.user_id != "user-123" {
            return Err(UserNotFound(order.user_id.clone()).fatal());
        }
        let user = User { email: "ada@example.com".to_owned(), customer: "cus_1".to_owned() };
        Ok((user, order.items.iter().map(|item| item.quantity * price(&item.sku)).sum()))
    }

    async fn create_intent(&self, user: &User, cents: u64) -> Result<PaymentIntent, Oops> {
        // The provider is busy at first.
        self.0.flaky("initiate payment", 1, ()).await?;
        Ok(PaymentIntent { id: format!("pi_{}_{cents}", user.customer) })
    }

    async fn send(&self, mail: &str, user: &User) -> Result<(), Infallible> {
        self.0.note(&format!("{mail} to {}", user.email));
        Ok(())
    }
}

fn price(sku: &str) -> u64 {
    if sku == "WIDGET-1" { 20 } else { 5 }
}

#[workflow]
async fn order_workflow(order: Order, #[resource] witness: &Witness) -> workflow::Result<Outcome> {
    let (user, total) = step!("Fetch user and calculate total", Shop(witness).user_and_total(&order)).await?;

    let intent = step!(
        "Initiate Stripe payment",
        retries = 3,
        delay = "2 seconds",
        backoff = exponential,
        timeout = "30 seconds",
        Shop(witness).create_intent(&user, total * 100)
    )
    .await?;

    let paid = wait_for::<StripeWebhook>("Wait for Stripe payment confirmation").key(&intent.id).timeout("10 minutes");
    let webhook = match paid.await {
        Ok(webhook) => webhook,
        Err(TimedOut { .. }) => {
            step!("Cancel order", witness.ok("cancel order", ())).await?;
            return Ok(Outcome::Cancelled { reason: "payment_timeout".to_owned() });
        }
    };

    step!("Reserve inventory", witness.ok("reserve inventory", ())).await?;
    step!("Send order confirmation email", Shop(witness).send("confirmation", &user)).await?;

    sleep("24 hours").await;

    step!("Send thank you email", Shop(witness).send("thank you", &user)).await?;

    Ok(Outcome::Completed {
        order_id: order.order_id,
        payment_id: webhook.payment_intent_id,
        total,
        follow_up_sent: true,
    })
}

fn order_of(user_id: &str) -> Order {
    let item = |sku: &str, quantity| Item { sku: sku.to_owned(), quantity };
    let items = vec![item("WIDGET-1", 2), item("GADGET-5", 1)];
    Order { order_id: "order-001".to_owned(), user_id: user_id.to_owned(), items }
}

fn paid(intent: &str) -> StripeWebhook {
    StripeWebhook { payment_intent_id: intent.to_owned(), amount: 4_500, customer_id: "cus_1".to_owned() }
}

/// Waits until the instance waits for `target`; the time until which.
async fn waits_for(instance: &Handle<order_workflow>, target: impl Fn(&WaitTarget) -> bool) -> std::time::SystemTime {
    let look = async || {
        let waits = instance.status().await.expect("the store of a test answers").waits;
        waits.into_iter().find(|wait| target(&wait.target) && wait.due.is_some())?.due
    };
    wait::until("it waits for what it should", look).await
}

/// The webhook's handler is another process than the worker; the day is not sat out here.
async fn an_order_is_paid_by_a_webhook_and_followed_up_a_day_later(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<order_workflow>().start().await?;
    let webhooks = stage.builder().mode(Mode::Client).start().await?;
    let instance = order_workflow::create(&engine, order_of("user-123")).id("order-001").await?;

    let is_payment = |target: &WaitTarget| {
        *target == WaitTarget::Event { event_type: "stripe.payment".to_owned(), key: "pi_cus_1_4500".to_owned() }
    };
    waits_for(&instance, is_payment).await;
    order_workflow::get(&webhooks, "order-001").await?.send(paid("pi_cus_1_4500")).key("pi_cus_1_4500").await?;

    let sleeps = |target: &WaitTarget| *target == WaitTarget::Time && stage.witness.count("reserve inventory") > 0;
    let wakes = waits_for(&instance, sleeps).await;
    let history = instance.history().await?;
    let mail = history.operations.iter().find(|o| o.name == "Send order confirmation email").expect("it was sent");
    let nap = wakes.duration_since(mail.first_at)?;
    assert!(nap >= 24 * HOUR && nap < 25 * HOUR, "{nap:?}");
    assert_eq!(instance.status().await?.state, State::Waiting);
    assert_eq!(
        stage.witness.notes(),
        [
            "fetch user and calculate total",
            "initiate payment",
            "initiate payment",
            "reserve inventory",
            "confirmation to ada@example.com",
        ]
    );
    Ok(())
}

/// `NonRetryableError` in the sample: `.fatal()` here.
async fn an_order_of_an_unknown_user_fails_at_its_first_attempt(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<order_workflow>().start().await?;
    let instance = order_workflow::create(&engine, order_of("nobody")).id("order-002").await?;
    match instance.result().await {
        Err(ResultError::Failed(error)) => {
            assert_eq!(error.step(), Some("Fetch user and calculate total"));
            assert!(error.message().contains("user not found: nobody"), "{}", error.message());
        }
        other => panic!("there is no such user: {other:?}"),
    }
    assert_eq!(stage.witness.notes(), ["fetch user and calculate total"]);
    Ok(())
}

/// The whole of it, the day included, in virtual time.
#[test]
fn a_paid_order_completes_a_day_later() {
    let witness = Witness::default();
    let report = order_workflow::test(order_of("user-123"))
        .resource(witness.clone())
        .event_keyed("pi_cus_1_4500", paid("pi_cus_1_4500"))
        .run();
    let completed = Outcome::Completed {
        order_id: "order-001".to_owned(),
        payment_id: "pi_cus_1_4500".to_owned(),
        total: 45,
        follow_up_sent: true,
    };
    assert_eq!(report.result.as_ref().ok(), Some(&completed));
    assert_eq!(
        report.names().collect::<Vec<_>>(),
        [
            "Fetch user and calculate total",
            "Initiate Stripe payment",
            "Reserve inventory",
            "Send order confirmation email",
            "Send thank you email",
        ]
    );
    assert_eq!(report.step("Initiate Stripe payment").map(|step| step.attempts), Some(2));
    // The attempt that failed, then the day; nothing else takes virtual time.
    assert_eq!(report.records.last().map(|record| record.at), Some(Duration::from_secs(2) + 24 * HOUR));
}

#[test]
fn an_order_that_nobody_pays_is_cancelled_after_ten_minutes() {
    let report = order_workflow::test(order_of("user-123")).resource(Witness::default()).run();
    let cancelled = Outcome::Cancelled { reason: "payment_timeout".to_owned() };
    assert_eq!(report.result.as_ref().ok(), Some(&cancelled));
    assert!(report.step("Reserve inventory").is_none() && report.step("Cancel order").is_some());
    assert_eq!(report.records.last().map(|record| record.at), Some(Duration::from_secs(2 + 600)));
}

/// What is given up is said by the last error, not by the first.
#[test]
fn a_payment_provider_that_stays_busy_is_asked_four_times() {
    let report = order_workflow::test(order_of("user-123"))
        .resource(Witness::default())
        .fail("Initiate Stripe payment", 4, "busy")
        .run();
    assert!(report.result.is_err());
    let step = report.step("Initiate Stripe payment").expect("it was tried");
    assert_eq!((step.attempts, &step.outcome), (4, &StepOutcome::Failed { message: "busy".to_owned() }));
    // 2 s, 4 s and 8 s between them: the limit counts retries, as in the model.
    assert_eq!(report.records.last().map(|record| record.at), Some(Duration::from_secs(2 + 4 + 8)));
}
