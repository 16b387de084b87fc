//! The store as one process sees it: over a wire that loses, delays, cuts, repeats and reorders.
//!
//! A batch that has set out belongs to the wire: it arrives, or not, whatever becomes of the process that sent it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{broadcast, oneshot};
use tokio::time::Instant;
use workflow::journal::command::{Command, Reply};
use workflow::store::{
    Beat, BoxFuture, Heart, Hinted, ListQuery, Overview, Page, Pending, SessionView, Shelf, Snapshot, Store, StoreError,
};
use workflow::words::id::{InstanceId, SessionId};
use workflow::words::payload::Payload;
use workflow::words::time::Timestamp;

use crate::sabotage::Sabotage;
use crate::world::{World, pause};

/// How many hints a process may lag behind.
const HINTS_KEPT: usize = 64;

/// What is kept so long is found by any late copy of its create, however the clock jumps.
const KEPT_AT_LEAST: Duration = Duration::from_secs(3_600);

/// One process's way to the store.
#[derive(Debug, Clone)]
pub(crate) struct Wire(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    world: Arc<World>,
    by: usize,
    /// Nothing gets through before this.
    cut_until: Mutex<Instant>,
    /// Beats of hearts do not get through.
    heart_cut: AtomicBool,
    hints: broadcast::Sender<Hinted>,
}

/// What becomes of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Carried,
    LostBefore,
    LostAfter,
    Cut,
    Twice,
    Late,
}

impl Wire {
    pub(crate) fn new(world: &Arc<World>, by: usize) -> Self {
        let hints = broadcast::channel(HINTS_KEPT).0;
        let inner = Inner {
            world: world.clone(),
            by,
            cut_until: Mutex::new(Instant::now()),
            heart_cut: AtomicBool::new(false),
            hints: hints.clone(),
        };
        tokio::spawn(pass_hints(world.clone(), hints));
        Self(Arc::new(inner))
    }

    /// Cuts it off for so long.
    pub(crate) fn cut(&self, how_long: Duration) {
        *self.0.cut_until.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now() + how_long;
    }

    /// Whether the beats of the heart are lost.
    pub(crate) fn cut_heart(&self, cut: bool) {
        self.0.heart_cut.store(cut, Ordering::Relaxed);
    }

    fn is_cut(&self) -> bool {
        let until = *self.0.cut_until.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.world.is_troubled() && (Instant::now() < until || self.0.world.is_down())
    }

    fn world(&self) -> &Arc<World> {
        &self.0.world
    }

    fn fate(&self) -> Fate {
        let odds = &self.world().plan.wire;
        let fates = [
            (odds.request, Fate::LostBefore),
            (odds.reply, Fate::LostAfter),
            (odds.cut, Fate::Cut),
            (odds.twice, Fate::Twice),
            (odds.late, Fate::Late),
        ];
        for (odds, fate) in fates {
            if self.world().happens(odds) {
                return fate;
            }
        }
        Fate::Carried
    }

    /// The way of one batch to the store and back.
    async fn carry(self, batch: Vec<Command>, answer: oneshot::Sender<Result<Vec<Reply>, StoreError>>) {
        let world = self.world();
        if self.is_cut() {
            pause(world.draw_ms(20, 600)).await;
            // Whoever is gone hears nothing.
            return drop(answer.send(Err(unreachable("it is cut off"))));
        }
        let fate = self.fate();
        pause(world.delay()).await;
        let outcome = match fate {
            Fate::Carried => Ok(self.carry_out(&batch)),
            Fate::LostBefore => Err(unreachable("the request was lost")),
            Fate::LostAfter => {
                self.carry_out(&batch);
                Err(unreachable("the answer was lost"))
            }
            Fate::Cut => {
                self.carry_out(&batch[..world.draw(batch.len())]);
                Err(unreachable("the connection broke"))
            }
            Fate::Twice => {
                let replies = self.carry_out(&batch);
                self.carry_out_later(batch);
                Ok(replies)
            }
            Fate::Late => {
                self.carry_out_later(batch);
                Err(unreachable("no answer came"))
            }
        };
        pause(world.delay()).await;
        drop(answer.send(outcome));
    }

    /// A copy that was still on its way. Nobody hears its answer.
    ///
    /// Not so of creates that are kept shorter than a copy may be late: one that comes after its instance was deleted makes
    /// another, in the hands of a session that does not know of it. That is not promised away, and would hide all else.
    fn carry_out_later(&self, mut batch: Vec<Command>) {
        batch
            .retain(|command| !matches!(command, Command::Create(create) if create.spec.keep_complete < KEPT_AT_LEAST));
        let (wire, later) = (self.clone(), self.world().draw_ms(0, 2_000));
        tokio::spawn(async move {
            pause(later).await;
            wire.carry_out(&batch);
        });
    }

    fn carry_out(&self, batch: &[Command]) -> Vec<Reply> {
        batch.iter().map(|command| self.world().carry_out(self.0.by, command)).collect()
    }

    /// A question: it is looked now, and the answer may take its time or be lost.
    fn asked<T: Send + 'static>(
        &self,
        look: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> BoxFuture<'static, Result<T, StoreError>> {
        let wire = self.clone();
        Box::pin(async move {
            let world = wire.world();
            if wire.is_cut() || world.happens(world.plan.wire.question) {
                pause(world.draw_ms(20, 600)).await;
                return Err(unreachable("the question was lost"));
            }
            pause(world.delay()).await;
            let answer = look.await;
            pause(world.delay()).await;
            answer
        })
    }
}

fn unreachable(why: &str) -> StoreError {
    StoreError::Unavailable { store: "simulated:".to_owned(), message: why.to_owned() }
}

/// Passes the store's hints to one process: some are lost, some late.
async fn pass_hints(world: Arc<World>, hints: broadcast::Sender<Hinted>) {
    let mut heard = world.store.hints();
    loop {
        let hinted = match heard.recv().await {
            Ok(hinted) => hinted,
            Err(broadcast::error::RecvError::Lagged(_)) => Hinted::ANYTHING,
            Err(broadcast::error::RecvError::Closed) => return,
        };
        if !world.happens(world.plan.wire.hint) {
            // Nobody may listen, here and below.
            drop(hints.send(hinted));
        } else if world.happens(300) {
            let (hints, later) = (hints.clone(), world.draw_ms(1, 3_000));
            tokio::spawn(async move {
                pause(later).await;
                drop(hints.send(hinted));
            });
        } else if world.happens(50) {
            drop(hints.send(Hinted::ANYTHING));
        }
    }
}

impl Store for Wire {
    fn describe(&self) -> String {
        "simulated:".to_owned()
    }

    fn execute(&self, _partition: usize, batch: Vec<Command>) -> BoxFuture<'_, Result<Vec<Reply>, StoreError>> {
        let wire = self.clone();
        Box::pin(async move {
            let (answer, answered) = oneshot::channel();
            tokio::spawn(wire.carry(batch, answer));
            answered.await.expect("a wire answers, unless it panicked")
        })
    }

    fn hints(&self) -> broadcast::Receiver<Hinted> {
        self.0.hints.subscribe()
    }

    fn heart(&self) -> Result<Box<dyn Heart>, StoreError> {
        Ok(Box::new(WireHeart { wire: self.clone(), heart: self.world().store.heart()? }))
    }

    fn inspect(&self, id: InstanceId) -> BoxFuture<'_, Result<Option<Snapshot>, StoreError>> {
        let store = self.world().store.clone();
        self.asked(async move { store.inspect(id).await })
    }

    fn journal(&self, id: InstanceId, run: u32, from: u32) -> BoxFuture<'_, Result<Option<Vec<Payload>>, StoreError>> {
        let store = self.world().store.clone();
        self.asked(async move { store.journal(id, run, from).await })
    }

    fn sessions(&self) -> BoxFuture<'_, Result<Vec<SessionView>, StoreError>> {
        let store = self.world().store.clone();
        self.asked(async move { store.sessions().await })
    }

    fn held(&self, session: SessionId, limit: usize) -> BoxFuture<'_, Result<Vec<InstanceId>, StoreError>> {
        let store = self.world().store.clone();
        self.asked(async move { store.held(session, limit).await })
    }

    fn outbox(&self, before: Timestamp, limit: usize) -> BoxFuture<'_, Result<Vec<Pending>, StoreError>> {
        if self.world().sabotage == Some(Sabotage::OutboxUnread) {
            return Box::pin(std::future::ready(Ok(Vec::new())));
        }
        let store = self.world().store.clone();
        self.asked(async move { store.outbox(before, limit).await })
    }

    fn overview(&self) -> BoxFuture<'_, Result<Overview, StoreError>> {
        let store = self.world().store.clone();
        self.asked(async move { store.overview().await })
    }

    fn shelves(&self) -> BoxFuture<'_, Result<Vec<Shelf>, StoreError>> {
        let store = self.world().store.clone();
        self.asked(async move { store.shelves().await })
    }

    fn list(&self, query: ListQuery) -> BoxFuture<'_, Result<Page, StoreError>> {
        let store = self.world().store.clone();
        self.asked(async move { store.list(query).await })
    }

    fn now(&self) -> BoxFuture<'_, Result<Timestamp, StoreError>> {
        let store = self.world().store.clone();
        self.asked(async move { store.now().await })
    }
}

struct WireHeart {
    wire: Wire,
    heart: Box<dyn Heart>,
}

impl Heart for WireHeart {
    fn beat(&mut self, session: SessionId, lease: Duration) -> Result<Beat, StoreError> {
        let world = self.wire.world().clone();
        if self.wire.is_cut() || world.is_troubled() && self.wire.0.heart_cut.load(Ordering::Relaxed) {
            return Err(unreachable("the heart is cut off"));
        }
        if world.happens(world.plan.wire.beat) {
            if world.happens(500) {
                drop(self.heart.beat(session, lease));
            }
            return Err(unreachable("a beat was lost"));
        }
        self.heart.beat(session, lease)
    }
}
