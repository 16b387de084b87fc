//! Code that was changed under instances that wait: each change that the journal can show parks them, with what both sides
//! have, and they go on once the code is as it was; what changes nothing that is recorded stops nobody.
//!
//! A table of pairs: the code that begins an instance, and the code that another release has in its place. All instances
//! of a table are in one store at once, as those of a deploy are.

use support::prelude::*;
use workflow::__private::{Definition, Registration};
use workflow::{Definitions, Untyped};

on_every_store!(each_change_parks_with_both_sides_and_goes_on_after_the_rollback, what_changes_no_record_stops_nobody);

/// Makes the workflows of a table in two modules, one for each release; each waits once it has done what is compared.
macro_rules! releases {
    ($old:ident, $new:ident, $table:ident; $($name:ident($w:ident) $before:tt => $after:tt $both:tt)+) => {
        mod $old {
            use super::*;
            $(release!($name($w) $before);)+
            pub(super) struct All;
            impl Definitions for All {
                fn registrations() -> Vec<&'static Registration> {
                    vec![$(<$name as Definition>::registration(),)+ <child_a as Definition>::registration(),
                         <child_b as Definition>::registration()]
                }
            }
        }
        mod $new {
            use super::*;
            $(release!($name($w) $after);)+
            pub(super) struct All;
            impl Definitions for All {
                fn registrations() -> Vec<&'static Registration> {
                    vec![$(<$name as Definition>::registration(),)+ <child_a as Definition>::registration(),
                         <child_b as Definition>::registration()]
                }
            }
        }
        /// The name of each, what is recorded and what is asked for instead; and how one is created.
        const $table: &[(&str, (&str, &str))] = &[$((stringify!($name), $both)),+];

        impl $old::All {
            async fn create(engine: &Engine) -> TestResult {
                $($old::$name::create(engine).id(stringify!($name)).await?;)+
                Ok(())
            }
        }
    };
}

macro_rules! release {
    ($name:ident($w:ident) { $($code:tt)* }) => {
        #[workflow]
        pub(super) async fn $name(#[resource] $w: &Witness) -> workflow::Result<u64> {
            $($code)*
            step!("sentinel", $w.ok("sentinel", ())).await?;
            let go = wait_for::<Go>("go").await;
            Ok(step!("the end", $w.ok("the end", go.number)).await?)
        }
    };
}

#[workflow]
async fn child_a(number: u64) -> u64 {
    number
}

#[workflow]
async fn child_b(number: u64) -> u64 {
    number
}

#[part]
async fn packs(w: &Witness) -> workflow::Result<u64> {
    Ok(step!("a", w.ok("a", 1)).await?)
}

#[part]
async fn wraps(w: &Witness) -> workflow::Result<u64> {
    Ok(step!("a", w.ok("a", 1)).await?)
}

/// What a condition of the code is, that another release turns round.
const HERE: bool = true;

releases! { original, mutant, MUTANTS;
    renamed(w) { step!("a", w.ok("a", ())).await?; } => { step!("b", w.ok("b", ())).await?; } ("step \"a\"", "step \"b\"")
    removed(w) { step!("a", w.ok("a", ())).await?; step!("b", w.ok("b", ())).await?; }
        => { step!("a", w.ok("a", ())).await?; } ("step \"b\"", "step \"sentinel\"")
    removed_first(w) { step!("a", w.ok("a", ())).await?; step!("b", w.ok("b", ())).await?; }
        => { step!("b", w.ok("b", ())).await?; } ("step \"a\"", "step \"b\"")
    added(w) { step!("a", w.ok("a", ())).await?; }
        => { step!("b", w.ok("b", ())).await?; step!("a", w.ok("a", ())).await?; } ("step \"a\"", "step \"b\"")
    added_after(w) { step!("a", w.ok("a", ())).await?; }
        => { step!("a", w.ok("a", ())).await?; step!("b", w.ok("b", ())).await?; } ("step \"sentinel\"", "step \"b\"")
    swapped(w) { step!("a", w.ok("a", ())).await?; step!("b", w.ok("b", ())).await?; }
        => { step!("b", w.ok("b", ())).await?; step!("a", w.ok("a", ())).await?; } ("step \"a\"", "step \"b\"")
    into_a_group(w) { step!("a", w.ok("a", ())).await?; }
        => { group!("g", { step!("a", w.ok("a", ())).await?; Ok(()) }).await?; } ("step \"a\"", "group \"g\"")
    out_of_a_group(w) { group!("g", { step!("a", w.ok("a", ())).await?; Ok(()) }).await?; }
        => { step!("a", w.ok("a", ())).await?; } ("group \"g\"", "step \"a\"")
    group_renamed(w) { group!("g", { step!("a", w.ok("a", ())).await?; Ok(()) }).await?; }
        => { group!("h", { step!("a", w.ok("a", ())).await?; Ok(()) }).await?; } ("group \"g\"", "group \"h\"")
    groups_swapped(w) {
        group!("g", { step!("a", w.ok("a", ())).await?; Ok(()) }).await?;
        group!("h", { step!("a", w.ok("a", ())).await?; Ok(()) }).await?;
    } => {
        group!("h", { step!("a", w.ok("a", ())).await?; Ok(()) }).await?;
        group!("g", { step!("a", w.ok("a", ())).await?; Ok(()) }).await?;
    } ("group \"g\"", "group \"h\"")
    group_removed(w) { group!("g", { step!("a", w.ok("a", ())).await?; Ok(()) }).await?; } => {}
        ("group \"g\"", "step \"sentinel\"")
    flattened(w) { group!("g", { group!("h", { step!("a", w.ok("a", ())).await?; Ok(()) }).await?; sleep(2s).await; Ok(()) }).await?; }
        => { step!("a", w.ok("a", ())).await?; group!("g", { sleep(2s).await; Ok(()) }).await?; }
        ("group \"g\" › group \"h\"", "step \"a\"")
    step_to_group(w) { step!("a", w.ok("a", ())).await?; } => { group!("a", { step!("b", w.ok("b", ())).await?; Ok(()) }).await?; }
        ("step \"a\"", "group \"a\"")
    group_to_step(w) { group!("a", { step!("b", w.ok("b", ())).await?; Ok(()) }).await?; } => { step!("a", w.ok("a", ())).await?; }
        ("group \"a\"", "step \"a\"")
    other_key(w) { step!("a", key = 1, w.ok("a", ())).await?; } => { step!("a", key = 2, w.ok("a", ())).await?; } ("[1]", "[2]")
    key_added(w) { step!("a", w.ok("a", ())).await?; } => { step!("a", key = 2, w.ok("a", ())).await?; } ("step \"a\"", "[2]")
    key_removed(w) { step!("a", key = 1, w.ok("a", ())).await?; } => { step!("a", w.ok("a", ())).await?; } ("[1]", "step \"a\"")
    step_to_sleep(w) { step!("a", w.ok("a", ())).await?; } => { sleep(2s).await; } ("step \"a\"", "sleep")
    sleep_to_step(w) { sleep(2ms).await; } => { step!("a", w.ok("a", ())).await?; } ("sleep", "step \"a\"")
    sleep_to_wait(w) { sleep(2ms).await; } => { let _ = wait_for::<Go>("early").timeout(2ms).await; } ("sleep", "wait \"early\"")
    wait_to_sleep(w) { let _ = wait_for::<Go>("early").timeout(2ms).await; } => { sleep(2ms).await; } ("wait \"early\"", "sleep")
    sleep_removed(w) { sleep(2ms).await; } => {} ("sleep", "step \"sentinel\"")
    sleep_added(w) {} => { sleep(2ms).await; } ("step \"sentinel\"", "sleep")
    wait_renamed(w) { let _ = wait_for::<Go>("early").timeout(2ms).await; } => { let _ = wait_for::<Go>("soon").timeout(2ms).await; }
        ("wait \"early\"", "wait \"soon\"")
    wait_added(w) {} => { let _ = wait_for::<Go>("early").timeout(2ms).await; } ("step \"sentinel\"", "wait \"early\"")
    other_channel(w) { let _ = wait_for::<Go>("early").key("a").timeout(2ms).await; }
        => { let _ = wait_for::<Go>("early").key("b").timeout(2ms).await; } ("[a]", "[b]")
    no_deadline(w) { let _ = wait_for::<Go>("early").timeout(2ms).await; } => { wait_for::<Go>("early").await; }
        ("timer of wait \"early\"", "wait \"early\"")
    no_time_limit(w) { group!("g", timeout = 1h, { step!("a", w.ok("a", ())).await?; sleep(2ms).await; Ok(()) }).await?; }
        => { group!("h", { step!("a", w.ok("a", ())).await?; sleep(2ms).await; Ok(()) }).await?; } ("group \"g\"", "group \"h\"")
    other_child(w) { child_a(1).await.ok(); } => { child_b(1).await.ok(); } ("child \"child_a\"", "child \"child_b\"")
    child_to_step(w) { child_a(1).await.ok(); } => { step!("a", w.ok("a", ())).await?; } ("child \"child_a\"", "step \"a\"")
    step_to_child(w) { step!("a", w.ok("a", ())).await?; } => { child_a(1).await.ok(); } ("step \"a\"", "child \"child_a\"")
    child_added(w) {} => { child_a(1).await.ok(); } ("step \"sentinel\"", "child \"child_a\"")
    fewer_laps(w) { for lap in 0..3 { step!("a", key = lap, w.ok("a", ())).await?; } }
        => { for lap in 0..2 { step!("a", key = lap, w.ok("a", ())).await?; } } ("[2]", "step \"sentinel\"")
    more_laps(w) { for lap in 0..2 { step!("a", key = lap, w.ok("a", ())).await?; } }
        => { for lap in 0..3 { step!("a", key = lap, w.ok("a", ())).await?; } } ("step \"sentinel\"", "[2]")
    laps_backwards(w) { for lap in 0..3 { step!("a", key = lap, w.ok("a", ())).await?; } }
        => { for lap in (0..3).rev() { step!("a", key = lap, w.ok("a", ())).await?; } } ("[0]", "[2]")
    fewer_unkeyed_laps(w) { let mut lap = 0; while lap < 3 { step!("a", w.ok("a", ())).await?; lap += 1; } }
        => { let mut lap = 0; while lap < 2 { step!("a", w.ok("a", ())).await?; lap += 1; } } ("step \"a\" #3", "step \"sentinel\"")
    other_branch(w) { if HERE { step!("a", w.ok("a", ())).await?; } else { step!("b", w.ok("b", ())).await?; } }
        => { if !HERE { step!("a", w.ok("a", ())).await?; } else { step!("b", w.ok("b", ())).await?; } }
        ("step \"a\"", "step \"b\"")
    other_condition(w) { if step!("n", w.ok("n", 3)).await? > 2 { step!("a", w.ok("a", ())).await?; } }
        => { if step!("n", w.ok("n", 3)).await? > 5 { step!("a", w.ok("a", ())).await?; } } ("step \"a\"", "step \"sentinel\"")
    guard_removed(w) { if changed("x").await { step!("a", w.ok("a", ())).await?; } else { step!("b", w.ok("b", ())).await?; } }
        => { step!("b", w.ok("b", ())).await?; } ("step \"a\"", "step \"b\"")
    guard_renamed(w) { if changed("x").await { step!("a", w.ok("a", ())).await?; } else { step!("b", w.ok("b", ())).await?; } }
        => { if changed("y").await { step!("a", w.ok("a", ())).await?; } else { step!("b", w.ok("b", ())).await?; } }
        ("step \"a\"", "step \"b\"")
    part_renamed(w) { packs(w).await?; } => { wraps(w).await?; } ("part \"packs\"", "part \"wraps\"")
    part_dissolved(w) { packs(w).await?; } => { step!("a", w.ok("a", ())).await?; } ("part \"packs\"", "step \"a\"")
    into_a_part(w) { step!("a", w.ok("a", ())).await?; } => { packs(w).await?; } ("step \"a\"", "part \"packs\"")
    join_to_sequence(w) { let (b, a) = join!(step!("b", w.ok("b", ())), step!("a", w.ok("a", ()))).await; b?; a?; }
        => { step!("a", w.ok("a", ())).await?; step!("b", w.ok("b", ())).await?; } ("step \"b\"", "step \"a\"")
    branch_removed(w) { let (a, b) = join!(step!("a", w.ok("a", ())), step!("b", w.ok("b", ()))).await; a?; b?; }
        => { step!("b", w.ok("b", ())).await?; } ("step \"a\"", "step \"b\"")
    other_keys_of_branches(w) { try_join_all((0..3).map(|n| step!("a", key = n, w.ok("a", ())))).await?; }
        => { try_join_all((1..4).map(|n| step!("a", key = n, w.ok("a", ())))).await?; } ("[0]", "[1]")
    time_limit_removed(w) { timeout(2ms, step!("a", w.held_until_dropped("a"))).await.ok(); } => { step!("b", w.ok("b", ())).await?; }
        ("timeout", "step \"b\"")
    race_removed(w) { race! { () = sleep(2ms) => {}, a = step!("a", w.held_until_dropped("a")) => a? }.await; }
        => { step!("a", w.ok("a", ())).await?; } ("sleep", "step \"a\"")
    ends_at_once(w) { step!("a", w.ok("a", ())).await?; } => { if HERE { return Ok(0); } } ("step \"a\"", "")
}

releases! { before, later, HARMLESS;
    more_retries(w) { step!("a", w.ok("a", ())).await?; }
        => { step!("a", retries = 5, delay = 1s, timeout = 9s, w.ok("a", ())).await?; } ("", "")
    fewer_retries(w) { step!("a", retries = 2, delay = 1ms, w.flaky("retried", 1, ())).await?; }
        => { step!("a", w.ok("a", ())).await?; } ("", "")
    other_body(w) { step!("a", w.ok("a", ())).await?; } => { step!("a", { w.ok("never", ()).await?; Ok(()) }).await?; } ("", "")
    other_duration(w) { sleep(2ms).await; } => { sleep(3h).await; } ("", "")
    other_deadline(w) { let _ = wait_for::<Go>("early").timeout(2ms).await; }
        => { let _ = wait_for::<Go>("early").timeout(3h).await; } ("", "")
    group_retried(w) { group!("g", { step!("a", w.ok("a", ())).await?; Ok(()) }).await?; }
        => { group!("g", retries = 3, delay = 1s, { step!("a", w.ok("a", ())).await?; Ok(()) }).await?; } ("", "")
    inside_of_a_finished_group(w) { group!("g", { step!("a", w.ok("a", ())).await?; Ok(()) }).await?; }
        => { group!("g", { step!("b", w.ok("b", ())).await?; Ok(()) }).await?; } ("", "")
    time_limit_added(w) { step!("a", w.ok("a", ())).await?; }
        => { if let Ok(done) = timeout(1h, step!("a", w.ok("a", ()))).await { done?; } } ("", "")
    sequence_to_join(w) { step!("a", w.ok("a", ())).await?; step!("b", w.ok("b", ())).await?; }
        => { let (a, b) = join!(step!("a", w.ok("a", ())), step!("b", w.ok("b", ()))).await; a?; b?; } ("", "")
    guard_added(w) { step!("a", w.ok("a", ())).await?; }
        => { if changed("new").await { step!("b", w.ok("b", ())).await?; } else { step!("a", w.ok("a", ())).await?; } } ("", "")
    another_loop(w) { for lap in 0..3 { step!("a", key = lap, w.ok("a", ())).await?; } }
        => { let mut lap = 0; while lap < 3 { step!("a", key = lap, w.ok("a", ())).await?; lap += 1; } } ("", "")
    other_input_of_a_child(w) { child_a(1).await.ok(); } => { child_a(2).await.ok(); } ("", "")
    a_line_for_the_log(w) { step!("a", w.ok("a", ())).await?; }
        => { log!("so far"); step!("a", w.ok("a", ())).await?; } ("", "")
}

/// Creates the instances of a table, and stops the worker once each waits for its event.
async fn begin<D: Definitions>(
    stage: &Stage,
    table: &[(&str, (&str, &str))],
    create: impl AsyncFn(&Engine) -> TestResult,
) -> TestResult {
    let engine = stage.builder().only::<D>().start().await?;
    create(&engine).await?;
    stage.witness.ran("sentinel", table.len()).await;
    wait::states(&all(&engine, table).await?, State::Waiting).await;
    stage.stop(engine).await;
    Ok(())
}

async fn all(engine: &Engine, table: &[(&str, (&str, &str))]) -> Result<Vec<Handle<Untyped>>, EngineError> {
    let mut instances = Vec::new();
    for (name, _) in table {
        instances.push(engine.instance(*name).await?);
    }
    Ok(instances)
}

async fn each_change_parks_with_both_sides_and_goes_on_after_the_rollback(stage: Stage) -> TestResult {
    assert!(MUTANTS.len() >= 40);
    begin::<original::All>(&stage, MUTANTS, original::All::create).await?;
    let before = stage.witness.notes();
    let engine = stage.builder().only::<mutant::All>().start().await?;
    let instances = all(&engine, MUTANTS).await?;
    for instance in &instances {
        instance.send(Go { number: 7 }).await?;
    }
    for (instance, (name, (recorded, asked))) in instances.iter().zip(MUTANTS) {
        let paused = wait::state(instance, State::Paused).await.paused.expect("a paused instance says why");
        let PauseReason::Divergence(divergence) = paused.reason else { panic!("{name}: {:?}", paused.reason) };
        let side = divergence.recorded.as_ref().unwrap_or_else(|| panic!("{name}: {divergence}"));
        assert!(side.operation.contains(recorded), "{name}: {recorded:?} is not what is recorded: {divergence}");
        assert!(divergence.message.contains(recorded), "{name}: {divergence}");
        if asked.is_empty() {
            assert!(divergence.asked.is_empty(), "{name}: {divergence}");
            continue;
        }
        let side = divergence.asked.iter().find(|side| side.operation.contains(asked));
        let side = side.unwrap_or_else(|| panic!("{name}: {asked:?} is not among what is asked for: {divergence}"));
        assert!(side.source.as_deref().is_some_and(|source| source.contains("mutants.rs:")), "{name}: {divergence}");
    }
    stage.stop(engine).await;
    assert_eq!(stage.witness.notes(), before, "no body ran on the changed code");

    let engine = stage.builder().only::<original::All>().start().await?;
    let instances = all(&engine, MUTANTS).await?;
    for instance in &instances {
        instance.resume().await?;
    }
    wait::states(&instances, State::Complete).await;
    assert_eq!(stage.witness.notes().len(), before.len() + MUTANTS.len(), "what was done is not done again");
    assert_eq!(stage.witness.count("the end"), MUTANTS.len());
    Ok(())
}

async fn what_changes_no_record_stops_nobody(stage: Stage) -> TestResult {
    begin::<before::All>(&stage, HARMLESS, before::All::create).await?;
    let before = stage.witness.notes().len();
    let engine = stage.builder().only::<later::All>().start().await?;
    let instances = all(&engine, HARMLESS).await?;
    for instance in &instances {
        instance.send(Go { number: 7 }).await?;
    }
    wait::states(&instances, State::Complete).await;
    assert_eq!(stage.witness.notes().len(), before + HARMLESS.len(), "what was done is not done again");
    Ok(())
}
