//! One world from its beginning to its end, and what became of it.

use std::sync::Arc;
use std::time::Duration;

use support::chance::Chance;
use tokio::task::JoinSet;
use workflow::journal::head::{Head, Place};
use workflow::words::chance::Repeated;

use crate::audit::audit;
use crate::clients::{Kind, Order, attend, let_go, wait};
use crate::sabotage::Sabotage;
use crate::trouble::{lose_beats, trouble};
use crate::world::{World, pause};

/// Once nothing goes wrong any more, something must happen at least so often, in virtual time.
const STILL_AT_MOST: Duration = Duration::from_secs(90);
/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// An instance that waits for events of a run before is sent others.
const STILL_BEFORE_HELP: u32 = 8;

/// What became of a world.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Of everything that happened.
    pub(crate) hash: u64,
    /// The promise that was broken first.
    pub(crate) violation: Option<String>,
    /// What happened last.
    pub(crate) tail: String,
    /// How many commands the store carried out.
    pub(crate) commands: u64,
    /// How many bodies ran again.
    pub(crate) extra_bodies: u64,
}

/// Lives through the world of this seed.
pub(crate) fn run(seed: u64, sabotage: Option<Sabotage>) -> Outcome {
    let _repeated = Repeated::from(seed);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a simulation can have a runtime");
    runtime.block_on(async {
        let world = World::new(Chance::of(seed), sabotage);
        tokio::select! {
            biased;
            () = world.until_violated() => {}
            () = live(&world) => {}
        }
        let (hash, tail, commands) = world.trace(|trace| (trace.hash(), trace.tail(), trace.commands));
        let extra_bodies = world.eyes(|eyes| eyes.extra_bodies());
        for by in 0..world.plan.processes {
            world.set_process(by, None);
        }
        let mut tail = format!("{:?}\n{tail}", world.plan);
        if world.violated().is_some() {
            let heads = world.store.look(|data| {
                data.instances.iter().map(|(id, instance)| format!("{id}: {:?}\n", instance.head)).collect::<String>()
            });
            tail.push_str(&heads);
        }
        Outcome { hash, violation: world.violated(), tail, commands, extra_bodies }
    })
}

async fn live(world: &Arc<World>) {
    let mut troubles = JoinSet::new();
    for by in 0..world.plan.processes {
        troubles.spawn(trouble(world.clone(), by));
    }
    troubles.spawn(lose_beats(world.clone()));
    let orders: Vec<Order> = (0..world.plan.instances).map(|number| Order::draw(world, number)).collect();
    let mut clients = JoinSet::new();
    for order in &orders {
        clients.spawn(attend(world.clone(), order.clone()));
    }
    pause(world.plan.trouble).await;
    world.calm();
    join(world, &mut troubles, "what troubles the processes").await;
    come_to_rest(world, &orders, &mut clients).await;
    if world.violated().is_some() {
        return;
    }
    for order in orders.iter().filter(|order| order.disturbed) {
        for id in order.ids() {
            wait(world.clone(), id, false).await;
        }
    }
    let audited = world.store.look(|data| world.eyes(|eyes| audit(data, eyes, &orders)));
    world.check(audited);
    for by in 0..world.plan.processes {
        if let Some(process) = world.process(by) {
            healthy(world, &process.engine.health(), by);
        }
    }
}

async fn join(world: &World, tasks: &mut JoinSet<()>, what: &str) {
    while let Some(ended) = tasks.join_next().await {
        if let Err(panic) = ended {
            world.violation(format!("{what}: {panic}"));
        }
    }
}

fn healthy(world: &World, health: &workflow::Health, by: usize) {
    let panicked = |error: &String| error.contains("panic");
    let panic = health.loops.iter().filter_map(|looping| looping.last_error.clone()).find(panicked);
    let worker = health.worker.as_ref();
    let counts = worker.map_or(0, |worker| worker.data_losses + worker.drive_panics + worker.replay_differences);
    if panic.is_some() || counts > 0 {
        world.violation(format!("process {by} is not well: {panic:?}, {health:?}"));
    }
}

/// Waits until everything has ended; what somebody paused is resumed.
async fn come_to_rest(world: &Arc<World>, orders: &[Order], clients: &mut JoinSet<()>) {
    let mut before = None;
    let mut still = 0;
    let mut helped = 0;
    loop {
        while let Some(ended) = clients.try_join_next() {
            if let Err(panic) = ended {
                return world.violation(format!("a client panicked: {panic}"));
            }
        }
        let (left, progress) = look(world);
        if left.is_empty() && clients.is_empty() && is_tidy(world) {
            return;
        }
        still = if before == Some(progress) { still + 1 } else { 0 };
        before = Some(progress);
        if LOOK_EVERY * still > STILL_AT_MOST {
            return world.violation(format!(
                "nothing goes on, {} clients wait, and these have not ended: {left:#?}",
                clients.len()
            ));
        }
        for (id, head) in &left {
            let paused = matches!(head.place, Place::Paused { .. });
            let starved = still > STILL_BEFORE_HELP && orders.iter().any(|order| is_starved(order, id));
            if paused || starved {
                helped += 1;
                let_go(world, id.clone(), paused, 1_000_000 + helped).await;
            }
        }
        pause(LOOK_EVERY).await;
    }
}

/// Whether it may wait for events that came in a run before.
fn is_starved(order: &Order, id: &str) -> bool {
    order.disturbed && order.id == id && matches!(order.kind, Kind::Gathers { .. })
}

/// What has not ended, and how far everything is.
fn look(world: &World) -> (Vec<(String, Head)>, (u64, usize, u64)) {
    world.store.look(|data| {
        let mut progress = (0, 0, 0);
        let mut left = Vec::new();
        for (id, instance) in &data.instances {
            progress.0 += u64::from(instance.head.run);
            progress.2 += instance.journals.values().map(|records| records.len() as u64).sum::<u64>();
            if matches!(instance.head.place, Place::Done { .. }) {
                progress.1 += 1;
            } else {
                left.push((id.to_string(), instance.head.clone()));
            }
        }
        (left, progress)
    })
}

/// Whether nothing is left of what is over: commands for others, sessions of processes that are gone.
fn is_tidy(world: &World) -> bool {
    world.store.look(|data| {
        data.instances.values().all(|instance| instance.outbox.is_empty())
            && data.sessions.len() == world.plan.processes
            && data.sessions.values().all(|session| session.alive())
    })
}
