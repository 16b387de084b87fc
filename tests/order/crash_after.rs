//! `--crash-after`: the process dies right after a step's commit, and the same command without it goes on from there.

use crate::orders::{self, Order};
use crate::stage::Stage;

/// The number of SIGABRT.
const ABORTED: i32 = 6;

/// Crashes after `step`, goes on without, and looks at what ran and what came out.
fn crash_and_go_on(orders: Vec<Order>, step: &str, more: &[&str]) {
    let undisturbed = Stage::new(orders.clone());
    let expected = undisturbed.check_success(undisturbed.run(&[]));

    let stage = Stage::new(orders);
    let crashed = stage.run(&[&["--crash-after", step], more].concat());
    assert_eq!(crashed.signal(), Some(ABORTED), "{}", crashed.stderr.join("\n"));
    let ran_before = stage.executions();
    assert!(ran_before.iter().any(|execution| execution.step == step), "it ran before the crash: {ran_before:?}");

    let rest = stage.run(more);
    let replayed = rest.stderr.iter().any(|line| line.contains("replayed") && line.contains(step));
    assert!(replayed, "the timeline says that {step} was replayed:\n{}", rest.stderr.join("\n"));
    assert_eq!(stage.check_success(rest), expected);
    stage.check_each_ran_once();
}

#[test]
fn after_fetch_user() {
    crash_and_go_on(orders::three(), "fetch user", &[]);
}

#[test]
fn after_create_payment_intent() {
    crash_and_go_on(orders::three(), "create payment intent", &[]);
}

#[test]
fn after_cancel_order() {
    crash_and_go_on(orders::three(), "cancel order", &[]);
}

#[test]
fn after_reserve() {
    crash_and_go_on(orders::three(), "reserve", &[]);
}

#[test]
fn after_confirmation_mail() {
    crash_and_go_on(orders::three(), "confirmation mail", &[]);
}

#[test]
fn after_shipping_label() {
    crash_and_go_on(orders::three(), "shipping label", &[]);
}

#[test]
fn after_ask_for_review() {
    crash_and_go_on(orders::three(), "ask for review", &[]);
}

#[test]
fn with_many_bodies_under_way_each_still_runs_once() {
    let orders: Vec<_> = (0..12).map(|n| Order::paid(format!("o{n}"), &["MUG", "TEA"])).collect();
    crash_and_go_on(orders, "reserve", &["--concurrency", "6", "--step-time", "20ms"]);
}

#[test]
fn an_unknown_step_is_an_error_that_lists_the_names() {
    let stage = Stage::new(orders::three());
    let ended = stage.run(&["--crash-after", "fetch usr"]);
    assert_ne!(ended.code(), 0);
    let said = ended.stderr.join("\n");
    for name in [
        "fetch user",
        "create payment intent",
        "cancel order",
        "reserve",
        "confirmation mail",
        "shipping label",
        "ask for review",
    ] {
        assert!(said.contains(name), "{name} is listed in:\n{said}");
    }
    assert!(ended.stdout.is_empty() && stage.executions().is_empty() && !stage.file("workflow.db").exists());
}
