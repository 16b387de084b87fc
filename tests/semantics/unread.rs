//! What cannot be read is said to be so, where and of which kind it is: never what it is. It may be a secret, or large.

use std::fmt::Debug;

use support::prelude::*;

on_every_store!(
    an_event_of_another_type_is_not_repeated,
    an_input_of_another_type_is_not_repeated,
    an_output_of_another_type_is_not_repeated,
    a_result_that_does_not_read_back_is_not_repeated,
    a_recorded_result_of_another_type_is_not_repeated,
);

const SECRET: &str = "pa55w0rd";

/// Whatever is shown of it.
fn hides<T: Debug>(what: &T, words: &str) {
    let shown = format!("{what:?}");
    assert!(!shown.contains(SECRET), "{shown}");
    assert!(shown.contains(words), "{words:?} is not in: {shown}");
    assert!(shown.len() < 16_000, "it is {} bytes long", shown.len());
}

mod before {
    use super::SECRET;
    use support::prelude::*;

    #[workflow(name = "unread.wait")]
    pub(super) async fn waits() -> u64 {
        wait_for_type::<u64>("number", "number").await
    }

    #[workflow(name = "unread.input")]
    pub(super) async fn takes(_text: String) -> u64 {
        wait_for_type::<u64>("number", "number").await
    }

    #[workflow(name = "unread.output")]
    pub(super) async fn gives() -> String {
        SECRET.to_owned()
    }

    #[workflow(name = "unread.result")]
    pub(super) async fn keeps(#[resource] witness: &Witness) -> workflow::Result<u64> {
        step!("keep", witness.ok("keep", SECRET.to_owned())).await?;
        Ok(wait_for_type::<u64>("number", "number").await)
    }
}

mod after {
    use support::prelude::*;

    #[workflow(name = "unread.input")]
    pub(super) async fn takes(_text: u64) -> u64 {
        wait_for_type::<u64>("number", "number").await
    }

    #[workflow(name = "unread.output")]
    pub(super) async fn gives() -> u64 {
        7
    }

    #[workflow(name = "unread.result")]
    pub(super) async fn keeps(#[resource] witness: &Witness) -> workflow::Result<u64> {
        step!("keep", witness.ok("keep", 7_u64)).await?;
        Ok(wait_for_type::<u64>("number", "number").await)
    }
}

async fn an_event_of_another_type_is_not_repeated(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<before::waits>().start().await?;
    let instance = before::waits::create(&engine).await?;
    // As large as an event may be, so that what is kept of it must be less.
    instance.send_type("number", SECRET.repeat(130_000)).await?;
    instance.send_type("number", vec![SECRET]).await?;
    instance.send_type("number", 9).await?;
    assert_eq!(instance.result().await?, 9);
    let (history, status) = (instance.history().await?, instance.status().await?);
    hides(&history, "invalid type: string, expected u64");
    hides(&history, "invalid type: sequence, expected u64");
    hides(&status, "Complete");
    Ok(())
}

async fn an_input_of_another_type_is_not_repeated(stage: Stage) -> TestResult {
    let client = stage.builder().mode(Mode::Client).start().await?;
    before::takes::create(&client, SECRET.to_owned()).id("input").await?;
    let engine = stage.builder().only::<after::takes>().start().await?;
    let parked = wait::state(&after::takes::get(&engine, "input").await?, State::Paused).await;
    hides(&parked, "invalid type: string, expected u64");
    Ok(())
}

async fn an_output_of_another_type_is_not_repeated(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<before::gives>().start().await?;
    let instance = before::gives::create(&engine).id("output").await?;
    assert_eq!(instance.result().await?, SECRET);
    let instance = after::gives::get(&engine, "output").await?;
    let error = instance.result().await.expect_err("it is a text");
    hides(&error, "invalid type: string, expected u64");
    assert!(!error.to_string().contains(SECRET), "{error}");
    hides(&instance.status().await?, "invalid type: string, expected u64");
    Ok(())
}

/// Written as a text, read as a number.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
struct OneWay(u64);

impl Serialize for OneWay {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&format!("{SECRET}{}", self.0))
    }
}

#[workflow]
async fn records(#[resource] witness: &Witness) -> workflow::Result<u64> {
    Ok(step!("one way", witness.ok("one way", OneWay(1))).await?.0)
}

async fn a_result_that_does_not_read_back_is_not_repeated(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<records>().start().await?;
    let instance = records::create(&engine).await?;
    let error = instance.result().await.expect_err("it does not read back");
    hides(&error, "invalid type: string, expected u64");
    hides(&instance.history().await?, "invalid type: string, expected u64");
    Ok(())
}

async fn a_recorded_result_of_another_type_is_not_repeated(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<before::keeps>().start().await?;
    wait::state(&before::keeps::create(&engine).id("result").await?, State::Waiting).await;
    stage.stop(engine).await;
    let engine = stage.builder().only::<after::keeps>().start().await?;
    let instance = after::keeps::get(&engine, "result").await?;
    instance.send_type("number", 1).await?;
    let parked = wait::state(&instance, State::Paused).await;
    hides(&parked, "invalid type: string, expected u64");
    Ok(())
}
