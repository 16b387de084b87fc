//! Creating, one by one and in batches, and finding what was created.

use std::time::SystemTime;

use support::prelude::*;

on_every_store!(
    an_existing_id_is_refused_or_attached_to,
    outcomes_of_a_batch_come_in_the_order_of_its_items,
    a_batch_that_is_too_large_creates_nothing,
    a_get_of_another_workflow_says_which_it_is,
    a_get_of_what_is_not_there_says_so,
    an_id_that_is_none_is_refused_before_anything_is_written,
    an_input_that_is_too_large_is_refused,
    an_instance_with_a_start_time_does_not_begin_before_it,
    a_queue_is_served_by_who_asks_for_it,
    every_instance_can_be_listed_page_by_page,
    a_workflow_with_defaults_takes_inputs_of_before,
);

#[workflow]
async fn echoes(text: String) -> String {
    text
}

#[workflow]
async fn another() {}

async fn an_existing_id_is_refused_or_attached_to(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<(echoes, another)>().start().await?;
    echoes::create(&engine, "first".to_owned()).id("one").await?.result().await?;
    let again = echoes::create(&engine, "second".to_owned()).id("one").await;
    assert!(matches!(again, Err(EngineError::AlreadyExists { .. })), "{again:?}");
    let attached = echoes::create(&engine, "third".to_owned()).id("one").attach().await?;
    assert_eq!(attached.result().await?, "first");
    let other = another::create(&engine).id("one").attach().await;
    assert!(matches!(other, Err(EngineError::WrongWorkflow { .. })), "{other:?}");
    Ok(())
}

async fn outcomes_of_a_batch_come_in_the_order_of_its_items(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<echoes>().start().await?;
    echoes::create(&engine, "before".to_owned()).id("taken").await?;
    let items = (0..200).map(|number| {
        let id = if number == 150 { "taken".to_owned() } else { format!("item-{}", number % 199) };
        echoes::new(number.to_string()).id(id)
    });
    let outcomes = echoes::create_batch(&engine, items).await?;
    assert_eq!(outcomes.len(), 200);
    for (number, outcome) in outcomes.into_iter().enumerate() {
        match (number, outcome) {
            // The last one has the id of the first of the same batch.
            (150 | 199, Err(EngineError::AlreadyExists { .. })) => {}
            (150 | 199, other) => panic!("{number} exists already: {other:?}"),
            (_, outcome) => assert_eq!(outcome?.result().await?, number.to_string()),
        }
    }
    Ok(())
}

async fn a_batch_that_is_too_large_creates_nothing(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<echoes>().start().await?;
    let items = (0..1_001).map(|number| echoes::new(String::new()).id(format!("many-{number}")));
    let refused = echoes::create_batch(&engine, items).await;
    assert!(matches!(refused, Err(EngineError::BatchTooLarge { .. })));
    assert!(echoes::get(&engine, "many-0").await.is_err());
    assert!(echoes::create_batch(&engine, []).await?.is_empty());
    Ok(())
}

async fn a_get_of_another_workflow_says_which_it_is(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<(echoes, another)>().start().await?;
    another::create(&engine).id("mine").await?;
    match echoes::get(&engine, "mine").await {
        Err(EngineError::WrongWorkflow { found, wanted, .. }) => assert_eq!((&*found, &*wanted), ("another", "echoes")),
        other => panic!("it is of another workflow: {other:?}"),
    }
    Ok(())
}

async fn a_get_of_what_is_not_there_says_so(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<echoes>().start().await?;
    let missing = echoes::get(&engine, "missing").await;
    assert!(matches!(missing, Err(EngineError::NotFound { .. })), "{missing:?}");
    Ok(())
}

async fn an_id_that_is_none_is_refused_before_anything_is_written(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<echoes>().start().await?;
    let too_long = "x".repeat(201);
    for id in ["", "with space", "slash/", "ümlaut", too_long.as_str()] {
        let refused = echoes::create(&engine, String::new()).id(id).await;
        assert!(matches!(refused, Err(EngineError::InvalidId(_))), "{id}: {refused:?}");
    }
    let longest = "x".repeat(200);
    assert_eq!(echoes::create(&engine, "long".to_owned()).id(&longest).await?.id(), longest);
    Ok(())
}

async fn an_input_that_is_too_large_is_refused(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<echoes>().start().await?;
    let refused = echoes::create(&engine, "x".repeat(1024 * 1024)).id("large").await;
    assert!(matches!(refused, Err(EngineError::Input { .. })), "{refused:?}");
    assert!(echoes::get(&engine, "large").await.is_err());
    Ok(())
}

#[workflow]
async fn tells_its_start(#[resource] witness: &Witness) -> workflow::Result<()> {
    step!("begun", witness.ok("begun", ())).await?;
    Ok(())
}

async fn an_instance_with_a_start_time_does_not_begin_before_it(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<tells_its_start>().start().await?;
    let start = SystemTime::now() + Duration::from_millis(600);
    let instance = tells_its_start::create(&engine).start_at(start).await?;
    instance.result().await?;
    assert!(SystemTime::now() >= start);
    assert!(instance.status().await?.started_at >= start - Duration::from_secs(3600));
    assert_eq!(stage.witness.count("begun"), 1);
    Ok(())
}

#[workflow(queue = "heavy")]
async fn heavy_work() -> u64 {
    5
}

async fn a_queue_is_served_by_who_asks_for_it(stage: Stage) -> TestResult {
    let light = stage.builder().queues(["light"]).only::<(heavy_work, echoes)>().start().await?;
    let heavy = heavy_work::create(&light).await?;
    let moved = echoes::create(&light, "moved".to_owned()).queue("light").await?;
    assert_eq!(moved.result().await?, "moved");
    assert_eq!(heavy.status().await?.state, State::Queued);
    let _heavy_worker = stage.builder().only::<heavy_work>().start().await?;
    assert_eq!(heavy.result().await?, 5);
    Ok(())
}

async fn every_instance_can_be_listed_page_by_page(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<(echoes, another)>().start().await?;
    let items = (0..25).map(|number| echoes::new(String::new()).id(format!("echo-{number}")));
    for outcome in echoes::create_batch(&engine, items).await? {
        outcome?.result().await?;
    }
    another::create(&engine).await?.result().await?;
    let mut seen = std::collections::BTreeSet::new();
    let mut pages = 0;
    let mut next = None;
    loop {
        let mut list = engine.list().workflow("echoes").state(State::Complete).limit(10);
        if let Some(cursor) = next {
            list = list.after(cursor);
        }
        let page = list.await?;
        pages += 1;
        seen.extend(page.instances.iter().map(|listed| listed.id.clone()));
        match page.next {
            Some(cursor) => next = Some(cursor),
            None => break,
        }
        assert!(pages < 10, "the pages do not end");
    }
    assert_eq!(seen.len(), 25);
    assert!(pages >= 3);
    Ok(())
}

mod before {
    use support::prelude::*;

    #[workflow(name = "grew-an-input")]
    pub(super) async fn grown(number: u64) -> u64 {
        number
    }
}

mod after {
    use support::prelude::*;

    #[workflow(name = "grew-an-input")]
    pub(super) async fn grown(number: u64, #[default = 2] times: u64, #[default] offset: u64) -> u64 {
        number * times + offset
    }
}

async fn a_workflow_with_defaults_takes_inputs_of_before(stage: Stage) -> TestResult {
    let client = stage.builder().mode(Mode::Client).start().await?;
    let instance = before::grown::create(&client, 21).id("grown").await?;
    let engine = stage.builder().only::<after::grown>().start().await?;
    assert_eq!(instance.result().await?, 42);
    assert_eq!(after::grown::create(&engine, 1, 10, 5).await?.result().await?, 15);
    Ok(())
}
