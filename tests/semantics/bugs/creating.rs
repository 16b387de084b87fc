//! B17, B18, B19: creating.

use support::prelude::*;

on_every_store!(
    b17_a_finished_instance_is_gone_after_its_retention,
    b18_of_many_creates_with_one_id_one_wins,
    b19_inputs_that_look_empty_are_kept,
);

#[workflow]
async fn succeeds() {}

#[workflow]
async fn goes_wrong() -> workflow::Result<()> {
    Err(workflow::Error::msg("on purpose"))
}

/// The model typed the option and never read it: nothing ever expired.
async fn b17_a_finished_instance_is_gone_after_its_retention(stage: Stage) -> TestResult {
    let (short, long) = (Duration::from_millis(200), Duration::from_secs(3600));
    let engine = stage.builder().only::<(succeeds, goes_wrong)>().start().await?;
    let brief = succeeds::create(&engine).id("brief").retention(short, long).await?;
    let kept = succeeds::create(&engine).id("kept").retention(long, short).await?;
    let brief_failure = goes_wrong::create(&engine).id("brief-failure").retention(long, short).await?;
    let kept_failure = goes_wrong::create(&engine).id("kept-failure").retention(short, long).await?;
    brief.result().await?;
    kept.result().await?;
    assert!(brief_failure.result().await.is_err() && kept_failure.result().await.is_err());

    wait::until("the success is gone", async || succeeds::get(&engine, "brief").await.err()).await;
    wait::until("the failure is gone", async || goes_wrong::get(&engine, "brief-failure").await.err()).await;
    assert_eq!(succeeds::get(&engine, "kept").await?.status().await?.state, State::Complete);
    assert_eq!(goes_wrong::get(&engine, "kept-failure").await?.status().await?.state, State::Errored);
    Ok(())
}

#[workflow]
async fn runs_once(#[resource] witness: &Witness) -> workflow::Result<()> {
    step!("run", witness.ok("run", ())).await?;
    Ok(())
}

/// In the model every one of them was told that it had created the instance.
async fn b18_of_many_creates_with_one_id_one_wins(stage: Stage) -> TestResult {
    let engines =
        [stage.builder().only::<runs_once>().start().await?, stage.builder().only::<runs_once>().start().await?];
    let creates: Vec<_> = (0..16)
        .map(|number| {
            let engine = engines[number % 2].clone();
            tokio::spawn(async move { runs_once::create(&engine).id("same").await.map(drop) })
        })
        .collect();
    let mut created = 0;
    for create in creates {
        match create.await? {
            Ok(()) => created += 1,
            Err(EngineError::AlreadyExists { .. }) => {}
            Err(other) => return Err(other.into()),
        }
    }
    assert_eq!(created, 1);
    runs_once::get(&engines[0], "same").await?.result().await?;
    assert_eq!(stage.witness.count("run"), 1);
    Ok(())
}

#[workflow]
async fn gives_back(
    zero: u64,
    text: String,
    flag: bool,
    nothing: Option<u64>,
    unit: (),
) -> (u64, String, bool, Option<u64>, ()) {
    (zero, text, flag, nothing, unit)
}

/// The model made an empty object of each.
async fn b19_inputs_that_look_empty_are_kept(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<gives_back>().start().await?;
    let one = gives_back::create(&engine, 0, String::new(), false, None, ()).await?;
    assert_eq!(one.result().await?, (0, String::new(), false, None, ()));

    let batch = [gives_back::new(0, String::new(), false, None, ())];
    for outcome in gives_back::create_batch(&engine, batch).await? {
        assert_eq!(outcome?.result().await?, (0, String::new(), false, None, ()));
    }
    Ok(())
}
