//! Restarting from an operation: what is kept, what runs again, and what is refused.

use support::prelude::*;

on_every_store!(
    what_came_before_the_step_is_kept_and_the_rest_runs_again,
    what_had_begun_before_the_step_is_kept_although_it_ended_later,
    a_group_around_the_step_is_tried_on,
    a_group_that_has_not_ended_begins_anew,
    a_group_that_was_dropped_before_it_ended_begins_anew,
    a_step_of_a_key_is_found,
    unread_events_stay_and_forgotten_waits_wait_anew,
    a_child_that_ended_is_kept_and_one_that_had_not_is_started_anew,
    an_operation_that_was_not_recorded_is_refused_and_nothing_changes,
    a_body_that_runs_is_dropped_and_what_it_writes_is_nothing,
    any_state_can_be_restarted_from_a_step,
    randomness_that_was_drawn_before_stays_the_same,
    the_newest_wish_counts_while_no_worker_has_begun,
    a_run_that_begins_anew_while_it_is_restarted_from_a_step_is_looked_at_again,
    a_run_can_be_restarted_from_a_step_again_and_again,
    the_source_is_kept_until_a_worker_has_taken_over,
    code_that_no_longer_comes_to_the_step_parks,
    a_change_of_the_code_is_no_place_to_restart_from,
);

#[workflow]
async fn three_steps(#[resource] witness: &Witness) -> workflow::Result<Vec<usize>> {
    let a = step!("a", async { Ok::<_, Oops>(witness.note("a")) }).await?;
    let b = step!("b", async { Ok::<_, Oops>(witness.note("b")) }).await?;
    let c = step!("c", async { Ok::<_, Oops>(witness.note("c")) }).await?;
    Ok(vec![a, b, c])
}

async fn what_came_before_the_step_is_kept_and_the_rest_runs_again(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<three_steps>().start().await?;
    let instance = three_steps::create(&engine).await?;
    assert_eq!(instance.result().await?, [1, 1, 1]);
    instance.restart_from("b").await?;
    assert_eq!(instance.result().await?, [1, 2, 2]);
    let status = instance.status().await?;
    assert_eq!((status.run, status.restarted_from.as_deref()), (2, Some("step \"b\"")));
    let ends =
        |history: workflow::History| history.operations.iter().filter(|operation| operation.end.is_some()).count();
    assert_eq!((ends(instance.history_of(1).await?), ends(instance.history().await?)), (3, 3));
    // From the beginning again.
    instance.restart().await?;
    assert_eq!(instance.result().await?, [2, 3, 3]);
    assert_eq!(instance.status().await?.restarted_from, None);
    Ok(())
}

#[workflow]
async fn slow_beside_quick(#[resource] witness: &Witness) -> workflow::Result<(usize, usize)> {
    let quick = async {
        step!("quick", witness.ok("quick", ())).await?;
        step!("last", async { Ok::<_, Oops>(witness.note("last")) }).await
    };
    let slow = step!("slow", async {
        let times = witness.note("slow");
        witness.held("gate", times).await
    });
    let (slow, last) = join!(slow, quick).await;
    Ok((slow?, last?))
}

async fn what_had_begun_before_the_step_is_kept_although_it_ended_later(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<slow_beside_quick>().start().await?;
    let instance = slow_beside_quick::create(&engine).await?;
    stage.witness.ran("last", 1).await;
    stage.witness.open("gate");
    assert_eq!(instance.result().await?, (1, 1));
    instance.restart_from("last").await?;
    assert_eq!(instance.result().await?, (1, 2), "the slow one had begun before");
    assert_eq!(stage.witness.count("quick"), 1);
    Ok(())
}

#[workflow]
async fn a_group_of_steps(#[resource] witness: &Witness) -> workflow::Result<u64> {
    let packed = group!("pack", retries = 2, {
        step!("choose", witness.ok("choose", ())).await?;
        let filled = step!("fill", witness.ok("fill", 1)).await?;
        step!("seal", witness.ok("seal", ())).await?;
        Ok(filled)
    })
    .await?;
    step!("ship", witness.ok("ship", ())).await?;
    Ok(packed)
}

async fn a_group_around_the_step_is_tried_on(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<a_group_of_steps>().start().await?;
    let instance = a_group_of_steps::create(&engine).await?;
    instance.result().await?;
    instance.restart_from("fill").await?;
    instance.result().await?;
    let counts = ["choose", "fill", "seal", "ship"].map(|step| stage.witness.count(step));
    assert_eq!(counts, [1, 2, 2, 2]);
    // The group as a whole.
    instance.restart_from("pack").await?;
    instance.result().await?;
    let counts = ["choose", "fill", "seal", "ship"].map(|step| stage.witness.count(step));
    assert_eq!(counts, [2, 3, 3, 3]);
    Ok(())
}

#[workflow]
async fn a_group_in_a_group(#[resource] witness: &Witness) -> workflow::Result<(usize, usize)> {
    let counts = group!("outer", {
        let before = step!("before", async { Ok::<_, Oops>(witness.note("before")) }).await?;
        let inner = group!("inner", {
            let one = step!("one", async { Ok::<_, Oops>(witness.note("one")) }).await?;
            step!("two", witness.held("two", ())).await?;
            Ok(one)
        })
        .await?;
        Ok((before, inner))
    });
    Ok(counts.await?)
}

async fn a_group_that_has_not_ended_begins_anew(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<a_group_in_a_group>().start().await?;
    let instance = a_group_in_a_group::create(&engine).await?;
    stage.witness.ran("two", 1).await;
    // It has no record of its own; the history shows it all the same.
    let history = instance.history().await?;
    let inner = history.operations.iter().find(|operation| operation.name == "inner").expect("a step in it has ended");
    instance.restart_from(&inner.path).await?;
    stage.witness.ran("two", 2).await;
    stage.witness.open("two");
    assert_eq!(instance.result().await?, (1, 2));
    Ok(())
}

#[workflow]
async fn a_group_that_is_given_up(#[resource] witness: &Witness) -> workflow::Result<usize> {
    let outer = group!("outer", {
        let slow = group!("slow", {
            let one = step!("one", async { Ok::<_, Oops>(witness.note("one")) }).await?;
            wait_for::<Go>("never").key("never").await;
            Ok(one)
        });
        Ok(race! {
            one = slow => one?,
            _go = wait_for::<Go>("go") => step!("give up", async { Ok::<_, Oops>(witness.count("one")) }).await?,
        }
        .await)
    });
    Ok(outer.await?)
}

async fn a_group_that_was_dropped_before_it_ended_begins_anew(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<a_group_that_is_given_up>().start().await?;
    let instance = a_group_that_is_given_up::create(&engine).await?;
    wait::state(&instance, State::Waiting).await;
    instance.send(Go { number: 1 }).await?;
    assert_eq!(instance.result().await?, 1);
    // The group around it has ended meanwhile, and has to be entered to come to it.
    instance.restart_from("slow").await?;
    wait::state(&instance, State::Waiting).await;
    assert_eq!(stage.witness.count("one"), 2);
    instance.send(Go { number: 1 }).await?;
    assert_eq!(instance.result().await?, 2);
    Ok(())
}

#[workflow]
async fn a_step_for_each(names: Vec<String>, #[resource] witness: &Witness) -> workflow::Result<()> {
    for name in &names {
        step!("reserve", key = name, witness.ok(name, ())).await?;
    }
    Ok(())
}

async fn a_step_of_a_key_is_found(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<a_step_for_each>().start().await?;
    let names = ["tea", "mug", "pot"].map(str::to_owned).to_vec();
    let instance = a_step_for_each::create(&engine, names).await?;
    instance.result().await?;
    instance.restart_from("reserve").key("mug").await?;
    instance.result().await?;
    assert_eq!(["tea", "mug", "pot"].map(|name| stage.witness.count(name)), [1, 2, 2]);
    // By its path, as a history shows it.
    let history = instance.history().await?;
    let last = history.operations.last().expect("three steps").path.clone();
    instance.restart_from(last).await?;
    instance.result().await?;
    assert_eq!(["tea", "mug", "pot"].map(|name| stage.witness.count(name)), [1, 2, 3]);
    Ok(())
}

#[workflow]
async fn two_waits(#[resource] witness: &Witness) -> workflow::Result<(u64, u64)> {
    let one = wait_for::<Go>("one").key("one").await;
    let two = wait_for::<Go>("two").key("two").await;
    step!("after", witness.ok("after", ())).await?;
    let three = wait_for::<Go>("three").key("three").await;
    Ok((one.number, two.number + three.number))
}

async fn unread_events_stay_and_forgotten_waits_wait_anew(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<two_waits>().start().await?;
    let instance = two_waits::create(&engine).await?;
    instance.send(Go { number: 1 }).key("one").await?;
    instance.send(Go { number: 2 }).key("two").await?;
    stage.witness.ran("after", 1).await;
    wait::state(&instance, State::Waiting).await;
    instance.send(Go { number: 90 }).key("other").await?;
    instance.restart_from("two").await?;
    // What the wait had received is not given again; the event nobody read is still there.
    let status = wait::state(&instance, State::Waiting).await;
    assert_eq!((status.unread_events, status.waits.len()), (1, 1), "{status:?}");
    instance.send(Go { number: 20 }).key("two").await?;
    instance.send(Go { number: 300 }).key("three").await?;
    assert_eq!(instance.result().await?, (1, 320));
    Ok(())
}

#[workflow]
async fn helper(number: u64, #[resource] witness: &Witness) -> workflow::Result<u64> {
    Ok(step!("help", witness.held(&format!("help {number}"), number)).await?)
}

#[workflow]
async fn two_children(#[resource] witness: &Witness) -> workflow::Result<u64> {
    let first = helper(1, witness).await?;
    let open = async { helper(2, witness).await };
    let after = step!("beside", witness.ok("beside", ()));
    let (second, after) = join!(open, after).await;
    after?;
    Ok(first + second?)
}

async fn a_child_that_ended_is_kept_and_one_that_had_not_is_started_anew(stage: Stage) -> TestResult {
    stage.witness.open("help 1");
    let engine = stage.builder().only::<(two_children, helper)>().start().await?;
    let instance = two_children::create(&engine).await?;
    stage.witness.ran("help 2", 1).await;
    stage.witness.ran("beside", 1).await;
    wait::until("it is recorded", || async { recorded(&instance, "beside").await.then_some(()) }).await;
    instance.restart_from("beside").await?;
    stage.witness.ran("help 2", 2).await;
    stage.witness.open("help 2");
    assert_eq!(instance.result().await?, 3);
    assert_eq!((stage.witness.count("help 1"), stage.witness.count("beside")), (1, 2));
    Ok(())
}

async fn recorded<W: Subject>(instance: &Handle<W>, name: &str) -> bool {
    let history = instance.history().await.expect("a history");
    history.operations.iter().any(|operation| operation.name == name && operation.end.is_some())
}

async fn an_operation_that_was_not_recorded_is_refused_and_nothing_changes(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<three_steps>().start().await?;
    let instance = three_steps::create(&engine).await?;
    instance.result().await?;
    for refused in [
        instance.restart_from("d").await,
        instance.restart_from("a").key("x").await,
        instance.restart_from("a").occurrence(1).await,
    ] {
        let error = refused.expect_err("there is none");
        assert_eq!(error.code(), "no_such_step");
        assert!(error.to_string().contains("`a`, `b`, `c`"), "{error}");
    }
    assert_eq!((instance.status().await?.run, instance.result().await?), (1, vec![1, 1, 1]));
    // Before anything is recorded there is nothing to come from.
    let client = stage.builder().mode(Mode::Client).start().await?;
    let later = std::time::SystemTime::now() + Duration::from_secs(3600);
    let queued = three_steps::create(&client).start_at(later).await?;
    assert_eq!(queued.restart_from("a").await.expect_err("nothing is recorded").code(), "no_such_step");
    assert_eq!(queued.status().await?.run, 1);
    Ok(())
}

#[workflow]
async fn held_at_the_second(#[resource] witness: &Witness) -> workflow::Result<usize> {
    step!("first", witness.ok("first", ())).await?;
    Ok(step!("second", async {
        let pass = witness.note("second");
        witness.held(&format!("gate {pass}"), pass).await
    })
    .await?)
}

async fn a_body_that_runs_is_dropped_and_what_it_writes_is_nothing(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<held_at_the_second>().start().await?;
    let instance = held_at_the_second::create(&engine).await?;
    stage.witness.ran("gate 1", 1).await;
    instance.restart_from("first").await?;
    stage.witness.open("gate 1");
    stage.witness.ran("gate 2", 1).await;
    assert_eq!(instance.status().await?.state, State::Running);
    stage.witness.open("gate 2");
    assert_eq!((instance.result().await?, stage.witness.count("first")), (2, 2));
    Ok(())
}

#[workflow]
async fn step_then_wait(#[resource] witness: &Witness) -> workflow::Result<u64> {
    step!("before", witness.ok("before", ())).await?;
    step!("from here", witness.ok("from here", ())).await?;
    Ok(wait_for::<Go>("go").await.number)
}

async fn any_state_can_be_restarted_from_a_step(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<step_then_wait>().start().await?;
    let instance = step_then_wait::create(&engine).await?;
    let again = |times: usize| {
        let (instance, witness) = (instance.clone(), stage.witness.clone());
        async move {
            assert_eq!(instance.restart_from("from here").await?, State::Queued);
            witness.ran("from here", times).await;
            wait::state(&instance, State::Waiting).await;
            Ok::<_, EngineError>(())
        }
    };
    wait::state(&instance, State::Waiting).await;
    again(2).await?;
    instance.pause().await?;
    again(3).await?;
    instance.terminate("enough").await?;
    again(4).await?;
    instance.send(Go { number: 7 }).await?;
    assert_eq!(instance.result().await?, 7);
    again(5).await?;
    instance.send(Go { number: 8 }).await?;
    assert_eq!(instance.result().await?, 8);
    assert_eq!(stage.witness.count("before"), 1);
    Ok(())
}

#[workflow]
async fn keyed_by_chance(#[resource] witness: &Witness) -> workflow::Result<(u64, u64)> {
    let drawn: u64 = random().await;
    step!("with", key = drawn, witness.ok("with", ())).await?;
    step!("then", witness.ok("then", ())).await?;
    Ok((drawn, random().await))
}

async fn randomness_that_was_drawn_before_stays_the_same(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<keyed_by_chance>().start().await?;
    let instance = keyed_by_chance::create(&engine).await?;
    let drawn = instance.result().await?;
    for run in 2..4 {
        instance.restart_from("then").await?;
        assert_eq!((instance.result().await?, instance.status().await?.run), (drawn, run));
    }
    assert_eq!((stage.witness.count("with"), stage.witness.count("then")), (1, 3));
    instance.restart().await?;
    assert_ne!(instance.result().await?, drawn, "another run draws anew");
    Ok(())
}

async fn the_newest_wish_counts_while_no_worker_has_begun(stage: Stage) -> TestResult {
    let worker = stage.builder().only::<three_steps>().start().await?;
    let client = stage.builder().mode(Mode::Client).start().await?;
    let instance = three_steps::create(&client).await?;
    instance.result().await?;
    stage.stop(worker).await;
    instance.restart_from("b").await?;
    instance.restart_from("c").await?;
    let _worker = stage.builder().only::<three_steps>().start().await?;
    assert_eq!(instance.result().await?, [1, 1, 2]);
    assert_eq!(instance.status().await?.run, 3);
    Ok(())
}

async fn a_run_can_be_restarted_from_a_step_again_and_again(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<three_steps>().start().await?;
    let instance = three_steps::create(&engine).await?;
    instance.result().await?;
    instance.restart_from("c").await?;
    assert_eq!(instance.result().await?, [1, 1, 2]);
    instance.restart_from("b").await?;
    assert_eq!(instance.result().await?, [1, 2, 3]);
    instance.restart_from("c").await?;
    assert_eq!(instance.result().await?, [1, 2, 4]);
    for run in 1..=4 {
        assert_eq!(instance.history_of(run).await?.operations.len(), 3, "run {run}");
    }
    Ok(())
}

/// Its old runs are to be kept for no time at all.
async fn the_source_is_kept_until_a_worker_has_taken_over(stage: Stage) -> TestResult {
    let worker = stage.builder().only::<step_then_wait>().start().await?;
    let client = stage.builder().mode(Mode::Client).start().await?;
    let none = Duration::ZERO;
    let instance = step_then_wait::create(&client).retention(none, none).await?;
    wait::state(&instance, State::Waiting).await;
    stage.stop(worker).await;
    instance.restart_from("from here").await?;
    // A worker that does not know the workflow sweeps all the same: when it has deleted what was to be deleted, the source
    // is still there.
    let sweeper = stage.builder().only::<three_steps>().start().await?;
    let expiring = three_steps::create(&client).retention(none, none).await?;
    let gone = || async { three_steps::get(&client, expiring.id()).await.is_err().then_some(()) };
    wait::until("another is deleted", gone).await;
    assert!(instance.history_of(1).await.is_ok());
    stage.stop(sweeper).await;

    let _worker = stage.builder().only::<step_then_wait>().start().await?;
    stage.witness.ran("from here", 2).await;
    let gone = || async { instance.history_of(1).await.is_err().then_some(()) };
    wait::until("the source is deleted", gone).await;
    instance.send(Go { number: 1 }).await?;
    assert_eq!(stage.witness.count("before"), 1);
    Ok(())
}

#[workflow(name = "changes")]
async fn before_the_change(#[resource] witness: &Witness) -> workflow::Result<u64> {
    step!("kept", witness.ok("kept", ())).await?;
    step!("renamed", witness.ok("renamed", ())).await?;
    Ok(1)
}

#[workflow(name = "changes")]
async fn after_the_change(#[resource] witness: &Witness) -> workflow::Result<u64> {
    step!("kept", witness.ok("kept", ())).await?;
    step!("by another name", witness.ok("by another name", ())).await?;
    Ok(2)
}

async fn code_that_no_longer_comes_to_the_step_parks(stage: Stage) -> TestResult {
    let client = stage.builder().mode(Mode::Client).start().await?;
    let old = stage.builder().only::<before_the_change>().start().await?;
    let instance = before_the_change::create(&client).await?;
    instance.result().await?;
    stage.stop(old).await;
    instance.restart_from("renamed").await?;
    let new = stage.builder().only::<after_the_change>().start().await?;
    let status = wait::state(&instance, State::Paused).await;
    let reason = format!("{:?}", status.paused.expect("a reason").reason);
    assert!(reason.contains("end of step") && reason.contains("renamed"), "{reason}");
    assert_eq!(stage.witness.count("by another name"), 0);
    stage.stop(new).await;
    // After a rollback it goes on.
    let _old = stage.builder().only::<before_the_change>().start().await?;
    instance.resume().await?;
    assert_eq!(instance.result().await?, 1);
    assert_eq!((stage.witness.count("kept"), stage.witness.count("renamed")), (1, 2));
    Ok(())
}

async fn a_run_that_begins_anew_while_it_is_restarted_from_a_step_is_looked_at_again(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<three_steps>().start().await?;
    let instance = three_steps::create(&engine).await?;
    instance.result().await?;
    for _ in 0..20 {
        let from_c = async { instance.restart_from("c").await };
        let (from_c, anew) = tokio::join!(from_c, instance.restart());
        anew?;
        // Whichever came first: the newest run has come to the step, or not yet.
        match from_c {
            Ok(State::Queued) | Err(EngineError::NoSuchStep { .. }) => {}
            other => panic!("{other:?}"),
        }
        // It is not parked for a step that its records do not have.
        wait::state(&instance, State::Complete).await;
    }
    Ok(())
}

#[workflow]
async fn asks_for_a_change(#[resource] witness: &Witness) -> workflow::Result<bool> {
    let is_new = changed("tax").await;
    step!("count", witness.ok("count", ())).await?;
    Ok(is_new)
}

async fn a_change_of_the_code_is_no_place_to_restart_from(stage: Stage) -> TestResult {
    let engine = stage.builder().only::<asks_for_a_change>().start().await?;
    let instance = asks_for_a_change::create(&engine).await?;
    assert!(instance.result().await?);
    assert_eq!(instance.restart_from("tax").await.expect_err("it is no operation").code(), "no_such_step");
    instance.restart_from("count").await?;
    assert!(instance.result().await?, "the answer is kept");
    assert_eq!((instance.status().await?.run, stage.witness.count("count")), (2, 2));
    Ok(())
}
