//! What it prints and does when nothing goes wrong.

use support::StoreKind;

use crate::orders::{self, Order};
use crate::stage::Stage;

on_every_store!(
    each_body_runs_once_and_a_second_run_prints_the_same_and_runs_none,
    a_second_program_on_the_same_orders_attaches_and_prints_the_same,
    many_orders_come_out_in_the_order_they_went_in,
);

#[test]
fn the_shipped_orders_complete_without_any_flag() {
    let stage = Stage::new(StoreKind::SqliteFile, Vec::new());
    let ended = stage.start_plain(&[], None).finish().succeeded();
    let shown: Vec<_> = ended.stdout.iter().map(|line| line.split('\t').collect::<Vec<_>>()).collect();
    assert!(shown.iter().all(|columns| columns.len() == 3 && columns[1] == "complete"), "{shown:?}");
    let is_cancelled = |output: &str| output.contains("payment_timeout");
    assert!(shown.iter().any(|columns| is_cancelled(columns[2])), "one of them is not paid: {shown:?}");
    assert!(shown.iter().any(|columns| !is_cancelled(columns[2])), "the others are: {shown:?}");
    assert!(stage.file("workflow.db").is_file(), "the default store is a file in the current folder");
}

fn each_body_runs_once_and_a_second_run_prints_the_same_and_runs_none(store: StoreKind) {
    let stage = Stage::new(store, orders::three());
    let first = stage.check_success(stage.run(&[]));
    stage.check_each_ran_once();
    let second = stage.run(&[]);
    let timeline = second.stderr.join("\n");
    assert!(timeline.contains("replayed") && !timeline.contains("  ran "), "{timeline}");
    assert_eq!(stage.check_success(second), first);
    stage.check_each_ran_once();
}

#[test]
fn orders_are_read_from_standard_input() {
    let stage = Stage::new(StoreKind::SqliteFile, orders::three());
    let input = orders::to_json(stage.orders());
    let arguments = ["--orders", "-", "--effects", "effects", "--follow-up", "100ms", "--store", "sqlite:elsewhere.db"];
    stage.check_success(stage.start_plain(&arguments, Some(&input)).finish());
    stage.check_each_ran_once();
    assert!(stage.file("elsewhere.db").is_file());
    assert!(!stage.file("workflow.db").exists(), "only the store that was named");
}

fn a_second_program_on_the_same_orders_attaches_and_prints_the_same(store: StoreKind) {
    let stage = Stage::new(store, orders::three());
    let first = stage.start(&["--step-time", "30ms"]);
    first.says(|line| line.starts_with("webhook "));
    let second = stage.start(&["--step-time", "30ms"]);
    let (first, second) = (stage.check_success(first.finish()), stage.check_success(second.finish()));
    assert_eq!(first, second);
    stage.check_each_ran_once();
}

fn many_orders_come_out_in_the_order_they_went_in(store: StoreKind) {
    let order =
        |n| if n % 8 == 3 { Order::unpaid(format!("o{n}")) } else { Order::paid(format!("o{n}"), &["PEN", "PEN"]) };
    let stage = Stage::new(store, (0..40).map(order).collect());
    let ended = stage.run(&["--concurrency", "8"]);
    stage.check_success(ended);
    // The same article twice in an order is reserved twice.
    let reserved = stage.executions().iter().filter(|execution| execution.step == "reserve").count();
    assert_eq!(reserved, 2 * stage.orders().iter().filter(|order| order.pays).count());
}
