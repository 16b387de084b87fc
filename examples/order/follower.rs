//! Follows one order to its end: tells of its changes, offers its open payment to the provider, and gives its result.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::json;
use workflow::{Event as _, Handle, PauseReason, ResultError, State, Status, WaitTarget};

use crate::console::say;
use crate::model::{Order, Receipt};
use crate::provider::{OFFERS_PATH, Offer};
use crate::timeline::Timeline;
use crate::workbench::Workbench;
use crate::workflow::{PaymentConfirmed, order};
use crate::{AnyError, http};

/// How often the provider is told again of an intent that is still open: it may have forgotten, or be another by now.
const OFFER_EVERY: Duration = Duration::from_secs(2);
/// How long the pause is before a store that was lost is asked again.
const STORE_PAUSE: Duration = Duration::from_millis(500);

/// One order of the input, and its instance.
#[derive(Debug)]
pub(crate) struct Follower {
    pub handle: Handle<order>,
    pub order: Order,
    /// `host:port` of the payment provider.
    pub provider: String,
    /// Where step bodies run in this process, if they do.
    pub bench: Option<Arc<Workbench>>,
    /// When the process began.
    pub begun: SystemTime,
}

/// An order that ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// For standard output.
    pub line: String,
    /// For standard error.
    pub timeline: Timeline,
    /// Whether it came to what the input says.
    pub as_it_should: bool,
}

/// How an instance ended.
struct Outcome {
    state: &'static str,
    /// In JSON, on one line.
    output: String,
    receipt: Option<Receipt>,
}

impl Follower {
    /// Waits for the end of the order, as long as it takes.
    ///
    /// # Errors
    /// When the order is gone, or its result cannot be read.
    pub(crate) async fn follow(self) -> Result<Ended, AnyError> {
        self.accompany().await;
        let Outcome { state, output, receipt } = self.outcome().await?;
        let as_it_should = match &receipt {
            Some(Receipt::Paid { .. }) => self.order.pays,
            Some(Receipt::Cancelled { .. }) => !self.order.pays,
            None => false,
        };
        let timeline = Timeline::of(&self.handle, state, receipt.as_ref(), self.bench.as_deref(), self.begun).await;
        Ok(Ended { line: format!("{}\t{state}\t{output}", self.order.id), timeline, as_it_should })
    }

    /// Until the order has ended: tells of its changes, and keeps the provider informed.
    async fn accompany(&self) {
        let mut changes = self.handle.on_change();
        let mut open_intent = None;
        loop {
            match tokio::time::timeout(OFFER_EVERY, changes.next()).await {
                Ok(Some(status)) => {
                    self.tell(&status);
                    self.release_from_quarantine(&status).await;
                    open_intent = intent_waited_for(&status);
                }
                Ok(None) => return,
                Err(_unchanged) => {}
            }
            if let Some(intent) = open_intent.clone().filter(|_| self.order.pays) {
                self.offer(intent).await;
            }
        }
    }

    /// Says where the order stands; not each time it is picked up and put down.
    fn tell(&self, status: &Status<Receipt>) {
        if matches!(status.state, State::Queued | State::Running) {
            return;
        }
        let reason = status.paused.as_ref().map(|paused| format!(": {:?}", paused.reason)).unwrap_or_default();
        let waits: Vec<_> = status.waits.iter().map(|wait| wait.operation.as_str()).collect();
        say(format_args!("order     {}  {}{reason}  {}", self.order.id, status.state, waits.join(", "))
            .to_string()
            .trim_end());
    }

    /// An order whose worker was killed three times in a row while it had nothing else is set aside for a person to look
    /// at. Here it is known who killed them, so it goes on.
    async fn release_from_quarantine(&self, status: &Status<Receipt>) {
        let reason = status.paused.as_ref().map(|paused| &paused.reason);
        if matches!(reason, Some(PauseReason::Quarantined { .. })) {
            match self.handle.resume().await {
                Ok(_) => say(format_args!("order     {}  released from quarantine", self.order.id)),
                Err(error) => say(format_args!("order     {}  stays in quarantine: {error}", self.order.id)),
            }
        }
    }

    /// Tells the provider of an open intent. One that it knows changes nothing; one that does not hear it hears it later.
    async fn offer(&self, intent: String) {
        let offer = Offer { intent, charge: self.order.charge() };
        let _told_again_later = http::post(&self.provider, OFFERS_PATH, &offer).await;
    }

    async fn outcome(&self) -> Result<Outcome, AnyError> {
        loop {
            return Ok(match self.handle.result().await {
                Ok(receipt) => {
                    Outcome { state: "complete", output: serde_json::to_string(&receipt)?, receipt: Some(receipt) }
                }
                Err(ResultError::Failed(error)) => Outcome::failed("errored", serde_json::to_string(&error)?),
                Err(ResultError::Errored(error)) => {
                    Outcome::failed("errored", json!({ "error": error.class, "message": error.message }).to_string())
                }
                Err(ResultError::Terminated { reason }) => {
                    Outcome::failed("terminated", json!({ "reason": reason }).to_string())
                }
                Err(ResultError::Store(error)) => {
                    say(format_args!("store     {error}; trying again"));
                    tokio::time::sleep(STORE_PAUSE).await;
                    continue;
                }
                Err(error) => return Err(error.into()),
            });
        }
    }
}

impl Outcome {
    fn failed(state: &'static str, output: String) -> Self {
        Self { state, output, receipt: None }
    }
}

/// The intent an order waits to be paid, if it does.
fn intent_waited_for(status: &Status<Receipt>) -> Option<String> {
    status.waits.iter().find_map(|wait| match &wait.target {
        WaitTarget::Event { event_type, key } if event_type == PaymentConfirmed::TYPE => Some(key.clone()),
        _ => None,
    })
}
