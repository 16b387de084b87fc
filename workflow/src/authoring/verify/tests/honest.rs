//! A workflow that uses everything there is and does not cheat is the same in every replay, whoever began it.

use std::time::Duration;

use super::{AT, BEGINNING, Play, Stage, compare, never};
use crate::authoring::context::Ctx;
use crate::authoring::durable::BoxFuture;
use crate::authoring::facts::{changed, info, now};
use crate::authoring::group::group;
use crate::authoring::join::{join, join_all, try_join_all};
use crate::authoring::part::part;
use crate::authoring::race::race;
use crate::authoring::random::{random, uuid};
use crate::authoring::sleep::{sleep, sleep_until};
use crate::authoring::step::{StepContext, step_with_context as step};
use crate::authoring::timeout::timeout;
use crate::authoring::wait::wait_for_type;
use crate::error::{BlockError, StepError};

const SECOND: Duration = Duration::from_secs(1);

/// A step that fails until this attempt.
async fn shaky(play: &Play, until: u32) -> Result<u32, StepError> {
    let body = move |attempt: StepContext| async move {
        if attempt.attempt() < until { Err("not yet".to_owned()) } else { Ok(attempt.attempt()) }
    };
    play.go(step("shaky", AT, body).retries(3).delay(2 * SECOND)).await
}

fn everything(play: Play) -> BoxFuture<'static, super::Outcome> {
    Box::pin(async move {
        let began = play.go(now()).await;
        let tries = shaky(&play, 3).await.map_err(|error| error.to_string())?;
        let failed = play.go(step("fails", AT, |_| async { Err::<u32, _>("no".to_owned()) })).await.is_err();
        play.go(sleep(SECOND)).await;
        play.go(sleep_until(began + 20 * SECOND)).await;
        play.go(race((play.step("wins"), sleep(60 * SECOND)))).await;
        play.go(race((play.step("ends"), never("hangs")))).await;
        let late = play.go(timeout(SECOND, never("late"))).await.is_err();
        let unpaid = play.go(wait_for_type::<u32>("payment", "paid").timeout(SECOND)).await.is_err();
        play.go(join((play.step("left"), play.step("right")))).await;
        play.go(join_all(["1", "2", "3"].map(|key| play.keyed("each", key)))).await;
        play.go(try_join_all(["1", "2"].map(|key| play.keyed("both", key)))).await?;
        let of_group = grouped(&play).await.map_err(|error| error.to_string())?;
        let of_part = play.go(part("part", AT, |cx| in_a_part(play.within(cx)))).await;
        let chance = play.go(random::<u64>()).await;
        let (id, new) = (play.go(uuid()).await.to_string(), play.go(changed("fees")).await);
        let run = play.go(info()).await.run;
        let lasted = play.go(now()).await.duration_since(began).map_err(|error| error.to_string())?.as_millis();
        let lasted = u64::try_from(lasted).map_err(|error| error.to_string())?;
        Ok(serde_json::json!([tries, failed, late, unpaid, of_group, of_part, chance, id, new, run, lasted]))
    })
}

/// A group that fails once, with a group in it that is dropped and one that ends.
async fn grouped(play: &Play) -> Result<u64, StepError> {
    let of = play.clone();
    let block = move |cx: Ctx| {
        let play = of.within(cx);
        async move {
            let chance = play.go(random::<u64>()).await;
            let inner = play.clone();
            let ends = group("ends", AT, move |cx| in_a_group(inner.within(cx)));
            let inner = play.clone();
            let dropped = group("dropped", AT, move |cx| never_ends(inner.within(cx)));
            play.go(race((ends, dropped))).await;
            shaky(&play, 2).await?;
            let tries = play.go(now()).await.duration_since(BEGINNING.to_system_time()).expect("later");
            if tries < 40 * SECOND { Err(BlockError::from("too early".to_owned())) } else { Ok(chance) }
        }
    };
    play.go(group("prepare", AT, block).retries(5).delay(10 * SECOND).timeout(600 * SECOND)).await
}

async fn in_a_group(play: Play) -> Result<u32, BlockError> {
    Ok(play.go(play.step("inside")).await)
}

async fn never_ends(play: Play) -> Result<u32, BlockError> {
    play.go(play.step("begun")).await;
    Ok(play.go(never("never")).await?)
}

async fn in_a_part(play: Play) -> u32 {
    play.go(play.step("a")).await + play.go(play.step("a")).await
}

#[test]
fn a_workflow_of_everything_is_the_same() {
    assert_eq!(compare(everything).map(|difference| difference.said), None);
}

#[test]
fn a_run_that_another_worker_began_is_the_same_wherever_that_stopped() {
    let stage = Stage::new(everything);
    let lived = stage.run(Vec::new()).expect("kept");
    let records = lived.records.expect("readable");
    assert!(records.len() > 40, "there is something to cut: {}", records.len());
    for cut in 0..=records.len() {
        let lived = stage.run(records[..cut].to_vec()).expect("kept");
        assert_eq!(lived.loaded, cut);
        let difference = stage.code.differs(&lived);
        assert_eq!(difference.map(|difference| difference.said), None, "cut at {cut} of {}", records.len());
    }
}

#[test]
fn a_run_that_another_worker_began_is_found_out_too() {
    let stage = Stage::new(|play| {
        Box::pin(async move {
            play.go(play.step("a")).await;
            // The second worker goes on as the first; only the replay of the whole does not.
            let name = if play.turn < 2 { "b" } else { "c" };
            play.go(play.step(name)).await;
            Ok(0.into())
        })
    });
    let records = stage.run(Vec::new()).expect("kept").records.expect("readable");
    let lived = stage.run(records[..1].to_vec()).expect("kept");
    let difference = stage.code.differs(&lived).expect("it is found out");
    let recorded = difference.divergence.recorded.expect("the journal's side");
    assert_eq!(recorded.operation, "end of step \"b\"");
}
