//! "Event-Driven Workflows" and "sendEvent()": an approval that may come too late.

use std::time::SystemTime;

use support::prelude::*;

on_every_store!(
    an_approval_processes_the_order,
    an_approval_by_the_name_of_its_type_is_the_same,
    two_waits_of_one_type_take_one_event_each,
);

#[derive(Debug, PartialEq, Event, Serialize, Deserialize)]
#[event(name = "order.approved")]
struct Approved {
    approved_by: String,
    timestamp: SystemTime,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "lowercase")]
enum Outcome {
    Approved { order_id: u64, by: String, timestamp: SystemTime },
    Cancelled { reason: String },
}

#[workflow]
async fn order_approval(order: u64, #[resource] witness: &Witness) -> workflow::Result<Outcome> {
    let order_id = step!("Create order", witness.ok("create order", order)).await?;

    match wait_for::<Approved>("wait for approval").timeout("24 hours").await {
        Ok(Approved { approved_by, timestamp }) => {
            step!("Process order", witness.ok("process order", ())).await?;
            Ok(Outcome::Approved { order_id, by: approved_by, timestamp })
        }
        Err(TimedOut { .. }) => {
            step!("Cancel order", witness.ok("cancel order", ())).await?;
            Ok(Outcome::Cancelled { reason: "approval_timeout".to_owned() })
        }
    }
}

fn approval() -> Approved {
    Approved { approved_by: "admin@example.com".to_owned(), timestamp: SystemTime::UNIX_EPOCH }
}

fn approved(order_id: u64) -> Outcome {
    let Approved { approved_by, timestamp } = approval();
    Outcome::Approved { order_id, by: approved_by, timestamp }
}

async fn an_approval_processes_the_order(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<order_approval>().start().await?;
    let instance = order_approval::create(&engine, 5).id("order-12345").await?;
    let status = wait::state(&instance, State::Waiting).await;
    let due = status.waits[0].due.expect("the wait has a deadline");
    let left = due.duration_since(status.created_at)?;
    assert!(left >= Duration::from_secs(24 * 3600) && left < Duration::from_secs(25 * 3600), "{left:?}");

    order_approval::get(&engine, "order-12345").await?.send(approval()).await?;
    assert_eq!(instance.result().await?, approved(5));
    assert_eq!(stage.witness.notes(), ["create order", "process order"]);
    Ok(())
}

/// A sender that has only names, as the model's senders: of the workflow it knows the id, of the event the type.
async fn an_approval_by_the_name_of_its_type_is_the_same(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<order_approval>().start().await?;
    let instance = order_approval::create(&engine, 6).id("order-6").await?;
    let payload = serde_json::to_value(approval())?;
    engine.instance("order-6").await?.send_type("order.approved", payload).await?;
    assert_eq!(instance.result().await?, approved(6));
    Ok(())
}

#[test]
fn an_order_that_nobody_approves_is_cancelled_after_a_day() {
    let report = order_approval::test(7).resource(Witness::default()).run();
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
