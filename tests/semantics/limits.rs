//! Limits on every path: what is beyond one is a typed error at the call, or ends the run with one.

use support::prelude::*;
use workflow::words::limits::{INSTANCE_ID_BYTES_MAX, KEY_BYTES_MAX, NAME_BYTES_MAX, PAYLOAD_BYTES_MAX};

on_every_store!(
    ids_queues_and_events_are_refused_at_their_limits_by_every_call,
    a_result_or_output_that_is_too_large_fails_with_an_error_that_says_so,
    an_input_of_a_child_that_is_too_large_is_an_error_of_the_child,
    a_sleep_beyond_ten_years_ends_the_run_with_an_error_that_says_so,
);

#[workflow]
async fn plain() {}

async fn ids_queues_and_events_are_refused_at_their_limits_by_every_call(stage: Stage) -> TestResult {
    let client = stage.builder().mode(Mode::Client).start().await?;
    let (longest, longer) = ("i".repeat(INSTANCE_ID_BYTES_MAX), "i".repeat(INSTANCE_ID_BYTES_MAX + 1));
    let instance = plain::create(&client).id(longest).await?;
    let refused = |error: EngineError| assert_eq!(error.code(), "invalid_id", "{error}");
    refused(plain::create(&client).id(longer.clone()).await.expect_err("too long"));
    refused(plain::get(&client, longer.clone()).await.expect_err("too long"));
    refused(client.instance(longer.clone()).await.expect_err("too long"));
    refused(client.list().workflow("w".repeat(NAME_BYTES_MAX + 1)).await.expect_err("too long"));
    refused(plain::create(&client).queue("q".repeat(NAME_BYTES_MAX + 1)).await.expect_err("too long"));
    plain::create(&client).queue("q".repeat(NAME_BYTES_MAX)).await?;
    let batch = plain::create_batch(&client, [plain::new().id(longer)]).await?;
    assert!(matches!(&batch[..], [Err(EngineError::InvalidId(_))]), "{batch:?}");

    let (longest, longer) = ("k".repeat(KEY_BYTES_MAX), "k".repeat(KEY_BYTES_MAX + 1));
    instance.send_type(&longest, ()).key(&longest).id(&*longest).await?;
    for send in [
        instance.send_type(&longer, ()),
        instance.send_type("t", ()).key(&longer),
        instance.send_type("t", ()).id(&*longer),
    ] {
        let error = send.await.expect_err("too long");
        assert!(matches!(error, EngineError::TooLong { max: KEY_BYTES_MAX, .. }), "{error}");
    }
    // Two bytes are the quotes.
    instance.send_type("t", "x".repeat(PAYLOAD_BYTES_MAX - 2)).await?;
    let error = instance.send_type("t", "x".repeat(PAYLOAD_BYTES_MAX - 1)).await.expect_err("too large");
    assert_eq!(error.code(), "payload", "{error}");
    let error = instance.terminate("r".repeat(4_097)).await.expect_err("too long");
    assert_eq!(error.code(), "too_long", "{error}");
    let ten_years = Duration::from_secs(10 * 365 * 24 * 3_600);
    for create in [
        plain::create(&client).retention(ten_years + Duration::from_secs(1), ten_years),
        plain::create(&client).start_at(std::time::SystemTime::now() + ten_years + Duration::from_secs(3_600)),
    ] {
        assert_eq!(create.await.expect_err("too far").code(), "option");
    }
    Ok(())
}

#[workflow]
async fn gives(bytes: usize, in_a_step: bool, #[resource] witness: &Witness) -> workflow::Result<String> {
    if in_a_step {
        step!("large", retries = 0, witness.ok("large", "x".repeat(bytes))).await?;
        return Ok(String::new());
    }
    Ok("x".repeat(bytes))
}

async fn a_result_or_output_that_is_too_large_fails_with_an_error_that_says_so(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<gives>().start().await?;
    for in_a_step in [true, false] {
        gives::create(&engine, PAYLOAD_BYTES_MAX - 2, in_a_step).await?.result().await?;
        let failed = gives::create(&engine, PAYLOAD_BYTES_MAX - 1, in_a_step).await?;
        let error = failed.result().await.expect_err("too large");
        assert!(format!("{error}").contains("limit is 1048576"), "{error}");
        assert_eq!(failed.status().await?.state, State::Errored);
    }
    Ok(())
}

#[workflow]
async fn takes(_text: String) {}

#[workflow]
async fn hands_on(bytes: usize) -> workflow::Result<String> {
    match takes("x".repeat(bytes)).await {
        Ok(()) => Ok("created".to_owned()),
        Err(error) => Ok(error.to_string()),
    }
}

async fn an_input_of_a_child_that_is_too_large_is_an_error_of_the_child(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<(hands_on, takes)>().start().await?;
    assert_eq!(hands_on::create(&engine, PAYLOAD_BYTES_MAX / 2).await?.result().await?, "created");
    let said = hands_on::create(&engine, PAYLOAD_BYTES_MAX).await?.result().await?;
    assert!(said.contains("1048576"), "{said}");
    Ok(())
}

#[workflow]
async fn sleeps(years: u64) {
    sleep(Duration::from_secs(years * 365 * 24 * 3_600)).await;
}

async fn a_sleep_beyond_ten_years_ends_the_run_with_an_error_that_says_so(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<sleeps>().start().await?;
    let long = sleeps::create(&engine, 10).await?;
    wait::state(&long, State::Waiting).await;
    let longer = sleeps::create(&engine, 11).await?;
    let error = longer.result().await.expect_err("too long");
    assert!(error.to_string().contains("ten years"), "{error}");
    let tested = sleeps::test(11).run().result.expect_err("too long");
    assert!(tested.to_string().contains("ten years"), "{tested}");
    Ok(())
}
