//! Hears what is published on some channels, for as long as it lives.
//!
//! Owns a connection that nothing else uses, on a thread of its own. Messages are lost while it is not connected, so it
//! says when it has subscribed, the first time and after each loss: then whoever hears must look for itself. It listens to the
//! primary, of a cluster to any node, and to another when that is gone. Promises nothing else. Called by the store, for the hints of other processes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{PushInfo, PushKind, Value};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::oneshot;

use super::dial::{Dialer, on_own_thread};
use super::fault::Doing;
use super::pauses::Pauses;
use super::places::{Address, Place};
use super::switch::Whereabouts;
use super::url::Target;
use crate::store::StoreError;
use crate::words::id::random_u128;

/// A connection that says nothing for so long is asked whether it lives.
const ASK_AFTER: Duration = Duration::from_secs(15);
/// How long a node may take to say that it lives, after something has moved.
const LIVES_WITHIN: Duration = Duration::from_secs(2);

/// What is heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Heard {
    /// A message was published, on the channel with this number.
    Message(usize, Vec<u8>),
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
        whereabouts: Whereabouts,
        channels: Vec<Vec<u8>>,
        deliver: impl Fn(Heard) + Send + Sync + 'static,
    ) -> Result<Self, StoreError> {
        let (stop, stopped) = oneshot::channel::<()>();
        let listens = Arc::new(AtomicBool::new(false));
        let hearing = Hearing { target: target.clone(), whereabouts, channels, listens: listens.clone(), deliver };
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
    whereabouts: Whereabouts,
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
                Ok(mut heard) => {
                    (pauses, told) = (Pauses::new(), false);
                    self.listens.store(true, Ordering::Relaxed);
                    (self.deliver)(Heard::Resubscribed);
                    self.hear_out(&mut heard).await;
                    self.listens.store(false, Ordering::Relaxed);
                    self.whereabouts.doubt();
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

    /// Where to listen. What is published on one node of a cluster is heard on each.
    fn place(&self) -> Result<Address, StoreError> {
        let known = self.whereabouts.now();
        let among = known.iter().flat_map(|topology| match self.target.place() {
            Place::Cluster { .. } => topology.nodes().iter().collect::<Vec<_>>(),
            Place::Server(_) | Place::Sentinels { .. } => topology.primaries().into_iter().collect(),
        });
        among.min_by_key(|_| random_u128()).cloned().ok_or_else(|| StoreError::Unavailable {
            store: self.target.shown().to_owned(),
            message: "nobody has said where its servers are".to_owned(),
        })
    }

    async fn subscribe(&self) -> Result<Hears, StoreError> {
        let address = self.place()?;
        let (sender, pushes) = unbounded_channel();
        let dialer = Dialer::hearing(&self.target, &address, sender)?;
        let mut connection = dialer.dial().await.inspect_err(|_| self.whereabouts.doubt())?;
        let subscribed = connection.subscribe(&self.channels).await;
        subscribed.map_err(|error| dialer.told(Doing::Connecting, &error))?;
        Ok(Hears { address, connection, pushes, whereabouts: self.whereabouts.clone() })
    }

    /// What a push of a channel and a message says; nothing if it is of none of the channels.
    fn message(&self, push: Vec<Value>) -> Option<Heard> {
        let mut push = push.into_iter().map_while(bytes);
        let (channel, message) = (push.next()?, push.next()?);
        let number = self.channels.iter().position(|known| *known == channel)?;
        Some(Heard::Message(number, message))
    }

    /// Delivers messages until the connection is lost, or leads to nobody who hears them.
    async fn hear_out(&self, heard: &mut Hears) {
        loop {
            tokio::select! {
                push = tokio::time::timeout(ASK_AFTER, heard.pushes.recv()) => match push {
                    Ok(Some(push)) => match push.kind {
                        PushKind::Message => self.message(push.data).into_iter().for_each(&self.deliver),
                        PushKind::Disconnection => return,
                        _ => {}
                    },
                    Ok(None) => return,
                    Err(_) if !heard.answers().await => return,
                    Err(_) => {}
                },
                () = heard.whereabouts.moved() => if !heard.is_in_place().await { return },
            }
        }
    }
}

/// A connection on which messages are heard.
struct Hears {
    address: Address,
    connection: MultiplexedConnection,
    pushes: UnboundedReceiver<PushInfo>,
    whereabouts: Whereabouts,
}

impl Hears {
    async fn answers(&mut self) -> bool {
        redis::cmd("PING").exec_async(&mut self.connection).await.is_ok()
    }

    /// Whether the server is still one of ours and lives.
    async fn is_in_place(&mut self) -> bool {
        let is_ours = self.whereabouts.now().is_some_and(|topology| topology.nodes().contains(&self.address));
        is_ours && tokio::time::timeout(LIVES_WITHIN, self.answers()).await.unwrap_or(false)
    }
}

fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        _ => None,
    }
}
