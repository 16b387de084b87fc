//! An engine on a store in memory, on one thread but for the store's own: what it does for a workflow, without a server.

use std::time::Duration;

use workflow::VerifyReplay;
use workflow::prelude::*;

/// Steps of what is replayed.
const STEPS: u32 = 200;

/// Three steps, each written by itself but for the last, which goes with the end.
#[workflow]
async fn three() -> workflow::Result<u32> {
    let one = step!("one", async { Ok::<_, StepError>(1) }).await?;
    let two = step!("two", async { Ok::<_, StepError>(2) }).await?;
    let three = step!("three", async { Ok::<_, StepError>(3) }).await?;
    Ok(one + two + three)
}

/// Has many records when it sleeps, and is not kept in memory: when it wakes it is recovered from them.
#[workflow]
async fn remembers() -> workflow::Result<u32> {
    let mut sum = 0;
    for number in 0..STEPS {
        sum += step!("a step", key = number, async { Ok::<_, StepError>(1) }).await?;
    }
    sleep(20ms).await;
    Ok(sum)
}

/// So many workflows of three steps, one after the other.
pub(crate) fn wf3(times: usize) {
    on_one_thread(async |engine| {
        for _ in 0..times {
            let handle = three::create(engine).await.expect("it is created");
            assert_eq!(handle.result().await.expect("it ends well"), 6);
        }
    });
}

/// So many recoveries, each with the run that led to it.
pub(crate) fn replay(times: usize) {
    on_one_thread(async |engine| {
        for _ in 0..times {
            let handle = remembers::create(engine).await.expect("it is created");
            assert_eq!(handle.result().await.expect("it ends well"), STEPS);
        }
    });
}

/// Calls with an engine that has a store of its own.
fn on_one_thread<T>(with: impl AsyncFnOnce(&Engine) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let builder = Engine::builder().store("sqlite::memory:").sticky(0).verify_replay(VerifyReplay::Never);
        let engine = builder.only::<(three, remembers)>().start().await.expect("it starts");
        let came = with(&engine).await;
        engine.shutdown(Duration::from_secs(5)).await;
        came
    })
}
