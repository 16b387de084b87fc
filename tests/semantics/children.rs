//! Children: workflows awaited in workflows.

use support::prelude::*;

on_every_store!(
    a_child_gives_its_output_and_is_created_once,
    a_child_gives_its_own_error,
    a_terminated_child_says_so,
    the_end_of_a_parent_terminates_its_children,
    an_abandoned_child_outlives_its_parent,
    children_run_side_by_side,
    a_restarted_parent_does_not_take_the_end_of_an_old_child,
    a_parent_created_anew_has_a_child_of_its_own,
);

#[workflow]
async fn doubles(number: u64, #[resource] witness: &Witness) -> workflow::Result<u64> {
    Ok(step!("double", witness.ok("double", number * 2)).await?)
}

#[workflow]
async fn has_a_child(#[resource] witness: &Witness) -> workflow::Result<u64> {
    let doubled = doubles(21, witness).await?;
    step!("got it", witness.ok("got it", ())).await?;
    wait_for::<Go>("go").await;
    Ok(doubled)
}

async fn a_child_gives_its_output_and_is_created_once(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<(has_a_child, doubles)>().start().await?;
    has_a_child::create(&engine).id("parent").await?;
    stage.witness.ran("got it", 1).await;
    stage.stop(engine).await;
    let engine = stage.builder().only::<(has_a_child, doubles)>().start().await?;
    let instance = has_a_child::get(&engine, "parent").await?;
    instance.send(Go { number: 1 }).await?;
    assert_eq!(instance.result().await?, 42);
    assert_eq!(stage.witness.notes(), ["double", "got it"]);
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
enum Refusal {
    #[error("{0} is too much")]
    TooMuch(u64),
}

#[workflow]
async fn refuses(amount: u64) -> Result<(), Refusal> {
    Err(Refusal::TooMuch(amount))
}

#[workflow]
async fn asks_too_much(#[resource] witness: &Witness) -> workflow::Result<(String, String)> {
    let seen = match refuses(7).await {
        Err(ChildError::Failed(Refusal::TooMuch(amount))) => format!("refused {amount}"),
        other => format!("{other:?}"),
    };
    let live = step!("remember", witness.ok("remember", seen.clone())).await?;
    wait_for::<Go>("go").await;
    Ok((live, seen))
}

async fn a_child_gives_its_own_error(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<(asks_too_much, refuses)>().start().await?;
    asks_too_much::create(&engine).id("parent").await?;
    stage.witness.ran("remember", 1).await;
    stage.stop(engine).await;
    let engine = stage.builder().only::<(asks_too_much, refuses)>().start().await?;
    let instance = asks_too_much::get(&engine, "parent").await?;
    instance.send(Go { number: 1 }).await?;
    assert_eq!(instance.result().await?, ("refused 7".to_owned(), "refused 7".to_owned()));
    Ok(())
}

/// A child that tells its id and then waits.
#[workflow]
async fn waits_as_a_child(#[resource] witness: &Witness) -> workflow::Result<u64> {
    step!("begin", |cx| witness.ok(&format!("child {}", cx.instance_id()), ())).await?;
    let go = wait_for::<Go>("go").await;
    step!("end", witness.ok("child went on", ())).await?;
    Ok(go.number)
}

#[workflow]
async fn waits_for_its_child(#[resource] witness: &Witness) -> workflow::Result<String> {
    Ok(match waits_as_a_child(witness).await {
        Ok(number) => format!("ok {number}"),
        Err(ChildError::Terminated { reason }) => format!("terminated: {reason}"),
        Err(other) => format!("{other:?}"),
    })
}

/// The id that the one child noted.
async fn child_id(stage: &Stage) -> String {
    let find = async || stage.witness.notes().iter().find_map(|note| note.strip_prefix("child ").map(str::to_owned));
    wait::until("the child has begun", find).await
}

async fn a_terminated_child_says_so(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<(waits_for_its_child, waits_as_a_child)>().start().await?;
    let parent = waits_for_its_child::create(&engine).await?;
    let child = waits_as_a_child::get(&engine, child_id(&stage).await).await?;
    child.terminate("not needed").await?;
    assert_eq!(parent.result().await?, "terminated: not needed");
    Ok(())
}

async fn the_end_of_a_parent_terminates_its_children(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<(waits_for_its_child, waits_as_a_child)>().start().await?;
    let parent = waits_for_its_child::create(&engine).await?;
    let child = waits_as_a_child::get(&engine, child_id(&stage).await).await?;
    parent.terminate("enough").await?;
    assert!(matches!(child.result().await, Err(ResultError::Terminated { .. })));
    assert_eq!(stage.witness.count("child went on"), 0);
    Ok(())
}

#[workflow]
async fn abandons_its_child(#[resource] witness: &Witness) -> workflow::Result<String> {
    let went = race! {
        child = waits_as_a_child(witness).on_parent_close(ParentClose::Abandon) => format!("{child:?}"),
        go = wait_for::<Go>("go") => format!("went with {}", go.number),
    }
    .await;
    Ok(went)
}

async fn an_abandoned_child_outlives_its_parent(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<(abandons_its_child, waits_as_a_child)>().start().await?;
    let parent = abandons_its_child::create(&engine).await?;
    let child = waits_as_a_child::get(&engine, child_id(&stage).await).await?;
    parent.send(Go { number: 1 }).await?;
    assert_eq!(parent.result().await?, "went with 1");
    wait::state(&child, State::Waiting).await;
    child.send(Go { number: 5 }).await?;
    assert_eq!(child.result().await?, 5);
    Ok(())
}

#[workflow]
async fn has_many_children(#[resource] witness: &Witness) -> workflow::Result<u64> {
    let doubled = try_join_all((0..20).map(|number| doubles(number, witness))).await?;
    Ok(doubled.into_iter().sum())
}

async fn children_run_side_by_side(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<(has_many_children, doubles)>().start().await?;
    assert_eq!(has_many_children::create(&engine).await?.result().await?, 380);
    assert_eq!(stage.witness.count("double"), 20);
    Ok(())
}

#[workflow]
async fn tells_its_run(#[resource] witness: &Witness) -> workflow::Result<u64> {
    let run = step!("begin", |cx| async move { Ok::<_, Oops>(witness.note(&format!("child {}", cx.instance_id()))) });
    run.await?;
    Ok(wait_for::<Go>("go").await.number)
}

#[workflow]
async fn restarted_parent(#[resource] witness: &Witness) -> workflow::Result<u64> {
    Ok(tells_its_run(witness).await?)
}

async fn a_restarted_parent_does_not_take_the_end_of_an_old_child(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<(restarted_parent, tells_its_run)>().start().await?;
    let parent = restarted_parent::create(&engine).await?;
    let old_id = child_id(&stage).await;
    parent.restart().await?;
    let other = |note: &String| note.strip_prefix("child ").filter(|id| *id != old_id).map(str::to_owned);
    let new_id = wait::until("the new child has begun", async || stage.witness.notes().iter().find_map(other)).await;

    let old = tells_its_run::get(&engine, &old_id).await?;
    assert!(matches!(old.result().await, Err(ResultError::Terminated { .. })), "closed with the run it belonged to");
    let new = tells_its_run::get(&engine, &new_id).await?;
    new.send(Go { number: 9 }).await?;
    assert_eq!(parent.result().await?, 9);
    Ok(())
}

#[workflow]
async fn has_a_child_and_ends(#[resource] witness: &Witness) -> workflow::Result<u64> {
    Ok(doubles(21, witness).await?)
}

/// The old child is still kept when the new parent calls for one at the same place.
async fn a_parent_created_anew_has_a_child_of_its_own(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<(has_a_child_and_ends, doubles)>().start().await?;
    let brief = Duration::from_millis(200);
    for _ in 0..2 {
        let parent = has_a_child_and_ends::create(&engine).id("parent").retention(brief, brief).await?;
        assert_eq!(parent.result().await?, 42);
        wait::until("the parent is gone", async || has_a_child_and_ends::get(&engine, "parent").await.err()).await;
    }
    assert_eq!(stage.witness.count("double"), 2);
    Ok(())
}

/// So that a divergence at a child names the user's line.
#[test]
fn a_child_stands_where_it_is_called_for() {
    let (child, line) = (refuses(7), line!());
    let shown = format!("{child:?}");
    assert!(shown.contains(file!()) && shown.contains(&format!("line: {line},")), "{shown}");
}
