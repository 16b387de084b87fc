//! What an engine measures, on a real run: every metric of the table in `docs/OBSERVING.md` is there, with the labels and
//! the kind it names, and says what happened. One test, as a process has one recorder.

mod recorder;
mod table;
mod trouble;

use std::collections::BTreeSet;
use std::sync::Arc;

use support::in_front::InFront;
use support::prelude::*;
use workflow::journal::command::Command;
use workflow::words::id::SessionId;

use crate::recorder::Recorded;
use crate::trouble::Trouble;

/// What no label may hold: the start of every id and key, and every value.
const PRIVATE: &str = "pr1vate";

#[workflow]
async fn parcel(weight: u64, #[resource] witness: &Witness) -> workflow::Result<u64> {
    step!("weigh", key = PRIVATE, retries = 1, witness.flaky("weigh", 1, ())).await?;
    step!("hurry", retries = 1, timeout = 30ms, {
        if witness.note("hurry") == 1 {
            std::future::pending::<()>().await;
        }
        Ok(())
    })
    .await?;
    sleep(10ms).await;
    let go = wait_for::<Go>("go").key(PRIVATE).await;
    step!("file", witness.ok("file", ())).await?;
    Ok(weight + go.number)
}

#[workflow]
async fn fails(#[resource] witness: &Witness) -> workflow::Result<()> {
    step!("fail", async { if witness.note("fail") == 1 { panic!("{PRIVATE}") } else { witness.fails("again").await } })
        .await?;
    Ok(())
}

#[workflow]
async fn is_held(gate: String, #[resource] witness: &Witness) -> workflow::Result<()> {
    step!("hold", witness.held(&gate, ())).await?;
    Ok(())
}

#[workflow]
async fn parks(number: u64) -> workflow::Result<u64> {
    assert!(number > 1, "{PRIVATE}");
    Ok(number)
}

#[workflow]
async fn nobody_knows() -> workflow::Result<()> {
    Ok(())
}

#[test]
fn every_documented_metric_is_measured_and_says_what_happened() {
    support::run(StoreKind::SqliteMemory, test);
}

async fn test(stage: Stage) -> TestResult {
    let recorded = Recorded::install();
    let store = Arc::new(InFront::of(workflow::open_store("sqlite::memory:", "default").await?, Trouble::default()));
    let builder = || {
        let lease = Duration::from_secs(10);
        Engine::builder()
            .resource(stage.witness.clone())
            .lease(lease)
            .store(store.clone() as Arc<dyn workflow::store::Store>)
    };
    let served = || builder().only::<(parcel, fails, is_held, parks)>();

    // A run that waits, is replayed by another engine, and ends.
    let engine = served().concurrency(7).start().await?;
    wait::until("it has a session", async || engine.health().worker.and_then(|worker| worker.session)).await;
    let instance = parcel::create(&engine, 1).id(format!("{PRIVATE}-1")).await?;
    wait::until("it waits for go", async || {
        let status = instance.status().await.ok()?;
        status.waits.iter().any(|wait| wait.operation.contains("go")).then_some(())
    })
    .await;
    recorded.shows("workflow_instances_in_memory", &[], 1.0).await;
    assert_eq!(recorded.value("workflow_slots", &[]), Some(7.0));
    stage.stop(engine).await;
    let engine = served().concurrency(8).start().await?;
    recorded.shows("workflow_slots", &[], 8.0).await;
    let instance = parcel::get(&engine, format!("{PRIVATE}-1")).await?;
    instance.send(Go { number: 2 }).key(PRIVATE).await?;
    assert_eq!(instance.result().await?, 3);
    assert!(instance.send(Go { number: 3 }).await.is_err());
    let of = [("workflow", "parcel")];
    assert_eq!(recorded.value("workflow_instances_created_total", &of), Some(1.0));
    assert_eq!(recorded.value("workflow_instances_claimed_total", &[of[0], ("from", "create")]), Some(1.0));
    assert!(recorded.value("workflow_instances_claimed_total", &[of[0], ("from", "claim")]) >= Some(1.0));
    assert_eq!(recorded.value("workflow_instances_finished_total", &[of[0], ("outcome", "complete")]), Some(1.0));
    let run = recorded.values("workflow_run_duration_seconds", &[of[0], ("outcome", "complete")]);
    assert!(run.len() == 1 && run[0] >= 0.040, "{run:?}");
    assert_eq!(recorded.value("workflow_replays_total", &of), Some(1.0));
    // A failed attempt twice, two values, and of the sleep its beginning and its end.
    assert_eq!(recorded.value("workflow_replayed_records_total", &of), Some(6.0));
    let late = recorded.values("workflow_timer_lateness_seconds", &of);
    assert!(late.len() == 1 && late[0] >= 0.0, "{late:?}");
    for (step, outcome, count) in
        [("weigh", "failed", 1), ("weigh", "ok", 1), ("hurry", "timed_out", 1), ("hurry", "ok", 1), ("file", "ok", 1)]
    {
        let labels = [of[0], ("step", step), ("outcome", outcome)];
        let took = recorded.values("workflow_attempt_duration_seconds", &labels);
        assert_eq!(took.len(), count, "{step} {outcome}");
        assert!(outcome != "timed_out" || took[0] >= 0.030, "{took:?}");
        let failed = recorded.value("workflow_attempts_failed_total", &labels);
        assert_eq!(failed, (outcome != "ok").then_some(1.0), "{step} {outcome}");
    }
    for step in ["weigh", "hurry", "file"] {
        assert_eq!(recorded.value("workflow_steps_total", &[of[0], ("step", step), ("outcome", "ok")]), Some(1.0));
    }
    assert_eq!(recorded.value("workflow_events_sent_total", &[("outcome", "accepted")]), Some(1.0));
    assert_eq!(recorded.value("workflow_events_sent_total", &[("outcome", "finished")]), Some(1.0));

    // One that fails.
    assert!(fails::create(&engine).await?.result().await.is_err());
    let of = [("workflow", "fails"), ("step", "fail")];
    assert_eq!(recorded.value("workflow_steps_total", &[of[0], of[1], ("outcome", "failed")]), Some(1.0));
    assert_eq!(recorded.value("workflow_attempts_failed_total", &[of[0], of[1], ("outcome", "panicked")]), Some(1.0));
    assert_eq!(recorded.value("workflow_instances_finished_total", &[of[0], ("outcome", "errored")]), Some(1.0));

    // An owner that is out of date, and a session that is fenced.
    let held = is_held::create(&engine, "hold".to_owned()).await?;
    stage.witness.ran("hold", 1).await;
    recorded.shows("workflow_instances_driving", &[], 1.0).await;
    held.restart().await?;
    stage.witness.ran("hold", 2).await;
    assert_eq!(recorded.value("workflow_controls_total", &[("action", "restart"), ("outcome", "done")]), Some(1.0));
    let session = engine.health().worker.and_then(|worker| worker.session).expect("it has one");
    let session = SessionId(u128::from_str_radix(&session, 16)?);
    store.behind().execute(0, vec![Command::CloseSession { session }]).await?;
    recorded.shows("workflow_sessions_lost_total", &[], 1.0).await;
    stage.witness.open("hold");
    held.result().await?;
    recorded.shows("workflow_instances_driving", &[], 0.0).await;

    // A late write of its own: the store lets another have the instance behind its back.
    let fenced = is_held::create(&engine, "hold".to_owned()).await?;
    fenced.result().await?;
    store.answer_stale();
    let stale = parcel::create(&engine, 1).await?;
    recorded.shows("workflow_writes_refused_total", &[("reason", "stale")], 1.0).await;
    stale.terminate("enough").await?;

    // One that parks.
    let parked = parks::create(&engine, 1).await?;
    wait::state(&parked, State::Paused).await;
    // The store says it before its worker has heard the answer.
    recorded.shows("workflow_parks_total", &[("workflow", "parks"), ("reason", "panic")], 1.0).await;
    recorded.shows("workflow_instances", &[("state", "paused")], 1.0).await;

    // One that nobody knows.
    let client = builder().mode(Mode::Client).start().await?;
    nobody_knows::create(&client).await?;
    recorded.shows("workflow_instances_shelved", &[("workflow", "nobody_knows")], 1.0).await;

    // A store in trouble.
    store.fail_batches(1);
    let troubled = parks::create(&engine, 2).await?;
    assert_eq!(troubled.result().await?, 2);
    assert_eq!(recorded.value("workflow_store_resends_total", &[]), Some(1.0));
    assert_eq!(recorded.value("workflow_store_errors_total", &[("call", "execute")]), Some(1.0));
    store.fail_looks_at_shelves(1);
    recorded.shows("workflow_loop_restarts_total", &[("loop", "shelves")], 1.0).await;
    store.lose_calls(3);
    // Every engine counts them that notices.
    let counted = async || recorded.value("workflow_store_lost_calls_total", &[]).filter(|calls| *calls >= 3.0);
    wait::until("lost calls are counted", counted).await;
    assert!(!recorded.values("workflow_batch_commands", &[]).is_empty());
    for call in ["execute", "inspect", "journal", "sessions", "outbox", "overview", "shelves", "queue", "now", "beat"] {
        assert!(!recorded.values("workflow_store_call_duration_seconds", &[("call", call)]).is_empty(), "{call}");
    }

    // One that waits for its turn. Engines of one process share the gauges of queues, so the other one is stopped first.
    stage.stop(engine).await;
    let engine = served().concurrency(1).start().await?;
    is_held::create(&engine, "turn".to_owned()).await?;
    stage.witness.ran("turn", 1).await;
    let waits = is_held::create(&engine, "turn".to_owned()).await?;
    let queue = [("queue", "default")];
    recorded.shows("workflow_queue_ready", &queue, 1.0).await;
    wait::until("it has waited", async || {
        recorded.value("workflow_queue_oldest_ready_seconds", &queue).filter(|oldest| *oldest > 0.0)
    })
    .await;
    stage.witness.open("turn");
    waits.result().await?;
    recorded.shows("workflow_queue_ready", &queue, 0.0).await;
    recorded.shows("workflow_queue_oldest_ready_seconds", &queue, 0.0).await;
    stage.stop(engine).await;
    drop(client);
    recorded.shows("workflow_instances_in_memory", &[], 0.0).await;
    recorded.shows("workflow_slots", &[], 0.0).await;
    is_as_documented(&recorded);
    Ok(())
}

/// Every metric of the table was measured with its labels and described with its kind and unit, and no other was.
fn is_as_documented(recorded: &Recorded) {
    let documented = table::read();
    let seen = recorded.seen();
    let names = |of: &BTreeSet<table::Metric>| of.iter().map(|metric| metric.name.clone()).collect::<BTreeSet<_>>();
    assert_eq!(names(&seen), names(&documented), "what was measured and what is documented");
    assert_eq!(seen, documented);
    let private: Vec<String> = recorded.label_values().into_iter().filter(|value| value.contains(PRIVATE)).collect();
    assert_eq!(private, [""; 0], "labels are no ids, keys or values");
}
