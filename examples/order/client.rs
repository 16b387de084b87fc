//! `--mode client` and `--mode all`: creates the orders, plays the payment provider, serves the webhook, waits for the
//! results and prints them. In mode all the engine runs the orders here too.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use workflow::{Engine, EngineError, Handle};

use crate::cli::{Mode, Options};
use crate::console::{self, say};
use crate::engine::{self, EngineSlot};
use crate::follower::Follower;
use crate::model::Order;
use crate::shop::Shop;
use crate::timeline::Tally;
use crate::workbench::Workbench;
use crate::workflow::order;
use crate::{AnyError, Signals, provider, webhook};

/// How many orders are created in one call: the most the engine takes.
const BATCH: usize = 1_000;
/// How long the pause is before a store that was lost is asked again.
const STORE_PAUSE: Duration = Duration::from_millis(500);
/// How long what else this process runs may take to end: orders of other programs on the same store.
const GRACE: Duration = Duration::from_secs(5);

/// Takes the orders to their end. The exit code is 0 if each ended as the input says.
///
/// # Errors
/// When the engine does not start, an id is taken by something else, or standard output is closed.
pub(crate) async fn run(options: &Options, orders: Vec<Order>, signals: &mut Signals) -> Result<ExitCode, AnyError> {
    let begun = SystemTime::now();
    let slot = EngineSlot::default();
    let bench = Arc::new(Workbench::new(options, slot.clone())?);
    // The engine may have orders to go on with the moment it starts, so the world must stand before it.
    let webhook = webhook::start(slot.clone()).await?;
    let provider = provider::start(options.provider.as_deref(), webhook).await?;
    let engine = engine::start(options, Shop::new(provider.clone(), Arc::clone(&bench))).await?;
    slot.put(engine.clone());
    let client =
        Client { engine: engine.clone(), provider, bench: (options.mode == Mode::All).then_some(bench), begun };
    let code = tokio::select! {
        code = client.see_through(options, orders) => code?,
        code = signals.received() => ExitCode::from(code),
    };
    engine.shutdown(GRACE).await;
    Ok(code)
}

struct Client {
    engine: Engine,
    /// `host:port` of the payment provider.
    provider: String,
    /// Where step bodies run in this process, if they do.
    bench: Option<Arc<Workbench>>,
    begun: SystemTime,
}

impl Client {
    async fn see_through(&self, options: &Options, orders: Vec<Order>) -> Result<ExitCode, AnyError> {
        let handles = self.create(options, &orders).await?;
        say(format_args!("orders    {} created or found; the payment provider is {}", handles.len(), self.provider));
        // Each beside the others: results come in any order and are printed in that of the input.
        let followed: Vec<_> = handles
            .into_iter()
            .zip(orders)
            .map(|(handle, order)| tokio::spawn(self.follower(handle, order).follow()))
            .collect();
        let (mut tally, mut all_well) = (Tally::default(), true);
        for followed in followed {
            let ended = followed.await??;
            console::result(&ended.line)?;
            say(&ended.timeline);
            tally.add(&ended.timeline);
            all_well &= ended.as_it_should;
        }
        if let Some(bench) = &self.bench {
            bench.no_crash().await;
        }
        say(format_args!("{tally}; {:.1} s", self.begun.elapsed().unwrap_or_default().as_secs_f64()));
        Ok(if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn follower(&self, handle: Handle<order>, order: Order) -> Follower {
        Follower { handle, order, provider: self.provider.clone(), bench: self.bench.clone(), begun: self.begun }
    }

    /// Creates the orders that do not exist yet. Repeated when the store is lost in the middle: what was created the
    /// first time is found the second.
    async fn create(&self, options: &Options, orders: &[Order]) -> Result<Vec<Handle<order>>, AnyError> {
        let mut handles = Vec::with_capacity(orders.len());
        for batch in orders.chunks(BATCH) {
            handles.extend(self.create_batch(options.follow_up, batch).await?);
        }
        Ok(handles)
    }

    async fn create_batch(&self, follow_up: Duration, batch: &[Order]) -> Result<Vec<Handle<order>>, AnyError> {
        loop {
            let items = batch.iter().map(|order| order::new(order.clone(), follow_up).id(order.id.as_str()));
            let outcomes = order::create_batch(&self.engine, items).attach().await?;
            match outcomes.into_iter().collect() {
                Ok(handles) => return Ok(handles),
                Err(error @ (EngineError::Store(_) | EngineError::NoAnswer { .. })) => {
                    say(format_args!("store     {error}; trying again"))
                }
                Err(error) => return Err(error.into()),
            }
            tokio::time::sleep(STORE_PAUSE).await;
        }
    }
}
