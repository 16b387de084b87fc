//! One process with an engine in it, as far as a simulation has one.

use std::sync::Arc;
use std::time::Duration;

use workflow::engine::{Host, Life};
use workflow::prelude::*;

use crate::flows::{gathers, limited, mails, raises, small, tours};
use crate::hand::Hand;
use crate::valve::Valve;
use crate::wire::Wire;
use crate::world::{World, pause};

/// How long a call of a client waits for the store.
const PATIENCE: Duration = Duration::from_secs(8);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) by: usize,
    pub(crate) valve: Arc<Valve>,
    pub(crate) heart: Arc<Valve>,
    pub(crate) wire: Wire,
    host: Host,
    pub(crate) engine: Engine,
}

impl Process {
    /// Starts one; as often as it takes.
    pub(crate) async fn start(world: &Arc<World>, by: usize) {
        loop {
            let (valve, heart, wire) = (Valve::new(), Valve::new(), Wire::new(world, by));
            let host = Host::simulated(valve.clone(), heart.clone());
            let plan = &world.plan;
            let started = Engine::builder()
                .store(Arc::new(wire.clone()))
                .namespace("simulation")
                .mode(if by == 2 { Mode::Worker } else { Mode::All })
                .concurrency(plan.concurrency)
                .sticky(plan.sticky)
                .lease(plan.lease)
                .retention(DAY, DAY)
                .patience(PATIENCE)
                .verify_replay(VerifyReplay::Always)
                .only::<(tours, gathers, raises, small, limited, mails)>()
                .queues(["default", "mail"])
                .workflow_concurrency::<limited>(plan.limit)
                .rate_limit("mail", plan.rate, RATE_SPAN)
                .resource(Hand::new(world))
                .host(host.clone())
                .start()
                .await;
            match started {
                Ok(engine) => {
                    world.say(format!("process {by} starts"));
                    let process = Self { by, valve, heart, wire, host, engine };
                    return world.set_process(by, Some(Arc::new(process)));
                }
                Err(EngineError::Store(_)) => pause(Duration::from_millis(100)).await,
                Err(error) => return world.violation(format!("an engine does not start: {error}")),
            }
        }
    }

    /// Ends it as a crash does.
    pub(crate) fn crash(&self, world: &World) {
        world.say(format!("process {} crashes", self.by));
        self.valve.set(Life::Over);
        self.heart.set(Life::Over);
        world.set_process(self.by, None);
    }

    /// Runs a client's call in this process. `None` when the process ended first.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        world: &World,
        call: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let call = self.host.spawn(call);
        tokio::select! {
            biased;
            () = self.valve.until_over() => None,
            answer = call => match answer {
                Ok(answer) => Some(answer),
                Err(error) => {
                    world.violation(format!("a client's call panicked: {error}"));
                    std::future::pending().await
                }
            },
        }
    }
}

/// In how long a time so many of queue `mail` may start.
pub(crate) const RATE_SPAN: Duration = Duration::from_secs(1);
