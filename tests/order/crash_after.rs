//! `--crash-after`: the process dies right after a step's commit, and the same command without it goes on from there.

use support::StoreKind;

use crate::orders::{self, Order};
use crate::stage::Stage;

on_every_store!(
    after_fetch_user,
    after_create_payment_intent,
    after_cancel_order,
    after_reserve,
    after_confirmation_mail,
    after_shipping_label,
    after_ask_for_review,
    with_many_bodies_under_way_each_still_runs_once,
);

/// The number of SIGABRT.
const ABORTED: i32 = 6;

/// Crashes after `step`, goes on without, and looks at what ran and what came out.
fn crash_and_go_on(store: StoreKind, orders: Vec<Order>, step: &str, more: &[&str]) {
    let undisturbed = Stage::new(store, orders.clone());
    let expected = undisturbed.check_success(undisturbed.run(&[]));

    let stage = Stage::new(store, orders);
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

fn after_fetch_user(store: StoreKind) {
    crash_and_go_on(store, orders::three(), "fetch user", &[]);
}

fn after_create_payment_intent(store: StoreKind) {
    crash_and_go_on(store, orders::three(), "create payment intent", &[]);
}

fn after_cancel_order(store: StoreKind) {
    crash_and_go_on(store, orders::three(), "cancel order", &[]);
}

fn after_reserve(store: StoreKind) {
    crash_and_go_on(store, orders::three(), "reserve", &[]);
}

fn after_confirmation_mail(store: StoreKind) {
    crash_and_go_on(store, orders::three(), "confirmation mail", &[]);
}

fn after_shipping_label(store: StoreKind) {
    crash_and_go_on(store, orders::three(), "shipping label", &[]);
}

fn after_ask_for_review(store: StoreKind) {
    crash_and_go_on(store, orders::three(), "ask for review", &[]);
}

fn with_many_bodies_under_way_each_still_runs_once(store: StoreKind) {
    let orders: Vec<_> = (0..12).map(|n| Order::paid(format!("o{n}"), &["MUG", "TEA"])).collect();
    crash_and_go_on(store, orders, "reserve", &["--concurrency", "6", "--step-time", "20ms"]);
}

#[test]
fn an_unknown_step_is_an_error_that_lists_the_names() {
    let stage = Stage::new(StoreKind::SqliteFile, orders::three());
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
