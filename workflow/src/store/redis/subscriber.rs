//! Hears what is published on some channels, for as long as it lives.
//!
//! Owns a connection that nothing else uses, on a thread of its own. Messages are lost while it is not connected, so it
//! says when it has subscribed, the first time and after each loss: then whoever hears must look for itself. Promises
//! nothing else. Called by the store, for the hints of other processes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{PushInfo, PushKind, Value};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::oneshot;

use super::dial::{Dialer, on_own_thread};
use super::fault::{Doing, store_error};
use super::pauses::Pauses;
use super::url::Target;
use crate::store::StoreError;

/// A connection that says nothing for so long is asked whether it lives.
const ASK_AFTER: Duration = Duration::from_secs(15);

/// What is heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Heard {
    /// A message was published.
    Message(Vec<u8>),
    /// From now on messages are heard; some before may have been missed.
    Resubscribed,
}

/// A subscription. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Subscriber {
    _stop: oneshot::Sender<()>,
    listens: Arc<AtomicBool>,
}

impl Subscriber {
    /// Begins to subscribe, and tries for ever. `deliver` is called on the subscriber's thread and must not block.
    ///
    /// # Errors
    /// When there is no thread for it.
    pub(super) fn start(
        target: &Target,
        channels: Vec<Vec<u8>>,
        deliver: impl Fn(Heard) + Send + Sync + 'static,
    ) -> Result<Self, StoreError> {
        let (stop, stopped) = oneshot::channel::<()>();
        let listens = Arc::new(AtomicBool::new(false));
        let hearing = Hearing { target: target.clone(), channels, listens: listens.clone(), deliver };
        on_own_thread("workflow-hints", target.shown(), async move {
            tokio::select! {
                // An error, as nothing is ever sent: the subscriber is gone.
                _ = stopped => {}
                () = hearing.hear_on() => {}
            }
        })?;
        Ok(Self { _stop: stop, listens })
    }

    /// Whether messages are heard now, as far as is known: a loss is noticed late.
    pub(super) fn listens(&self) -> bool {
        self.listens.load(Ordering::Relaxed)
    }
}

struct Hearing<F> {
    target: Target,
    channels: Vec<Vec<u8>>,
    listens: Arc<AtomicBool>,
    deliver: F,
}

impl<F: Fn(Heard) + Send + Sync> Hearing<F> {
    /// Subscribes again and again.
    async fn hear_on(&self) {
        let mut pauses = Pauses::new();
        let mut told = false;
        loop {
            match self.subscribe().await {
                Ok((connection, pushes)) => {
                    (pauses, told) = (Pauses::new(), false);
                    self.listens.store(true, Ordering::Relaxed);
                    (self.deliver)(Heard::Resubscribed);
                    self.hear_out(connection, pushes).await;
                    self.listens.store(false, Ordering::Relaxed);
                }
                Err(error) => {
                    // Once for each loss: hints only save time.
                    if !std::mem::replace(&mut told, true) {
                        tracing::warn!(%error, "no hints from the store, so what others do is noticed a little later; trying on");
                    }
                }
            }
            tokio::time::sleep(pauses.next()).await;
        }
    }

    async fn subscribe(&self) -> Result<(MultiplexedConnection, UnboundedReceiver<PushInfo>), StoreError> {
        let (sender, pushes) = unbounded_channel();
        let mut connection = Dialer::hearing(&self.target, sender)?.dial().await?;
        let subscribed = connection.subscribe(&self.channels).await;
        subscribed.map_err(|error| store_error(self.target.shown(), Doing::Connecting, &error))?;
        Ok((connection, pushes))
    }

    /// Delivers messages until the connection is lost.
    async fn hear_out(&self, mut connection: MultiplexedConnection, mut pushes: UnboundedReceiver<PushInfo>) {
        loop {
            match tokio::time::timeout(ASK_AFTER, pushes.recv()).await {
                Ok(Some(push)) => match push.kind {
                    PushKind::Message => push.data.into_iter().nth(1).and_then(bytes).into_iter().for_each(|message| {
                        (self.deliver)(Heard::Message(message));
                    }),
                    PushKind::Disconnection => return,
                    _ => {}
                },
                Ok(None) => return,
                Err(_) if redis::cmd("PING").exec_async(&mut connection).await.is_err() => return,
                Err(_) => {}
            }
        }
    }
}

fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        _ => None,
    }
}
