//! Groups: no other replay enters one that has finished, and yet its block must be the same.

use std::sync::{Arc, Mutex};

use super::{AT, Play, Stage, caught, compare, marked, never};
use crate::authoring::context::Ctx;
use crate::authoring::durable::{BoxFuture, Durable};
use crate::authoring::group::group;
use crate::authoring::race::race;
use crate::error::{BlockError, StepError};

/// A group of this block.
fn grouped(
    play: &Play,
    block: fn(Play) -> BoxFuture<'static, Result<u32, String>>,
) -> impl Durable<Output = Result<u32, StepError>> + use<> {
    let play = play.clone();
    group("ship", AT, move |cx: Ctx| {
        let block = block(play.within(cx));
        async move { block.await.map_err(BlockError::from) }
    })
}

#[test]
fn another_operation_in_a_finished_group_is_found() {
    let (message, traces) = caught(|play| {
        Box::pin(async move {
            let group = grouped(&play, |play| {
                Box::pin(async move {
                    let other = if play.is_run() { "b" } else { "c" };
                    play.go(race((play.step("a"), never(other)))).await;
                    Ok(1)
                })
            });
            Ok(play.go(group).await.map_err(|error| error.to_string())?.into())
        })
    });
    let found = "operation 3 is group \"ship\" › step \"c\" where the run had group \"ship\" › step \"b\"";
    assert!(message.contains(found), "{message}");
    assert!(marked(&traces.replay).contains("step \"c\""), "{traces}");
}

#[test]
fn another_value_of_a_finished_group_is_found() {
    let (message, _) = caught(|play| {
        Box::pin(async move {
            let group = grouped(&play, |play| Box::pin(async move { Ok(play.go(play.step("a")).await + play.turn) }));
            play.go(group).await.map_err(|error| error.to_string())?;
            Ok(0.into())
        })
    });
    assert!(message.contains("the end of group \"ship\" next, and its block has come to another end"), "{message}");
}

#[test]
fn a_block_that_leaves_something_behind_in_memory_is_found() {
    let (message, _) = caught(|play| {
        Box::pin(async move {
            let left = Arc::new(Mutex::new(0));
            let leaving = left.clone();
            let group = group("ship", AT, move |_| {
                *leaving.lock().expect("nothing panics under the lock") += 1;
                async { Ok::<_, BlockError>(0_u32) }
            });
            play.go(group).await.map_err(|error| error.to_string())?;
            let left = *left.lock().expect("nothing panics under the lock");
            Ok(left.into())
        })
    });
    assert!(message.contains("it ends with an output of 1 bytes"), "{message}");
}

#[test]
fn what_a_group_held_before_this_worker_began_may_have_changed_since() {
    let stage = Stage::new(|play| {
        Box::pin(async move {
            let group = grouped(&play, |play| {
                let name = if play.is_run() { "old" } else { "new" };
                Box::pin(async move { Ok(play.go(play.step(name)).await) })
            });
            play.go(group).await.map_err(|error| error.to_string())?;
            Ok(play.go(play.step("after")).await.into())
        })
    });
    let records = stage.run(Vec::new()).expect("kept").records.expect("readable");
    let after_the_group = records.iter().position(|record| record.path.is_group()).expect("it ended") + 1;
    let lived = stage.run(records[..after_the_group].to_vec()).expect("kept");
    assert_eq!(stage.code.differs(&lived).map(|difference| difference.said), None);
    let (all, bodies) = (lived.records.expect("readable"), stage.bodies());
    assert_eq!((all.len(), bodies), (records.len(), 3), "the second worker ran the step after the group");
}

#[test]
fn an_honest_group_that_failed_at_first_is_the_same() {
    let difference = compare(|play| {
        Box::pin(async move {
            let tries = play.clone();
            let block = move |cx: Ctx| {
                let play = tries.within(cx);
                async move {
                    play.go(play.step("a")).await;
                    play.go(play.keyed("b", "k")).await?;
                    let moment = play.go(crate::authoring::facts::now()).await;
                    // The retry comes a second later.
                    let since = moment.duration_since(super::BEGINNING.to_system_time()).expect("later");
                    if since.is_zero() { Err(BlockError::from("not yet".to_owned())) } else { Ok(1_u32) }
                }
            };
            let group = group("late", AT, block).retries(2).delay(std::time::Duration::from_secs(2));
            Ok(play.go(group).await.map(|one| one + 1).unwrap_or_default().into())
        })
    });
    assert_eq!(difference.map(|difference| difference.said), None);
}
