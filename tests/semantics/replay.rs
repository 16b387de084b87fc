//! Long runs, and everything that must come out the same when a run is run again.

use std::time::SystemTime;

use support::prelude::*;

on_every_store!(
    a_long_run_goes_on_after_each_of_many_interruptions,
    chance_time_and_identity_are_the_same_in_every_replay,
    an_instance_that_stays_in_memory_and_one_that_does_not_end_alike,
    a_stopping_worker_hands_over_at_once,
    borrowed_locals_and_control_flow_survive_a_replay,
    what_a_workflow_logs_is_logged_once_whatever_is_replayed,
);

#[workflow]
async fn long_run(laps: u64, #[resource] witness: &Witness) -> workflow::Result<u64> {
    let mut sum = 0;
    for lap in 0..laps {
        let mut number = 0;
        while number < 100 {
            sum += step!("add", key = format!("{lap}-{number}"), witness.ok("add", number)).await?;
            number += 1;
        }
        wait_for::<Go>("next lap").key(lap).await;
    }
    Ok(sum)
}

async fn a_long_run_goes_on_after_each_of_many_interruptions(stage: Stage) -> TestResult {
    const LAPS: u64 = 6;
    let mut engine = stage.builder().only::<long_run>().start().await?;
    long_run::create(&engine, LAPS).id("long").await?;
    for lap in 0..LAPS {
        stage.witness.ran("add", usize::try_from((lap + 1) * 100)?).await;
        stage.stop(engine).await;
        engine = stage.builder().only::<long_run>().start().await?;
        long_run::get(&engine, "long").await?.send(Go { number: lap }).key(lap).await?;
    }
    assert_eq!(long_run::get(&engine, "long").await?.result().await?, LAPS * 4_950);
    assert_eq!(stage.witness.count("add"), usize::try_from(LAPS * 100)?);
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Facts {
    number: u64,
    other: u64,
    id: String,
    inner: u64,
    at: SystemTime,
    instance: String,
    run: u32,
}

#[workflow]
async fn facts(#[resource] witness: &Witness) -> workflow::Result<(Facts, Facts)> {
    let number = random::<u64>().await;
    sleep(10ms).await;
    let inner = group!("inner", { Ok(random::<u64>().await) }).await?;
    let info = info().await;
    let seen = Facts {
        number,
        other: random::<u64>().await,
        id: uuid().await.to_string(),
        inner,
        at: now().await,
        instance: info.id.clone(),
        run: info.run,
    };
    let live = step!("remember", witness.ok("remember", seen.clone())).await?;
    wait_for::<Go>("go").await;
    Ok((live, seen))
}

async fn chance_time_and_identity_are_the_same_in_every_replay(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<facts>().start().await?;
    facts::create(&engine).id("facts").await?;
    stage.witness.ran("remember", 1).await;
    let other = facts::create(&engine).id("others").await?;
    other.send(Go { number: 1 }).await?;
    let (others, _) = other.result().await?;
    stage.stop(engine).await;

    let engine = stage.builder().only::<facts>().start().await?;
    let instance = facts::get(&engine, "facts").await?;
    instance.send(Go { number: 1 }).await?;
    let (live, replayed) = instance.result().await?;
    wait::same_after_replay(&live, &replayed);
    assert_eq!((&*live.instance, live.run), ("facts", 1));
    assert_ne!(live.number, live.other);
    assert_ne!((live.number, &live.id), (others.number, &others.id), "each instance has its own chance");

    // And each run: a restart does not repeat the run before.
    instance.restart().await?;
    instance.send(Go { number: 1 }).await?;
    let (again, _) = instance.result().await?;
    assert_eq!(again.run, 2);
    assert_ne!((again.number, &again.id), (live.number, &live.id));
    Ok(())
}

#[workflow]
async fn many_pauses(#[resource] witness: &Witness) -> workflow::Result<Vec<u64>> {
    let mut seen = Vec::new();
    while seen.len() < 10 {
        sleep(5ms).await;
        seen.push(step!("count", witness.ok("count", seen.len() as u64)).await?);
    }
    Ok(seen)
}

async fn an_instance_that_stays_in_memory_and_one_that_does_not_end_alike(stage: Stage) -> TestResult {
    let expected: Vec<u64> = (0..10).collect();
    for sticky in [0, 100] {
        let engine = stage.builder().sticky(sticky).only::<many_pauses>().start().await?;
        assert_eq!(many_pauses::create(&engine).await?.result().await?, expected);
        stage.stop(engine).await;
    }
    assert_eq!(stage.witness.count("count"), 20);
    Ok(())
}

#[workflow]
async fn works_on(#[resource] witness: &Witness) -> workflow::Result<()> {
    step!("first", witness.held("first", ())).await?;
    step!("second", witness.ok("second", ())).await?;
    Ok(())
}

/// Within a fraction of the lease of ten seconds.
async fn a_stopping_worker_hands_over_at_once(stage: Stage) -> TestResult {
    let leaving = stage.builder().only::<works_on>().start().await?;
    works_on::create(&leaving).id("handed-over").await?;
    stage.witness.ran("first", 1).await;
    let staying = stage.builder().only::<works_on>().start().await?;
    let begun = Instant::now();
    leaving.shutdown(Duration::ZERO).await;
    stage.witness.open("first");
    works_on::get(&staying, "handed-over").await?.result().await?;
    assert!(begun.elapsed() < Duration::from_secs(8), "only after the lease: {:?}", begun.elapsed());
    assert_eq!(stage.witness.notes(), ["first", "first", "second"], "the body that was cut off ran again");
    Ok(())
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Basket {
    items: Vec<(String, u64)>,
    note: Option<String>,
}

#[workflow]
async fn uses_the_language(basket: Basket, #[resource] witness: &Witness) -> workflow::Result<String> {
    let mut parts = Vec::new();
    let Basket { items, note } = &basket;
    for (index, (name, amount)) in items.iter().enumerate() {
        if *amount == 0 {
            continue;
        }
        let reserved = step!("reserve", key = name, witness.ok(name, amount + index as u64)).await?;
        let label = match reserved {
            0..=9 => "few",
            _ if name.starts_with('a') => "apples",
            _ => "many",
        };
        parts.push(format!("{label} {name}"));
        if parts.len() == 3 {
            break;
        }
    }
    let Some(note) = note else { return Ok("no note".to_owned()) };
    wait_for::<Go>("go").await;
    let described = step!("describe", witness.ok("describe", format!("{note}: {}", parts.join(", ")))).await?;
    Ok(described)
}

async fn borrowed_locals_and_control_flow_survive_a_replay(stage: Stage) -> TestResult {
    let basket = |note: Option<&str>| Basket {
        items: [("apple", 20), ("none", 0), ("bread", 3), ("cake", 30), ("never", 1)]
            .map(|(n, a)| (n.to_owned(), a))
            .into(),
        note: note.map(str::to_owned),
    };
    let engine = stage.builder().only::<uses_the_language>().start().await?;
    assert_eq!(uses_the_language::create(&engine, basket(None)).await?.result().await?, "no note");
    let waiting = uses_the_language::create(&engine, basket(Some("for you"))).id("basket").await?;
    wait::state(&waiting, State::Waiting).await;
    stage.stop(engine).await;
    let engine = stage.builder().only::<uses_the_language>().start().await?;
    let instance = uses_the_language::get(&engine, "basket").await?;
    instance.send(Go { number: 1 }).await?;
    assert_eq!(instance.result().await?, "for you: apples apple, few bread, many cake");
    assert_eq!((stage.witness.count("apple"), stage.witness.count("none"), stage.witness.count("never")), (2, 0, 0));
    Ok(())
}

/// Notes itself when it is written, as an argument of a log.
struct Noted<'a>(&'a Witness, &'static str);

impl std::fmt::Display for Noted<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.note(self.1);
        f.write_str(self.1)
    }
}

#[workflow]
async fn logging(#[resource] witness: &Witness) -> workflow::Result<()> {
    #[allow_nondeterminism]
    let (before, after) = (Noted(witness, "log before"), Noted(witness, "log after"));
    workflow::log!("{before}");
    step!("one", witness.ok("one", 1)).await?;
    workflow::log!(warn, step = 1, "{after}");
    wait_for::<Go>("go").await;
    Ok(())
}

/// Writes every event's fields, and keeps nothing.
struct Writes;

impl tracing::Subscriber for Writes {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.is_event()
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut |_: &tracing::field::Field, value: &dyn std::fmt::Debug| {
            let _ = format!("{value:?}");
        });
    }
}

/// Whoever else sets one in this process writes as well.
fn listen() {
    let _ = tracing::subscriber::set_global_default(Writes);
}

async fn what_a_workflow_logs_is_logged_once_whatever_is_replayed(stage: Stage) -> TestResult {
    listen();
    let engine = stage.builder().only::<logging>().start().await?;
    logging::create(&engine).id("logs").await?;
    stage.witness.ran("log after", 1).await;
    stage.stop(engine).await;

    // Replayed here, and once more when its end is compared.
    let engine = stage.builder().only::<logging>().verify_replay(VerifyReplay::Always).start().await?;
    let instance = logging::get(&engine, "logs").await?;
    instance.send(Go { number: 1 }).await?;
    instance.result().await?;
    assert_eq!(stage.witness.count("log before"), 1);
    // It lies after the newest record: what led to no record may be said again, and is.
    assert_eq!(stage.witness.count("log after"), 2);
    Ok(())
}
