//! Events: buffered, in order, delivered once, to who asked for them.

use support::prelude::*;

on_every_store!(
    one_event_satisfies_one_wait_even_across_a_pause,
    events_of_one_type_and_key_come_in_the_order_they_were_accepted,
    an_event_goes_to_the_wait_for_its_key_only,
    an_event_id_is_accepted_once_however_often_it_is_sent,
    an_event_accepted_before_the_deadline_wins_however_late_the_worker_is,
    an_event_that_cannot_be_read_is_set_aside_and_the_wait_goes_on,
    an_untyped_sender_reaches_a_wait_by_the_name_of_the_type,
    a_finished_instance_takes_no_events,
    an_event_that_comes_while_a_body_runs_is_seen_by_a_wait_beside_it,
    an_event_creates_its_instance_where_there_is_none,
    of_many_events_that_may_create_one_does_and_all_are_delivered,
    an_event_that_may_create_is_refused_like_any_other,
    an_event_that_creates_what_starts_later_waits_with_it,
    an_event_needs_no_handle,
);

#[workflow]
async fn waits_twice(#[resource] witness: &Witness) -> workflow::Result<(u64, Option<u64>)> {
    let first = wait_for::<Go>("first").await;
    step!("between", witness.ok("between", ())).await?;
    let second = wait_for::<Go>("second").timeout(500ms).await;
    Ok((first.number, second.ok().map(|go| go.number)))
}

/// A server that was compared gave one event to both waits when a pause came between them.
async fn one_event_satisfies_one_wait_even_across_a_pause(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<waits_twice>().start().await?;
    let instance = waits_twice::create(&engine).await?;
    wait::state(&instance, State::Waiting).await;
    instance.send(Go { number: 1 }).await?;
    stage.witness.ran("between", 1).await;
    instance.pause().await?;
    wait::state(&instance, State::Paused).await;
    instance.resume().await?;
    assert_eq!(instance.result().await?, (1, None));
    Ok(())
}

/// How many events a test of their order sends.
const MANY: u64 = 30;

#[workflow]
async fn gathers(#[resource] witness: &Witness) -> workflow::Result<Vec<u64>> {
    step!("prepare", witness.held("prepare", ())).await?;
    let mut numbers = Vec::new();
    while numbers.len() < 60 {
        numbers.push(wait_for::<Go>("go").key("mine").await.number);
    }
    Ok(numbers)
}

/// Some are buffered before the first wait begins, some come while it waits.
async fn events_of_one_type_and_key_come_in_the_order_they_were_accepted(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<gathers>().start().await?;
    let instance = gathers::create(&engine).await?;
    stage.witness.ran("prepare", 1).await;
    for number in 0..MANY {
        instance.send(Go { number }).key("mine").await?;
        instance.send(Go { number: 1_000 }).key("another's").await?;
    }
    stage.witness.open("prepare");
    for number in MANY..2 * MANY {
        instance.send(Go { number }).key("mine").await?;
    }
    assert_eq!(instance.result().await?, (0..2 * MANY).collect::<Vec<_>>());
    Ok(())
}

#[workflow]
async fn waits_for_two_keys() -> (u64, u64) {
    join!(waits_for_key("left".to_owned()), waits_for_key("right".to_owned())).await
}

#[part]
async fn waits_for_key(key: String) -> u64 {
    wait_for::<Go>("go").key(&key).await.number
}

async fn an_event_goes_to_the_wait_for_its_key_only(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<waits_for_two_keys>().start().await?;
    let instance = waits_for_two_keys::create(&engine).await?;
    instance.send(Go { number: 0 }).await?;
    instance.send(Go { number: 2 }).key("right").await?;
    instance.send(Go { number: 3 }).key("other").await?;
    wait::state(&instance, State::Waiting).await;
    instance.send(Go { number: 1 }).key("left").await?;
    assert_eq!(instance.result().await?, (1, 2));
    Ok(())
}

async fn an_event_id_is_accepted_once_however_often_it_is_sent(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<waits_twice>().start().await?;
    let instance = waits_twice::create(&engine).await?;
    for _ in 0..3 {
        instance.send(Go { number: 1 }).id("webhook-1").await?;
    }
    stage.witness.ran("between", 1).await;
    // It is consumed now, and still known.
    instance.send(Go { number: 1 }).id("webhook-1").await?;
    assert_eq!(instance.result().await?, (1, None));
    Ok(())
}

#[workflow]
async fn waits_within(limit_ms: u64) -> Option<u64> {
    wait_for::<Go>("go").timeout(Duration::from_millis(limit_ms)).await.ok().map(|go| go.number)
}

/// Completions that are there together are ordered by the store's time of each, not by which is found first.
async fn an_event_accepted_before_the_deadline_wins_however_late_the_worker_is(stage: Stage) -> TestResult {
    let client = stage.builder().mode(Mode::Client).start().await?;
    // On a machine that is too busy to send within one limit there is more time in the next.
    for limit_ms in [1_000, 4_000, 16_000, 64_000] {
        let limit = Duration::from_millis(limit_ms);
        let worker = stage.builder().only::<waits_within>().start().await?;
        let early = waits_within::create(&client, limit_ms).id(format!("early-{limit_ms}")).await?;
        let late = waits_within::create(&client, limit_ms).id(format!("late-{limit_ms}")).await?;
        let begun = Instant::now();
        wait::states(&[early.clone(), late.clone()], State::Waiting).await;
        let waiting = Instant::now();
        stage.stop(worker).await;
        early.send(Go { number: 1 }).await?;
        if begun.elapsed() + Duration::from_millis(100) > limit {
            continue;
        }
        wait::moment(waiting + limit + Duration::from_millis(100)).await;
        late.send(Go { number: 2 }).await?;
        let _worker = stage.builder().only::<waits_within>().start().await?;
        assert_eq!(early.result().await?, Some(1));
        assert_eq!(late.result().await?, None);
        return Ok(());
    }
    panic!("an event could not be sent within a minute")
}

#[workflow]
async fn waits_for_one() -> u64 {
    wait_for::<Go>("go").await.number
}

async fn an_event_that_cannot_be_read_is_set_aside_and_the_wait_goes_on(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<waits_for_one>().start().await?;
    let instance = waits_for_one::create(&engine).await?;
    instance.send_type(Go::TYPE, serde_json::json!({ "number": "not one" })).await?;
    wait::state(&instance, State::Waiting).await;
    instance.send(Go { number: 2 }).await?;
    assert_eq!(instance.result().await?, 2);
    Ok(())
}

#[workflow]
async fn waits_for_a_named_type() -> (u64, String) {
    let typed = wait_for::<Go>("typed").await;
    let untyped = wait_for_type::<String>("untyped", "legacy.note").key(typed.number).await;
    (typed.number, untyped)
}

async fn an_untyped_sender_reaches_a_wait_by_the_name_of_the_type(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<waits_for_a_named_type>().start().await?;
    let instance = waits_for_a_named_type::create(&engine).await?;
    instance.send_type("legacy.note", "hello").key("4").await?;
    instance.send_type(Go::TYPE, serde_json::json!({ "number": 4 })).await?;
    assert_eq!(instance.result().await?, (4, "hello".to_owned()));
    Ok(())
}

async fn a_finished_instance_takes_no_events(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<waits_for_one>().start().await?;
    let instance = waits_for_one::create(&engine).await?;
    instance.send(Go { number: 1 }).await?;
    instance.result().await?;
    let refused = instance.send(Go { number: 2 }).await;
    assert!(matches!(refused, Err(EngineError::Finished { .. })), "{refused:?}");
    Ok(())
}

#[workflow]
async fn waits_beside_a_body(#[resource] witness: &Witness) -> workflow::Result<u64> {
    let number = race! {
        go = wait_for::<Go>("go") => go.number,
        slow = step!("slow", witness.held("slow", 0_u64)) => slow?,
    }
    .await;
    Ok(number)
}

/// The event must reach the owner, whose body would run for an hour.
async fn an_event_that_comes_while_a_body_runs_is_seen_by_a_wait_beside_it(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<waits_beside_a_body>().start().await?;
    let instance = waits_beside_a_body::create(&engine).await?;
    stage.witness.ran("slow", 1).await;
    instance.send(Go { number: 8 }).await?;
    assert_eq!(instance.result().await?, 8);
    Ok(())
}

#[workflow]
async fn cart(goal: u64, #[resource] witness: &Witness) -> workflow::Result<Vec<u64>> {
    step!("open", witness.ok("open", ())).await?;
    let mut numbers = Vec::new();
    while (numbers.len() as u64) < goal {
        numbers.push(wait_for::<Go>("item").timeout(1h).await?.number);
    }
    Ok(numbers)
}

async fn an_event_creates_its_instance_where_there_is_none(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<cart>().start().await?;
    for number in [1, 2, 2, 3] {
        let event = cart::get(&engine, "cart-1").send(Go { number }).id(format!("item {number}"));
        event.create_if_absent(cart::new(3).priority(7)).await?;
    }
    let instance = cart::get(&engine, "cart-1").await?;
    assert_eq!(instance.result().await?, [1, 2, 3]);
    assert_eq!((instance.status().await?.priority, stage.witness.count("open")), (7, 1));
    Ok(())
}

async fn of_many_events_that_may_create_one_does_and_all_are_delivered(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<cart>().start().await?;
    let other = stage.builder().mode(Mode::Client).start().await?;
    let mut sending = Vec::new();
    for number in 0..20 {
        let engine = if number % 2 == 0 { engine.clone() } else { other.clone() };
        sending.push(tokio::spawn(async move {
            cart::get(&engine, "cart").send(Go { number }).create_if_absent(cart::new(20)).await
        }));
    }
    for sent in sending {
        sent.await??;
    }
    let mut numbers = cart::get(&other, "cart").await?.result().await?;
    numbers.sort_unstable();
    assert_eq!(numbers, (0..20).collect::<Vec<_>>());
    assert_eq!(stage.witness.count("open"), 1);
    Ok(())
}

async fn an_event_that_may_create_is_refused_like_any_other(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<(cart, gathers)>().start().await?;
    let other = gathers::create(&engine).id("other").await?;
    let send = |id: &str| cart::get(&engine, id).send(Go { number: 1 });
    let code = |outcome: Result<(), EngineError>| outcome.expect_err("refused").code();
    assert_eq!(code(send("other").create_if_absent(cart::new(1)).await), "wrong_workflow");
    assert_eq!(code(send("other").await), "wrong_workflow");
    assert_eq!(other.status().await?.unread_events, 0);
    assert_eq!(code(send("a").create_if_absent(cart::new(1).id("b")).await), "option");
    assert_eq!(code(send("no good").create_if_absent(cart::new(1)).await), "invalid_id");
    assert_eq!(code(send("a").create_if_absent(cart::new(1).queue("no good")).await), "invalid_id");
    assert_eq!(code(send("a").await), "not_found");
    send("a").create_if_absent(cart::new(1)).await?;
    cart::get(&engine, "a").await?.result().await?;
    assert_eq!(code(send("a").create_if_absent(cart::new(1)).await), "finished");
    Ok(())
}

async fn an_event_that_creates_what_starts_later_waits_with_it(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<cart>().start().await?;
    let later = std::time::SystemTime::now() + Duration::from_secs(3600);
    cart::get(&engine, "later").send(Go { number: 5 }).create_if_absent(cart::new(1).start_at(later)).await?;
    let instance = cart::get(&engine, "later").await?;
    let status = instance.status().await?;
    assert_eq!((status.state, status.unread_events), (State::Queued, 1));
    instance.terminate("enough").await?;
    Ok(())
}

async fn an_event_needs_no_handle(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<cart>().start().await?;
    let instance = cart::create(&engine, 2).id("x").await?;
    cart::get(&engine, "x").send(Go { number: 1 }).await?;
    engine.instance("x").send_type(Go::TYPE, serde_json::json!({ "number": 2 })).await?;
    assert_eq!(instance.result().await?, [1, 2]);
    Ok(())
}
