//! What goes wrong with a process: crashes, freezes, cuts, jumps of the clock, restarts.

use std::sync::Arc;
use std::time::Duration;

use workflow::engine::Life;

use crate::process::Process;
use crate::world::{World, pause};

/// Runs one process and troubles it until the trouble is over; then it runs.
pub(crate) async fn trouble(world: Arc<World>, by: usize) {
    Process::start(&world, by).await;
    let Some((from, to)) = world.plan.between else { return };
    loop {
        pause(world.draw_ms(from, to)).await;
        if !world.is_troubled() {
            return;
        }
        let kind = world.plan.kinds[world.draw(world.plan.kinds.len())];
        let Some(process) = world.process(by) else {
            return world.violation(format!("process {by} is gone by itself"));
        };
        happens(&world, process, kind).await;
    }
}

async fn happens(world: &Arc<World>, process: Arc<Process>, kind: u64) {
    let by = process.by;
    match kind {
        0 => {
            process.crash(world);
            drop(process);
            pause(world.draw_of_lease(0, 250)).await;
            Process::start(world, by).await;
        }
        1 => freeze(world, &process, true, true).await,
        // Its executor is blocked; the heart beats on its own thread.
        2 => freeze(world, &process, true, false).await,
        3 => freeze(world, &process, false, true).await,
        4 => {
            let how_long = world.draw_of_lease(5, 250);
            world.say(format!("process {by} is cut off for {how_long:?}"));
            process.wire.cut(how_long);
        }
        5 => {
            let how_long = world.draw_of_lease(5, 150);
            world.say(format!("the store is down for {how_long:?}"));
            world.take_down(how_long);
        }
        6 => {
            let by = world.draw_ms(1, 40_000);
            world.say(format!("the store's clock jumps by {by:?}"));
            world.jump(by);
        }
        _ => {
            let grace = world.draw_ms(0, 3_000);
            world.say(format!("process {by} is restarted, with a grace of {grace:?}"));
            let engine = process.engine.clone();
            // It may have been over before it could say how that went.
            let _ = process.run(world, async move { engine.shutdown(grace).await }).await;
            process.crash(world);
            drop(process);
            pause(world.draw_ms(0, 1_000)).await;
            Process::start(world, by).await;
        }
    }
}

async fn freeze(world: &World, process: &Process, tasks: bool, heart: bool) {
    let how_long = world.draw_of_lease(20, 300);
    world.say(format!("process {} stands still for {how_long:?}: tasks {tasks}, heart {heart}", process.by));
    if tasks {
        process.valve.set(Life::Stands);
    }
    if heart {
        process.heart.set(Life::Stands);
    }
    pause(how_long).await;
    world.say(format!("process {} goes on", process.by));
    process.valve.set(Life::Goes);
    process.heart.set(Life::Goes);
}

/// Hearts whose beats are lost for a while.
pub(crate) async fn lose_beats(world: Arc<World>) {
    while world.is_troubled() && world.plan.wire.beat > 0 {
        pause(world.draw_ms(1_000, 10_000)).await;
        let process = world.some_process().await;
        process.wire.cut_heart(true);
        pause(world.draw_of_lease(20, 200)).await;
        process.wire.cut_heart(false);
        pause(Duration::from_millis(1)).await;
    }
}
