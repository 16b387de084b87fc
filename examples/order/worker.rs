//! `--mode worker`: runs orders until it is told to stop. It ends for nothing else: a store that is not there yet is
//! waited for, and one that is lost is the engine's to find again.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use crate::cli::Options;
use crate::console::say;
use crate::engine::{self, EngineSlot, without_password};
use crate::shop::Shop;
use crate::workbench::Workbench;
use crate::{AnyError, Signals};

/// How often a store that is not there yet is tried.
const STORE_PAUSE: Duration = Duration::from_millis(500);
/// How long step bodies may take to end once the process is told to: what is left of 15 s is for handing over.
const GRACE: Duration = Duration::from_secs(10);

/// Runs orders until a signal comes; then the exit code is 0.
///
/// # Errors
/// When the command line names what can never be used.
pub(crate) async fn run(options: &Options, signals: &mut Signals) -> Result<ExitCode, AnyError> {
    let provider = options.provider.clone().unwrap_or_else(|| {
        say("worker    without --provider its orders get no further than the payment: name the client's");
        String::new()
    });
    let slot = EngineSlot::default();
    let bench = Workbench::new(options, slot.clone())?.telling();
    let shop = Shop::new(provider, Arc::new(bench));
    tokio::select! {
        started = start(options, &shop, &slot) => started?,
        _ = signals.received() => return Ok(ExitCode::SUCCESS),
    }
    say(format_args!("worker    on {}", without_password(&options.store)));
    signals.received().await;
    say("worker    stopping");
    if let Some(engine) = slot.get() {
        engine.shutdown(GRACE).await;
    }
    Ok(ExitCode::SUCCESS)
}

/// Starts the engine, as often as it takes.
async fn start(options: &Options, shop: &Shop, slot: &EngineSlot) -> Result<(), AnyError> {
    let mut told = false;
    loop {
        match engine::start(options, shop.clone()).await {
            Ok(engine) => {
                return {
                    slot.put(engine);
                    Ok(())
                };
            }
            Err(error) if !error.may_pass() => return Err(error.into()),
            Err(error) => {
                if !std::mem::replace(&mut told, true) {
                    say(format_args!("worker    waiting for its store: {error}"));
                }
            }
        }
        tokio::time::sleep(STORE_PAUSE).await;
    }
}
