//! `kill -9` at random moments: nothing is lost, and no more is repeated than there were kills.

use support::StoreKind;
use support::chance::Chance;

use crate::modes::{client, end, free_address, worker};
use crate::orders::Order;
use crate::program::Program;
use crate::stage::Stage;

on_every_store!(
    of_one_process,
    of_one_of_three_workers,
    of_the_client_which_forgets_every_payment,
    of_worker_after_worker_in_the_same_step,
);

/// Long enough for the orders to take some seconds in one process, so that there is something to kill.
const STEP_TIME: [&str; 2] = ["--step-time", "50ms"];

fn eight_orders() -> Vec<Order> {
    (0..8)
        .map(|n| if n == 5 { Order::unpaid("k5") } else { Order::paid(format!("k{n}"), &["MUG", "TEA", "PEN"]) })
        .collect()
}

fn of_one_process(store: StoreKind) {
    let (stage, mut chance) = (Stage::new(store, eight_orders()), Chance::new("of_one_process"));
    let mut kills = 0;
    let ended = loop {
        let mut program = stage.start(&STEP_TIME);
        // Up to long enough to get on, although a start first waits for the lease of the one before.
        if kills == 8 || program.ends_within(chance.millis(0..2_500)).is_some() {
            break program.finish();
        }
        program.kill();
        kills += 1;
    };
    stage.check_success(ended);
    let extra = stage.check_executions();
    assert!(kills > 0, "nothing was killed");
    assert!(extra <= kills, "{extra} executions too many after {kills} kills");
}

fn of_one_of_three_workers(store: StoreKind) {
    let (stage, provider, mut chance) =
        (Stage::new(store, eight_orders()), free_address(), Chance::new("of_one_of_three_workers"));
    let start = || worker(&stage, &provider, &STEP_TIME);
    let mut workers: Vec<Program> = (0..3).map(|_| start()).collect();
    let mut client = client(&stage, &provider);
    let mut kills = 0;
    while kills < 6 && client.ends_within(chance.millis(0..800)).is_none() {
        let victim = &mut workers[chance.index(3)];
        victim.kill();
        *victim = start();
        kills += 1;
    }
    stage.check_success(client.finish());
    let extra = stage.check_executions();
    assert!(extra <= kills, "{extra} executions too many after {kills} kills");
    workers.into_iter().for_each(end);
}

fn of_the_client_which_forgets_every_payment(store: StoreKind) {
    let (stage, provider, mut chance) =
        (Stage::new(store, eight_orders()), free_address(), Chance::new("of_the_client"));
    let worker = worker(&stage, &provider, &STEP_TIME);
    for _ in 0..5 {
        let mut client = client(&stage, &provider);
        if client.ends_within(chance.millis(0..700)).is_none() {
            client.kill();
        }
    }
    stage.check_success(client(&stage, &provider).finish());
    // Nobody who runs step bodies was killed.
    stage.check_each_ran_once();
    end(worker);
}

fn of_worker_after_worker_in_the_same_step(store: StoreKind) {
    let (stage, provider) = (Stage::new(store, vec![Order::paid("stubborn-1", &["MUG"])]), free_address());
    let client = client(&stage, &provider);
    let kills = 5;
    for _ in 0..kills {
        let mut victim = worker(&stage, &provider, &["--step-time", "60s"]);
        victim.says(|line| line.contains("fetch user"));
        victim.kill();
    }
    let worker = worker(&stage, &provider, &[]);
    let ended = client.finish();
    let released = ended.stderr.iter().any(|line| line.contains("released from quarantine"));
    assert!(released, "such an order is set aside, but must not stay there:\n{}", ended.stderr.join("\n"));
    stage.check_success(ended);
    assert_eq!(stage.check_executions(), kills, "each kill interrupted a body");
    end(worker);
}
