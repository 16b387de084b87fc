//! What the workflows of a simulation have as their resource: bodies whose effects the world remembers.

use std::sync::{Arc, Weak};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use workflow::prelude::*;
use workflow::words::time::Timestamp;

use crate::world::{World, pause};

/// The error of bodies that fail on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("it fails at attempt {attempt}")]
pub(crate) struct Oops {
    attempt: u32,
}

/// The resource. It does not keep its world: a process may outlive it by a moment.
#[derive(Debug, Clone)]
pub(crate) struct Hand(Weak<World>);

impl Hand {
    pub(crate) fn new(world: &Arc<World>) -> Self {
        Self(Arc::downgrade(world))
    }

    fn world(&self) -> Arc<World> {
        self.0.upgrade().expect("a body runs while its world lives")
    }

    /// A body that takes its time and gives a number that no other execution gives.
    pub(crate) async fn works(&self, cx: StepContext) -> Result<u64, Oops> {
        let world = self.world();
        let token = world.eyes(|eyes| eyes.begins(&cx));
        let longest = world.plan.body_ms;
        if world.draw(3) > 0 {
            pause(world.draw_ms(0, longest + 1)).await;
        }
        let token = token.map_err(|broken| world.violation(broken)).unwrap_or_default();
        Ok(token)
    }

    /// The same; the first `failures` attempts fail.
    pub(crate) async fn fails(&self, cx: StepContext, failures: u32) -> Result<u64, Oops> {
        let attempt = cx.attempt();
        let key = cx.idempotency_key();
        let token = self.works(cx).await?;
        if attempt <= failures {
            self.world().eyes(|eyes| eyes.fails(&key));
            return Err(Oops { attempt });
        }
        Ok(token)
    }

    /// A body that says the store's time.
    pub(crate) async fn looks(&self, cx: StepContext) -> Result<i64, Oops> {
        self.works(cx).await?;
        Ok(self.world().now().as_millis())
    }

    /// A body that must not run before so long after `since`.
    pub(crate) async fn is_later(&self, cx: StepContext, since: i64, by: Duration) -> Result<u64, Oops> {
        let world = self.world();
        let since_time = Timestamp::from_millis(since);
        let (now, due) = (world.now(), since_time.after(by));
        // Where the clock jumped when the timer began, it may have begun by the clock of before.
        if now.after(world.jumped_since(since_time)) < due {
            world.violation(format!("{}: a timer of {by:?} from {since} fired early, at {now:?}", cx.instance_id()));
        }
        self.works(cx).await
    }
}
