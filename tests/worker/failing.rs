//! A household that runs what it asks for, and dies at a named place.

use std::path::PathBuf;

use support::chores::{Household, linger, stumble};
use support::effects::Effects;
use support::errands::{Runner, errand, fetch};
use support::failpoints::{Failing, Failpoint, Fate, Trap};
use support::in_front::InFront;
use tokio::signal::unix::{SignalKind, signal};
use workflow::prelude::*;

use super::{Outcome, end, millis};

/// Fetches that run at a time, whoever runs them: tokens are asked for, and there are enough of them also where many are
/// with the dead.
const FETCHES_MAX: u32 = 200;

pub(crate) async fn fail(arguments: &[&str]) -> Outcome {
    let [store, point, times, lease_ms, concurrency, step_time_ms, grace_ms, effects, acks] = arguments else {
        return Err("not how a household is started".into());
    };
    let trap = Trap::new(Failpoint::named(point).ok_or("no such failpoint")?, times.parse()?, Fate::Dies);
    let behind = workflow::open_store(store, "default").await?;
    let runner = Runner::new(Effects::open(&PathBuf::from(effects))?, millis(step_time_ms)?).trapped(trap.clone());
    let builder = Engine::builder().store(std::sync::Arc::new(InFront::of(behind, Failing(trap))) as std::sync::Arc<_>);
    let builder = builder.lease(millis(lease_ms)?).concurrency(concurrency.parse()?).resource(runner);
    let builder = builder.only::<(errand, fetch, linger, stumble)>().workflow_concurrency::<fetch>(FETCHES_MAX);
    let asked_to_end = signal(SignalKind::terminate())?;
    let engine = builder.start().await?;
    let name = format!("of-{}", std::process::id());
    let household = Household::new(engine.clone(), Effects::open(&PathBuf::from(acks))?, name);
    tokio::select! {
        () = household.live() => Err("a household does not end by itself".into()),
        ended = end(engine, asked_to_end, millis(grace_ms)?) => ended,
    }
}
