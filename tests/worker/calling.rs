//! A client that does random things to ledgers.

use std::path::Path;
use std::time::Duration;

use support::chance::Chance;
use support::effects::Effects;
use support::ledger::Clerk;
use workflow::prelude::*;

use super::{Outcome, say_ready};

/// How long a call waits for its answer. Longer ones are not known to have been carried out.
const PATIENCE: Duration = Duration::from_secs(2);

/// Three pairs of hands, until they have been at every instance.
pub(crate) async fn call(store: &str, seed: u64, [from, to]: [usize; 2], calls: &str) -> Outcome {
    let engine = Engine::builder().store(store).mode(Mode::Client).patience(PATIENCE).start().await?;
    say_ready()?;
    let clerk = Clerk::new(engine, Effects::open(Path::new(calls))?);
    let mut chance = Chance::of(seed);
    let [one, two, three] = [(); 3].map(|()| clerk.work(Chance::of(chance.number()), from, to));
    tokio::join!(one, two, three);
    Ok(())
}
