//! What a run keeps of another that it is restarted from.

use super::{Play, Stage, info};
use crate::authoring::durable::BoxFuture;
use crate::journal::command::PauseReason;
use crate::journal::path::Path;
use crate::journal::record::Record;

fn three(play: Play) -> BoxFuture<'static, super::Outcome> {
    Box::pin(async move {
        for name in ["a", "b", "c"] {
            play.go(play.step(name)).await;
        }
        Ok(0.into())
    })
}

/// Comes to `c` in its first run only.
fn forgetful(play: Play) -> BoxFuture<'static, super::Outcome> {
    Box::pin(async move {
        play.go(play.step("a")).await;
        if play.is_run() {
            play.go(play.step("c")).await;
        }
        Ok(0.into())
    })
}

fn records(stage: &Stage) -> Vec<Record> {
    stage.run(Vec::new()).expect("the run is kept").records.expect("they can be read")
}

fn kept(stage: &Stage, source: &[Record], path: &Path) -> Result<Vec<Record>, PauseReason> {
    let now = source.last().expect("something is recorded").time;
    stage.code.fork(info(7), source.to_vec(), path.clone(), now)
}

#[test]
fn what_came_before_the_operation_is_kept() {
    let stage = Stage::new(three);
    let source = records(&stage);
    assert_eq!(kept(&stage, &source, &source[1].path), Ok(source[..1].to_vec()));
}

#[test]
fn code_that_comes_to_it_no_more_parks() {
    let stage = Stage::new(forgetful);
    let source = records(&stage);
    assert!(matches!(kept(&stage, &source, &source[1].path), Err(PauseReason::Divergence(_))));
}
