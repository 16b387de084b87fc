//! Whatever the replay does otherwise is found, and said with both traces.

use std::future::{pending, poll_fn};
use std::task::Poll;
use std::time::Duration;

use super::{AT, Stage, caught, compare, marked, never};
use crate::authoring::child::child;
use crate::authoring::durable::Durable;
use crate::authoring::join::{join, join_all};
use crate::authoring::race::race;
use crate::authoring::sleep::sleep;
use crate::authoring::step::step_with_context as step;
use crate::authoring::wait::wait_for_type;
use crate::definition::{Definition, EncodedInputs, Registration, input};
use crate::journal::divergence::Traces;

#[test]
fn another_name_is_found() {
    let (message, traces) = caught(|play| {
        Box::pin(async move {
            play.go(play.step("fetch user")).await;
            let name = if play.is_run() { "charge" } else { "charge card" };
            Ok(play.go(play.step(name)).await.into())
        })
    });
    assert!(message.contains("the journal has the end of step \"charge\""), "{message}");
    assert!(marked(&traces.run).starts_with("2. step \"charge\" complete (cheat.rs:1:1)"), "{traces}");
    assert!(marked(&traces.replay).starts_with("2. step \"charge card\" not ended"), "{traces}");
    assert_eq!(traces.run[0], "  1. step \"fetch user\" complete (cheat.rs:1:1)");
    assert_eq!(traces.run[2], "  an output of 1 bytes");
    assert_eq!(traces.replay[2], "  it does not go along with the journal");
}

#[test]
fn another_order_is_found_although_every_record_finds_its_operation() {
    let (message, traces) = caught(|play| {
        Box::pin(async move {
            let names = if play.is_run() { ["a", "b"] } else { ["b", "a"] };
            play.go(join_all(names.map(|name| play.step(name)))).await;
            Ok(0.into())
        })
    });
    assert!(message.contains("operation 1 is step \"b\" where the run had step \"a\""), "{message}");
    assert!(marked(&traces.run).starts_with("1. step \"a\""), "{traces}");
    assert!(marked(&traces.replay).starts_with("1. step \"b\""), "{traces}");
}

#[test]
fn another_key_is_found() {
    let (message, traces) = caught(|play| {
        Box::pin(async move {
            let key = if play.is_run() { "sku-1" } else { "sku-2" };
            // Its record is dropped with the race, so that only the trace can tell.
            play.go(race((play.step("first"), never_keyed("reserve", key)))).await;
            Ok(0.into())
        })
    });
    assert!(message.contains("operation 2 is step \"reserve\" [sku-2] where the run had step \"reserve\" [sku-1]"));
    assert!(marked(&traces.replay).contains("[sku-2]"), "{traces}");
}

fn never_keyed(name: &'static str, key: &str) -> impl Durable<Output = Result<u32, crate::error::StepError>> {
    step(name, AT, |_| pending::<Result<u32, String>>()).key(key)
}

#[test]
fn an_operation_that_the_replay_does_not_ask_for_is_found() {
    let (message, traces) = caught(|play| {
        Box::pin(async move {
            if play.is_run() {
                play.go(race((play.step("a"), never("b")))).await;
            } else {
                play.go(play.step("a")).await;
            }
            Ok(0.into())
        })
    });
    assert!(message.contains("it does not ask for operation 2, step \"b\""), "{message}");
    assert!(marked(&traces.run).starts_with("2. step \"b\" not ended"), "{traces}");
    assert_eq!(marked(&traces.replay), "an output of 1 bytes");
}

#[test]
fn a_recorded_operation_that_the_replay_does_not_ask_for_is_found() {
    let (message, _) = caught(|play| {
        Box::pin(async move {
            if play.is_run() {
                play.go(play.step("a")).await;
            }
            Ok(0.into())
        })
    });
    assert!(message.contains("the journal has the end of step \"a\" next"), "{message}");
}

#[test]
fn one_operation_more_is_found_whether_or_not_it_is_waited_for() {
    let waits = caught(|play| {
        Box::pin(async move {
            play.go(play.step("a")).await;
            if !play.is_run() {
                play.go(play.step("b")).await;
            }
            Ok(0.into())
        })
    });
    let drops = caught(|play| {
        Box::pin(async move {
            if play.is_run() {
                play.go(play.step("a")).await;
            } else {
                play.go(race((play.step("a"), play.step("b")))).await;
            }
            Ok(0.into())
        })
    });
    for (message, traces) in [waits, drops] {
        assert!(message.contains("it asks for one operation more, step \"b\""), "{message}");
        assert!(marked(&traces.replay).starts_with("2. step \"b\""), "{traces}");
    }
}

#[test]
fn a_wait_for_other_events_is_found() {
    let (message, _) = caught(|play| {
        Box::pin(async move {
            let event_type = if play.is_run() { "paid" } else { "refunded" };
            play.go(race((wait_for_type::<u32>("payment", event_type), play.step("a")))).await;
            Ok(0.into())
        })
    });
    assert!(message.contains("operation 1, wait \"payment\", waits for other events than in the run"), "{message}");
}

struct Other;

impl Definition for Other {
    const NAME: &'static str = "other";
    const VERSION: u32 = 1;
    const QUEUE: &'static str = "default";
    const GRAPH: &'static str = "";
    type Output = u32;
    type Error = String;

    fn registration() -> &'static Registration {
        &super::SCRIPTED
    }
}

#[test]
fn a_child_with_other_inputs_is_found() {
    let (message, _) = caught(|play| {
        Box::pin(async move {
            let mut inputs = EncodedInputs::new();
            input("turn").encode(&play.turn, &mut inputs);
            play.go(race((child::<Other>(inputs), play.step("a")))).await;
            Ok(0.into())
        })
    });
    assert!(message.contains("operation 1, child \"other\", is given other inputs than in the run"), "{message}");
}

#[test]
fn another_output_is_found_and_not_shown() {
    let difference = compare(|play| {
        Box::pin(async move {
            play.go(play.step("a")).await;
            Ok(format!("secret {}", "x".repeat(play.turn as usize)).into())
        })
    })
    .expect("it is found out");
    let said = difference.divergence.to_string();
    assert!(
        said.contains("it ends with an output of 10 bytes where the run ended with an output of 9 bytes"),
        "{said}"
    );
    assert!(!said.contains("secret") && !difference.said.contains("secret"), "{said}");
    let traces = difference.divergence.traces.expect("shown");
    assert_eq!(marked(&traces.run), "an output of 9 bytes");
    assert_eq!(marked(&traces.replay), "an output of 10 bytes");
}

#[test]
fn another_order_of_the_output_is_told_as_such() {
    let (message, _) =
        caught(|play| Box::pin(async move { Ok(if play.is_run() { vec![1, 2] } else { vec![2, 1] }.into()) }));
    assert!(message.contains("the same but for the order of its elements"), "{message}");
}

#[test]
fn another_error_and_an_error_for_an_output_are_found() {
    let (message, _) = caught(|play| Box::pin(async move { Err(format!("secret {}", play.turn)) }));
    assert!(message.contains("it ends with an error of shop::Error"), "{message}");
    assert!(!message.contains("secret"), "{message}");
    let (message, traces) =
        caught(|play| Box::pin(async move { if play.is_run() { Ok(1.into()) } else { Err("no".to_owned()) } }));
    assert!(message.contains("an error of shop::Error where the run ended with an output of 1 bytes"), "{message}");
    assert_eq!(marked(&traces.replay), "an error of shop::Error");
}

#[test]
fn an_operation_that_is_dropped_before_its_end_is_found() {
    let (message, traces) = caught(|play| {
        Box::pin(async move {
            let both = (play.step("a"), play.step("b"));
            if play.is_run() {
                play.go(join(both)).await;
            } else {
                play.go(race(both)).await;
            }
            Ok(0.into())
        })
    });
    assert!(message.contains("operation 2, step \"b\", is dropped before its end"), "{message}");
    assert!(marked(&traces.run).contains("complete"), "{traces}");
    assert!(marked(&traces.replay).contains("not ended"), "{traces}");
}

#[test]
fn a_replay_that_never_ends_is_found() {
    let (message, traces) = caught(|play| {
        Box::pin(async move {
            play.go(play.step("a")).await;
            if !play.is_run() {
                pending::<()>().await;
            }
            Ok(0.into())
        })
    });
    assert!(message.contains("it waits where the run had ended"), "{message}");
    assert_eq!(marked(&traces.replay), "it waits, and nothing more is recorded");
}

#[test]
fn something_that_is_not_durable_is_found() {
    let (message, _) = caught(|play| {
        Box::pin(async move {
            let mut woken = play.is_run();
            poll_fn(|task| {
                if std::mem::replace(&mut woken, true) {
                    return Poll::Ready(());
                }
                task.waker().wake_by_ref();
                Poll::Pending
            })
            .await;
            play.go(play.step("a")).await;
            Ok(0.into())
        })
    });
    assert!(message.contains("not durable"), "{message}");
}

#[test]
fn a_panic_is_found_and_its_words_do_not_reach_logs() {
    let difference = compare(|play| {
        Box::pin(async move {
            play.go(play.step("a")).await;
            assert!(play.is_run(), "secret");
            Ok(0.into())
        })
    })
    .expect("it is found out");
    let message = &difference.divergence.message;
    assert!(message.contains("it panics") && message.contains("secret"), "{message}");
    assert!(difference.said.contains("it panics") && !difference.said.contains("secret"), "{}", difference.said);
    assert_eq!(marked(&difference.divergence.traces.expect("shown").replay), "a panic");
}

#[test]
fn of_a_long_trace_what_is_around_the_difference_is_shown() {
    let (_, traces) = caught(|play| {
        Box::pin(async move {
            for lap in 0..60_u32 {
                let key = if lap == 30 { lap * 100 + play.turn } else { lap };
                play.go(play.keyed("lap", &key.to_string())).await?;
            }
            Ok(0.into())
        })
    });
    assert_eq!(traces.run.first().map(String::as_str), Some("  … 18 before"));
    assert!(marked(&traces.run).starts_with("31. step \"lap\" [3000]"), "{traces}");
    assert_eq!(traces.run.len(), 2 * Traces::LINES_AROUND + 3, "{traces}");
    assert!(traces.run.contains(&"  … 18 more".to_owned()), "{traces}");
    assert!(traces.to_string().contains("\nits replay:\n  … 18 before\n"), "{traces}");
}

#[test]
fn a_run_that_a_limit_has_ended_is_not_compared() {
    let stage = Stage::new(|play| {
        Box::pin(async move {
            play.go(play.keyed("long", &"k".repeat(1_000))).await?;
            play.go(sleep(Duration::from_secs(1))).await;
            Ok(0.into())
        })
    });
    assert!(stage.run(Vec::new()).is_none(), "its code did not come to an end");
}
