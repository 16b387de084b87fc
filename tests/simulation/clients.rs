//! Clients: each makes an instance, sends to it, meddles with it, and waits for its result, from any process.

use std::sync::Arc;
use std::time::Duration;

use workflow::store::StoreError;
use workflow::{EngineError, ResultError, prelude::*};

use crate::flows::{Course, Go, gathers, limited, mails, raises, small, tours};
use crate::world::{World, pause};

/// What is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) id: String,
    pub(crate) kind: Kind,
    /// Whether it is terminated and restarted; any may be paused.
    pub(crate) disturbed: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Tours(Course),
    /// From so many senders, so many each.
    Gathers {
        senders: u64,
        each: u64,
    },
    Raises {
        children: u64,
        nap_ms: u64,
    },
    /// So many, in one call.
    Limited {
        instances: u64,
        nap_ms: u64,
    },
    Mails,
    /// An id that is used so often, each time after what had it before was deleted.
    Brief {
        lives: u64,
    },
}

/// What a caller was told of an instance.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Told {
    Value(serde_json::Value),
    Failed,
    Terminated,
}

impl Order {
    /// The order of this number.
    pub(crate) fn draw(world: &World, number: u64) -> Self {
        let kind = match world.draw(7) {
            0 | 1 => Kind::Tours(Course {
                failures: u32::try_from(world.draw(4)).expect("small"),
                nap_ms: world.draw(2_000) as u64,
                race_ms: world.draw(200) as u64,
                limit_ms: 1 + world.draw(4_000) as u64,
            }),
            2 => Kind::Gathers { senders: 1 + world.draw(3) as u64, each: 1 + world.draw(5) as u64 },
            3 => Kind::Raises { children: world.draw(4) as u64, nap_ms: world.draw(1_000) as u64 },
            4 => Kind::Limited { instances: 1 + world.draw(4) as u64, nap_ms: world.draw(1_000) as u64 },
            5 => Kind::Brief { lives: 1 + world.draw(4) as u64 },
            _ => Kind::Mails,
        };
        let disturbed = world.plan.operators && world.draw(2) == 0;
        Self { id: format!("i{number}"), kind, disturbed }
    }

    /// The instances that it makes and that are kept.
    pub(crate) fn ids(&self) -> Vec<String> {
        match self.kind {
            // In the end there is none.
            Kind::Brief { .. } => Vec::new(),
            Kind::Limited { instances, .. } => (0..instances).map(|number| format!("{}-{number}", self.id)).collect(),
            _ => vec![self.id.clone()],
        }
    }
}

/// Asks, from one process and the next, until the outcome is known.
async fn ask<T, F>(world: &Arc<World>, call: impl Fn(Engine) -> F) -> Result<T, EngineError>
where
    T: Send + 'static,
    F: Future<Output = Result<T, EngineError>> + Send + 'static,
{
    loop {
        let process = world.some_process().await;
        match process.run(world, call(process.engine.clone())).await {
            // What a process that ended would have said nobody knows.
            None | Some(Err(EngineError::NoAnswer { .. } | EngineError::Store(StoreError::Unavailable { .. }))) => {}
            Some(outcome) => return outcome,
        }
        drop(process);
        pause(world.draw_ms(1, 300)).await;
    }
}

/// Makes an order, and everything that goes with it.
pub(crate) async fn attend(world: Arc<World>, order: Order) {
    // Some come when things have gone wrong for long.
    let latest = u64::try_from(world.plan.trouble.as_millis()).expect("worlds are short");
    pause(world.draw_ms(0, latest)).await;
    if let Kind::Brief { lives } = order.kind {
        return live(world, order.id, lives).await;
    }
    if let Err(error) = create(&world, &order).await {
        return world.violation(format!("{}: it could not be created: {error}", order.id));
    }
    world.say(format!("{} is created: {:?}", order.id, order.kind));
    let mut tasks = tokio::task::JoinSet::new();
    match order.kind {
        Kind::Gathers { senders, each } => {
            for sender in 0..senders {
                tasks.spawn(send(world.clone(), order.clone(), sender, each));
            }
        }
        Kind::Tours(_) if world.draw(2) == 0 => drop(tasks.spawn(send(world.clone(), order.clone(), 0, 1))),
        _ => {}
    }
    if world.plan.operators {
        for id in order.ids() {
            tasks.spawn(meddle(world.clone(), id, order.disturbed));
        }
    }
    if !order.disturbed {
        for id in order.ids() {
            tasks.spawn(wait(world.clone(), id, true));
        }
    }
    while let Some(ended) = tasks.join_next().await {
        if let Err(panic) = ended {
            return world.violation(format!("a client panicked: {panic}"));
        }
    }
}

/// Makes an instance of one id again and again, as soon as what had it before is gone.
async fn live(world: Arc<World>, id: String, lives: u64) {
    for _ in 0..lives {
        let made = ask(&world, |engine| {
            let id = id.clone();
            async move { small::create(&engine, 3, 20).id(id).retention(BRIEF, BRIEF).attach().await.map(drop) }
        });
        if let Err(error) = made.await {
            return world.violation(format!("{id}: it could not be created: {error}"));
        }
        loop {
            let found = ask(&world, |engine| {
                let id = id.clone();
                async move { engine.instance(id).await.map(drop) }
            });
            match found.await {
                Ok(()) => pause(world.draw_ms(50, 1_000)).await,
                Err(EngineError::NotFound { .. }) => break,
                Err(error) => return world.violation(format!("{id}: it could not be looked at: {error}")),
            }
        }
        let ended = world.eyes(|eyes| eyes.ends.keys().any(|(of, ..)| of.as_str() == id));
        if !ended {
            return world.violation(format!("{id} is gone and has not ended"));
        }
    }
}

/// How long those are kept whose ids are used again.
const BRIEF: Duration = Duration::from_millis(200);

async fn create(world: &Arc<World>, order: &Order) -> Result<(), EngineError> {
    let by_event = world.draw(3) == 0;
    let (id, kind) = (order.id.clone(), order.kind.clone());
    let ids = order.ids();
    ask(world, |engine| {
        let (id, kind, ids) = (id.clone(), kind.clone(), ids.clone());
        async move {
            match kind {
                Kind::Tours(course) => drop(tours::create(&engine, course).id(id).attach().await?),
                Kind::Gathers { senders, each } if by_event => {
                    // The first event of the first sender, who sends it once more.
                    let event = gathers::get(&engine, &id).send(Go { number: 0 }).id(format!("{id}.0"));
                    match event.create_if_absent(gathers::new(senders * each)).await {
                        // An earlier try, whose answer was lost, made it, and it has come to its end.
                        Ok(()) | Err(EngineError::Finished { .. }) => {}
                        Err(error) => return Err(error),
                    }
                }
                Kind::Gathers { senders, each } => {
                    drop(gathers::create(&engine, senders * each).id(id).attach().await?);
                }
                Kind::Raises { children, nap_ms } => {
                    drop(raises::create(&engine, children, nap_ms).id(id).attach().await?);
                }
                Kind::Limited { nap_ms, .. } => {
                    let items = ids.into_iter().map(|id| limited::new(nap_ms).id(id));
                    let outcomes = limited::create_batch(&engine, items).attach().await?;
                    for outcome in outcomes {
                        drop(outcome?);
                    }
                }
                Kind::Brief { .. } => {}
                Kind::Mails => drop(mails::create(&engine).id(id).attach().await?),
            }
            Ok(())
        }
    })
    .await
}

/// One sender, who sends the next event when the one before is acknowledged.
async fn send(world: Arc<World>, order: Order, sender: u64, count: u64) {
    for turn in 0..count {
        pause(world.draw_ms(0, 1_500)).await;
        let (id, number) = (order.id.clone(), sender * 1_000 + turn);
        let event_id = format!("{id}.{number}");
        let outcome = ask(&world, |engine| {
            let (id, event_id) = (id.clone(), event_id.clone());
            async move { engine.instance(id).send(Go { number }).id(event_id).await }
        });
        match outcome.await {
            // It may have come with an earlier try, whose answer was lost, and have been the last that was waited for. What
            // is missing in the end is seen there.
            Ok(()) | Err(EngineError::Finished { .. }) => {}
            Err(error) => return world.violation(format!("{id}: event {number} was refused: {error}")),
        }
    }
}

/// An operator, who has nothing else to do.
async fn meddle(world: Arc<World>, id: String, disturb: bool) {
    for _ in 0..world.draw(4) {
        pause(world.draw_ms(0, 4_000)).await;
        let what = world.draw(if disturb { 6 } else { 2 });
        let outcome = operate(&world, &id, what).await;
        world.say(format!("{id}: operation {what}: {outcome:?}"));
        match outcome {
            Ok(()) | Err(EngineError::Refused { .. } | EngineError::NoSuchStep { .. }) => {}
            Err(error) => return world.violation(format!("{id}: operation {what} failed: {error}")),
        }
    }
}

async fn operate(world: &Arc<World>, id: &str, what: usize) -> Result<(), EngineError> {
    let from = ["first", "flaky", "pack", "one", "work", "go", "look"][world.draw(7)];
    ask(world, |engine| {
        let id = id.to_owned();
        async move {
            let instance = engine.instance(id).await?;
            match what {
                0 => instance.pause().await?,
                1 => instance.resume().await?,
                2 => instance.terminate("no").await?,
                3 => instance.restart().await?,
                _ => instance.restart_from(from).await?,
            };
            Ok(())
        }
    })
    .await
}

/// Waits for the end and compares it with what the store has. `once`: nobody restarts it.
pub(crate) async fn wait(world: Arc<World>, id: String, once: bool) {
    loop {
        let process = world.some_process().await;
        let (engine, of) = (process.engine.clone(), id.clone());
        let call = async move { Ok::<_, EngineError>(engine.instance(of).await?.result().await) };
        let told = match process.run(&world, call).await {
            None | Some(Err(EngineError::NoAnswer { .. } | EngineError::Store(StoreError::Unavailable { .. }))) => {
                drop(process);
                pause(world.draw_ms(1, 300)).await;
                continue;
            }
            Some(Ok(Ok(value))) => Told::Value(value),
            Some(Ok(Err(ResultError::Failed(_) | ResultError::Errored(_)))) => Told::Failed,
            Some(Ok(Err(ResultError::Terminated { .. }))) => Told::Terminated,
            Some(Ok(Err(error))) => return world.violation(format!("{id}: no result: {error}")),
            Some(Err(error)) => return world.violation(format!("{id}: no instance: {error}")),
        };
        let agrees = world.eyes(|eyes| crate::audit::agrees(eyes, &id, &told, once));
        return world.check(agrees);
    }
}

/// Lets an instance go on that somebody paused, or that waits for events it had in a run before.
pub(crate) async fn let_go(world: &Arc<World>, id: String, paused: bool, number: u64) {
    let outcome = ask(world, |engine| {
        let id = id.clone();
        async move {
            let instance = engine.instance(id).await?;
            if paused {
                return instance.resume().await.map(drop);
            }
            instance.send(Go { number }).id(format!("again.{number}")).await
        }
    });
    match outcome.await {
        Ok(()) | Err(EngineError::Refused { .. } | EngineError::Finished { .. }) => {}
        Err(error) => world.violation(format!("{id}: it could not be let go on: {error}")),
    }
    pause(Duration::from_millis(1)).await;
}
