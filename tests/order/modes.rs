//! Client and workers as processes of their own.

use std::net::TcpListener;
use std::time::Duration;

use support::StoreKind;

use crate::orders::{self, Order};
use crate::program::Program;
use crate::stage::{DATABASE, Stage};

on_every_store!(
    a_worker_may_start_before_the_client_and_before_the_store_exists,
    a_worker_waits_for_a_store_that_cannot_be_opened_yet,
    a_worker_that_waits_for_its_store_ends_when_told_to,
    a_worker_told_to_end_in_the_middle_hands_its_orders_over,
    a_worker_that_lost_its_lease_goes_on_with_a_new_session,
    a_second_client_stands_by_for_the_first_ones_provider,
    every_mode_accepts_every_flag,
);

/// How long a worker may take to end when it is told to.
const END_LIMIT: Duration = Duration::from_secs(15);

/// An address that is free now.
pub(crate) fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it is bound").to_string()
}

/// Starts a worker of the stage.
pub(crate) fn worker(stage: &Stage, provider: &str, more: &[&str]) -> Program {
    stage.start(&[&["--mode", "worker", "--provider", provider], more].concat())
}

/// Starts a client of the stage.
pub(crate) fn client(stage: &Stage, provider: &str) -> Program {
    stage.start(&["--mode", "client", "--provider", provider])
}

/// Tells a worker to end, which it must do well and in time.
pub(crate) fn end(mut worker: Program) {
    // One that has only just been started does not hear signals yet.
    worker.says(|line| line.starts_with("worker "));
    worker.signal("TERM");
    let ended = worker.finish_within(END_LIMIT).expect("a worker ends within 15 s of SIGTERM");
    assert_eq!(ended.code(), 0, "{}", ended.stderr.join("\n"));
    assert!(ended.stdout.is_empty(), "a worker has no results to print: {:?}", ended.stdout);
}

fn a_worker_may_start_before_the_client_and_before_the_store_exists(store: StoreKind) {
    let (stage, provider) = (Stage::new(store, orders::three()), free_address());
    assert!(!stage.file(DATABASE).exists());
    let worker = worker(&stage, &provider, &[]);
    worker.says(|line| line.starts_with("worker "));
    stage.check_success(client(&stage, &provider).finish());
    stage.check_each_ran_once();
    end(worker);
}

fn a_worker_waits_for_a_store_that_cannot_be_opened_yet(store: StoreKind) {
    let (mut stage, provider) = (Stage::without_store(store, orders::three()), free_address());
    let worker = worker(&stage, &provider, &[]);
    worker.says(|line| line.contains(stage.store()));
    stage.bring_the_store();
    stage.check_success(client(&stage, &provider).finish());
    stage.check_each_ran_once();
    end(worker);
}

fn a_worker_that_waits_for_its_store_ends_when_told_to(store: StoreKind) {
    let stage = Stage::without_store(store, Vec::new());
    let worker = worker(&stage, &free_address(), &[]);
    worker.says(|line| line.contains(stage.store()));
    end(worker);
}

fn a_worker_told_to_end_in_the_middle_hands_its_orders_over(store: StoreKind) {
    let (stage, provider) = (Stage::new(store, orders::three()), free_address());
    let client = client(&stage, &provider);
    let first = worker(&stage, &provider, &["--step-time", "100ms"]);
    first.says(|line| line.contains("fetch user"));
    let second = worker(&stage, &provider, &[]);
    second.says(|line| line.starts_with("worker "));
    end(first);
    stage.check_success(client.finish());
    stage.check_each_ran_once();
    end(second);
}

fn a_worker_that_lost_its_lease_goes_on_with_a_new_session(store: StoreKind) {
    let (stage, provider) = (Stage::new(store, orders::three()), free_address());
    let frozen = worker(&stage, &provider, &["--step-time", "100ms"]);
    let first_client = client(&stage, &provider);
    frozen.says(|line| line.contains("fetch user"));
    frozen.freeze();
    let other = worker(&stage, &provider, &[]);
    stage.check_success(first_client.finish());
    // Its lease is gone: the other worker could finish its orders only because it was.
    frozen.thaw();
    end(other);
    // What it had under way when it froze may have run again; nothing else.
    assert!(stage.check_executions() <= 1);

    // Alone now, it must do new work.
    let more = vec![Order::paid("late-1", &["MUG"])];
    std::fs::write(stage.file("more.json"), orders::to_json(&more)).expect("the folder can be written");
    let second_client = stage.start(&["--mode", "client", "--provider", &provider, "--orders", "more.json"]);
    let ended = second_client.finish().succeeded();
    orders::check_output(&more, &ended.stdout);
    end(frozen);
}

fn a_second_client_stands_by_for_the_first_ones_provider(store: StoreKind) {
    let (stage, provider) = (Stage::new(store, orders::three()), free_address());
    let mut first = client(&stage, &provider);
    first.says(|line| line.starts_with("orders "));
    let second = client(&stage, &provider);
    second.says(|line| line.contains("standing by"));
    first.kill();
    let worker = worker(&stage, &provider, &[]);
    stage.check_success(second.finish());
    stage.check_each_ran_once();
    end(worker);
}

fn every_mode_accepts_every_flag(store: StoreKind) {
    let (stage, provider) = (Stage::new(store, orders::three()), free_address());
    let every = ["--store", stage.store(), "--provider", &provider, "--step-time", "1ms", "--concurrency", "2"];
    // A client executes nothing, so there is nothing for it to crash after.
    let client = stage.start(&[&["--mode", "client", "--crash-after", "fetch user"], &every[..]].concat());
    let worker = stage.start(&[&["--mode", "worker"], &every[..]].concat());
    stage.check_success(client.finish());
    end(worker);
    stage.check_success(stage.run(&[&["--mode", "all"], &every[..]].concat()));
    stage.check_each_ran_once();
}
