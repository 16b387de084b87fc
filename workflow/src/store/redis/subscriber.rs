//! Hears what is published on some channels, for as long as it lives.
//!
//! Owns connections that nothing else uses, on a thread of its own. Messages are lost while one is not connected, so it
//! says when it has subscribed, the first time and after each loss: then whoever hears must look for itself. It listens
//! to the primary, and to another when that is gone; of a cluster to the owner of each channel's slot, on a connection
//! for each channel, or where servers are older than that to any node. Promises nothing else. Called by the store, for
//! the hints of other processes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{PushInfo, PushKind, RedisResult, Value};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::dial::{Dialer, on_own_thread};
use super::fault::Doing;
use super::keys::Reach;
use super::pauses::Pauses;
use super::places::Address;
use super::switch::Whereabouts;
use super::topology::{Slot, Topology};
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

/// A channel: its name, and its slot.
#[derive(Debug, Clone)]
pub(super) struct Channel {
    pub(super) name: Vec<u8>,
    pub(super) slot: Slot,
}

/// A subscription. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Subscriber {
    _stop: oneshot::Sender<()>,
    /// Of each channel; where one connection hears all, all are the same.
    listens: Vec<Arc<AtomicBool>>,
}

impl Subscriber {
    /// Begins to subscribe, and tries for ever. `deliver` is called on the subscriber's thread and must not block.
    ///
    /// # Errors
    /// When there is no thread for it.
    pub(super) fn start(
        target: &Target,
        whereabouts: Whereabouts,
        channels: Vec<Channel>,
        reach: Reach,
        deliver: impl Fn(Heard) + Send + Sync + 'static,
    ) -> Result<Self, StoreError> {
        let (stop, stopped) = oneshot::channel::<()>();
        let (count, deliver) = (channels.len(), Arc::new(deliver));
        let numbered: Vec<_> = channels.into_iter().enumerate().collect();
        let together = match reach {
            Reach::Server | Reach::Nodes => vec![numbered],
            Reach::Shard => numbered.into_iter().map(|channel| vec![channel]).collect(),
        };
        let hearings: Vec<_> = together
            .into_iter()
            .map(|channels| Hearing {
                target: target.clone(),
                whereabouts: whereabouts.clone(),
                channels,
                reach,
                listens: Arc::default(),
                deliver: deliver.clone(),
            })
            .collect();
        let listens = hearings.iter().map(|hearing| hearing.listens.clone()).cycle().take(count).collect();
        on_own_thread("workflow-hints", target.shown(), async move {
            let mut hearing: JoinSet<()> = hearings.into_iter().map(Hearing::hear_on).collect();
            tokio::select! {
                // An error, as nothing is ever sent: the subscriber is gone.
                _ = stopped => {}
                // None of them ends.
                _ = hearing.join_next() => {}
            }
        })?;
        Ok(Self { _stop: stop, listens })
    }

    /// Whether messages of a channel are heard now, as far as is known: a loss is noticed late.
    pub(super) fn listens(&self, channel: usize) -> bool {
        self.listens.get(channel).is_some_and(|listens| listens.load(Ordering::Relaxed))
    }
}

/// What one connection at a time hears.
struct Hearing<F> {
    target: Target,
    whereabouts: Whereabouts,
    /// With their numbers. Of shards only one.
    channels: Vec<(usize, Channel)>,
    reach: Reach,
    listens: Arc<AtomicBool>,
    deliver: Arc<F>,
}

impl<F: Fn(Heard) + Send + Sync> Hearing<F> {
    /// Subscribes again and again.
    async fn hear_on(self) {
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
                }
                Err(error) => {
                    // Once for each loss: hints only save time.
                    if !std::mem::replace(&mut told, true) {
                        tracing::warn!(%error, "no hints from the store, so what others do is noticed a little later; trying on");
                    }
                }
            }
            // Who is not listened to may have been replaced, or have lost the slot.
            self.whereabouts.doubt();
            tokio::time::sleep(pauses.next()).await;
        }
    }

    /// Where it can be listened to.
    fn places<'t>(&self, topology: &'t Topology) -> Vec<&'t Address> {
        match self.reach {
            Reach::Server => topology.primaries().into_iter().collect(),
            Reach::Nodes => topology.nodes().iter().collect(),
            Reach::Shard => self.channels.iter().filter_map(|(_, channel)| topology.owner(channel.slot)).collect(),
        }
    }

    /// Where to listen.
    fn place(&self) -> Result<Address, StoreError> {
        let known = self.whereabouts.now();
        let among = known.iter().flat_map(|topology| self.places(topology));
        among.min_by_key(|_| random_u128()).cloned().ok_or_else(|| StoreError::Unavailable {
            store: self.target.shown().to_owned(),
            message: "nobody has said where its servers are".to_owned(),
        })
    }

    async fn subscribe(&self) -> Result<Hears, StoreError> {
        let address = self.place()?;
        let (sender, pushes) = unbounded_channel();
        let dialer = Dialer::hearing(&self.target, &address, sender)?;
        let mut connection = dialer.dial().await?;
        let subscribed = self.subscribe_on(&mut connection).await;
        subscribed.map_err(|error| dialer.told(Doing::Connecting, &error))?;
        Ok(Hears { address, connection, pushes, whereabouts: self.whereabouts.clone() })
    }

    async fn subscribe_on(&self, connection: &mut MultiplexedConnection) -> RedisResult<()> {
        let names: Vec<&[u8]> = self.channels.iter().map(|(_, channel)| channel.name.as_slice()).collect();
        match self.reach {
            Reach::Server | Reach::Nodes => connection.subscribe(names).await,
            // One, so that there is one answer.
            Reach::Shard => redis::cmd("SSUBSCRIBE").arg(names).exec_async(connection).await,
        }
    }

    /// What a push of a channel and a message says; nothing if it is of none of the channels.
    fn message(&self, push: Vec<Value>) -> Option<Heard> {
        let mut push = push.into_iter().map_while(bytes);
        let (channel, message) = (push.next()?, push.next()?);
        let (number, _) = self.channels.iter().find(|(_, known)| known.name == channel)?;
        Some(Heard::Message(*number, message))
    }

    /// Delivers messages until the connection is lost, or leads to nobody who hears them.
    async fn hear_out(&self, heard: &mut Hears) {
        loop {
            tokio::select! {
                push = tokio::time::timeout(ASK_AFTER, heard.pushes.recv()) => match push {
                    Ok(Some(push)) => match push.kind {
                        PushKind::Message | PushKind::SMessage => {
                            self.message(push.data).into_iter().for_each(&*self.deliver);
                        }
                        // Also where a slot has moved away: who had it says so.
                        PushKind::Disconnection | PushKind::SUnsubscribe => return,
                        _ => {}
                    },
                    Ok(None) => return,
                    Err(_) if !heard.answers().await => return,
                    Err(_) => {}
                },
                () = heard.whereabouts.moved() => if !self.is_in_place(heard).await { return },
            }
        }
    }

    /// Whether the server is still where to listen, and lives.
    async fn is_in_place(&self, heard: &mut Hears) -> bool {
        let is_ours = self.whereabouts.now().is_some_and(|topology| self.places(&topology).contains(&&heard.address));
        is_ours && tokio::time::timeout(LIVES_WITHIN, heard.answers()).await.unwrap_or(false)
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
}

fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        _ => None,
    }
}
