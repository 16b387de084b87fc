//! "Event-Driven Workflows" and "sendEvent()": an approval that may come too late.

use std::time::SystemTime;

use support::prelude::*;

on_every_store!(
    an_approval_processes_the_order,
    an_approval_by_the_name_of_its_type_is_the_same,
    two_waits_of_one_type_take_one_event_each,
);

#[derive(Clone, Serialize, Deserialize)]
struct NewOrder {
    id: u64,
    sku: String,
}

/// Somebody approved an order.
#[derive(Clone, Event, Serialize, Deserialize)]
#[event(name = "order.approved")]
struct Approved {
    approved_by: String,
    at: SystemTime,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "lowercase")]
enum Outcome {
    Approved { order_id: u64 },
    Cancelled { reason: String },
}

/// What the workflow needs of the world.
struct Shop(Witness);

impl Shop {
    async fn create(&self, order: &NewOrder) -> Result<u64, Oops> {
        self.0.ok(&format!("create {} of {}", order.id, order.sku), order.id).await
    }

    async fn process(&self, order_id: u64, approval: &Approved) -> Result<(), Oops> {
        let Approved { approved_by, at } = approval;
        self.0.ok(&format!("process {order_id} for {approved_by} at {at:?}"), ()).await
    }

    async fn cancel(&self, order_id: u64) -> Result<(), Oops> {
        self.0.ok(&format!("cancel {order_id}"), ()).await
    }
}

#[workflow]
async fn order_approval(order: NewOrder, #[resource] shop: &Shop) -> workflow::Result<Outcome> {
    let order_id = step!(
        "Create order",
        retries = 3,
        delay = "2 seconds",
        backoff = exponential,
        timeout = "30 seconds",
        shop.create(&order)
    )
    .await?;

    match wait_for::<Approved>("wait for approval").timeout("24 hours").await {
        Ok(approval) => {
            step!("Process order", shop.process(order_id, &approval)).await?;
            Ok(Outcome::Approved { order_id })
        }
        Err(TimedOut { .. }) => {
            step!("Cancel order", shop.cancel(order_id)).await?;
            Ok(Outcome::Cancelled { reason: "approval_timeout".to_owned() })
        }
    }
}

async fn start(store: &str, namespace: &str, shop: Shop) -> Result<Engine, EngineError> {
    // Without `only` it serves every workflow of the program.
    Engine::builder().store(store).namespace(namespace).resource(shop).only::<order_approval>().start().await
}

async fn create(engine: &Engine, order: NewOrder) -> Result<Handle<order_approval>, EngineError> {
    let id = format!("order-{}", order.id);
    order_approval::create(engine, order).id(id).await
}

async fn approve(engine: &Engine, id: &str, approval: Approved) -> Result<(), EngineError> {
    order_approval::get(engine, id).await?.send(approval).await
}

fn mug(id: u64) -> NewOrder {
    NewOrder { id, sku: "MUG".to_owned() }
}

fn approval() -> Approved {
    Approved { approved_by: "admin@example.com".to_owned(), at: SystemTime::UNIX_EPOCH }
}

async fn an_approval_processes_the_order(stage: Stage) -> TestResult {
    let engine = start(&stage.url(), stage.namespace(), Shop(stage.witness.clone())).await?;
    let instance = create(&engine, mug(12_345)).await?;
    let status = wait::state(&instance, State::Waiting).await;
    let due = status.waits[0].due.expect("the wait has a deadline");
    let left = due.duration_since(status.created_at)?;
    assert!(left >= Duration::from_secs(24 * 3600) && left < Duration::from_secs(25 * 3600), "{left:?}");

    approve(&engine, "order-12345", approval()).await?;
    assert_eq!(instance.result().await?, Outcome::Approved { order_id: 12_345 });
    let processed = format!("process 12345 for admin@example.com at {:?}", SystemTime::UNIX_EPOCH);
    assert_eq!(stage.witness.notes(), ["create 12345 of MUG", processed.as_str()]);
    Ok(())
}

/// A sender that has only names, as the model's senders: of the workflow it knows the id, of the event the type.
async fn an_approval_by_the_name_of_its_type_is_the_same(stage: Stage) -> TestResult {
    let engine = start(&stage.url(), stage.namespace(), Shop(stage.witness.clone())).await?;
    let instance = create(&engine, mug(6)).await?;
    let payload = serde_json::to_value(approval())?;
    engine.instance("order-6").await?.send_type("order.approved", payload).await?;
    assert_eq!(instance.result().await?, Outcome::Approved { order_id: 6 });
    Ok(())
}

#[test]
fn an_order_that_nobody_approves_is_cancelled_after_a_day() {
    let report = order_approval::test(mug(7)).resource(Shop(Witness::default())).run();
    let cancelled = Outcome::Cancelled { reason: "approval_timeout".to_owned() };
    assert_eq!(report.result.as_ref().ok(), Some(&cancelled));
    assert_eq!(report.names().collect::<Vec<_>>(), ["Create order", "Cancel order"]);
    assert_eq!(report.records.last().map(|record| record.at), Some(Duration::from_secs(24 * 3600)));
}

#[workflow]
async fn two_waits_at_once() -> (u64, u64) {
    let (left, right) = join!(wait_for::<Go>("left"), wait_for::<Go>("right")).await;
    (left.number, right.number)
}

/// The model gave one event to both.
async fn two_waits_of_one_type_take_one_event_each(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<two_waits_at_once>().start().await?;
    let instance = two_waits_at_once::create(&engine).await?;
    wait::state(&instance, State::Waiting).await;
    instance.send(Go { number: 1 }).await?;
    let look = async || {
        let status = instance.status().await.expect("the store of a test answers");
        (status.state == State::Waiting && status.waits.len() == 1).then_some(status)
    };
    let status = wait::until("one of the two has its event", look).await;
    assert!(status.waits[0].operation.contains("right"), "the first wait takes the first event: {status:?}");
    instance.send(Go { number: 2 }).await?;
    assert_eq!(instance.result().await?, (1, 2));
    Ok(())
}
