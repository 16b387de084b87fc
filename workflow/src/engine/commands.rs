//! Group commit: every write of an engine goes through here, one lane per partition of the store.
//!
//! ```text
//! send() ──▶ queue ──▶ worker 1 ─▶ Store::execute ─▶ replies
//! send() ──▶ (one  ──▶ worker 2 ─▶ …                         few batches in flight;
//! send() ──▶  lane)──▶ worker 3                              each drains what is queued, nobody waits to fill
//! ```
//!
//! Owns the commands until they are answered: a caller that goes away never cancels a write. An outcome that is not
//! known is asked for again, with the same commands and therefore the same request ids, until the store answers. Never
//! looks into payloads. Called by everything that writes: drives, claims, sweeps, clients.

use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use serde::{Serialize, Serializer};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::backoff::Backoff;
use super::estimate::StoreTime;
use super::lane::{Answer, Batch, Lane, Sending};
use super::meter;
use super::supervise::{Supervisor, lock};
use crate::journal::command::{Claim, ClaimReply, Command, Create, CreateReply, OwnReply, OwnerWrite, Reply};
use crate::store::{BoxFuture, LostWrites, Store, StoreError};

/// Batches in flight at once for each partition: one is on its way while the next is gathered and the last is answered.
const IN_FLIGHT: usize = 3;
/// The first pause before a batch is sent again.
const RESEND_FIRST: Duration = Duration::from_millis(20);
/// The longest.
const RESEND_LONGEST: Duration = Duration::from_secs(2);

/// How the store answers this engine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct StoreHealth {
    /// Whether the newest batch was answered.
    pub answering: bool,
    /// Whether the newest look at an instance, a list or the overview was, as far as handles of this engine asked.
    pub readable: bool,
    /// Batches that were sent again because their outcome was not known.
    pub resends: u64,
    /// The newest error.
    pub last_error: Option<String>,
    /// How often the store was found to have lost writes that it had acknowledged, since this engine started.
    pub losses: u64,
    /// How many calls at least were lost, each with up to 64 commands, of this process and others.
    pub lost_calls: u64,
    /// When that was noticed last, by this machine's clock.
    #[serde(serialize_with = "as_time")]
    pub lost_at: Option<SystemTime>,
}

fn as_time<S: Serializer>(time: &Option<SystemTime>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(|time| humantime::format_rfc3339_millis(time).to_string()).serialize(serializer)
}

/// The way to the store for everything that writes.
pub struct Commands {
    shared: Arc<Shared>,
}

struct Shared {
    store: Arc<dyn Store>,
    lanes: Vec<Lane>,
    time: Arc<StoreTime>,
    answering: AtomicBool,
    readable: AtomicBool,
    resends: AtomicU64,
    last_error: Mutex<Option<String>>,
}

impl Commands {
    /// Starts the workers of every partition under this supervisor.
    pub(crate) fn start(store: Arc<dyn Store>, time: Arc<StoreTime>, supervisor: &Supervisor) -> Self {
        let lanes = (0..store.partitions()).map(|_| Lane::new()).collect();
        let shared = Arc::new(Shared {
            store,
            lanes,
            time,
            answering: AtomicBool::new(true),
            readable: AtomicBool::new(true),
            resends: AtomicU64::new(0),
            last_error: Mutex::new(None),
        });
        for partition in 0..shared.lanes.len() {
            for worker in 0..IN_FLIGHT {
                let shared = shared.clone();
                supervisor.watch(format!("commands {partition}.{worker}"), move || {
                    let shared = shared.clone();
                    async move { shared.work(partition).await }
                });
            }
        }
        Self { shared }
    }

    /// Carries out a command and gives its answer.
    ///
    /// A store that cannot be reached is tried again without end. Dropping the future after it was polled once does not
    /// take the command back.
    ///
    /// # Errors
    /// When the store holds damaged data where the command looks, or the engine shuts down. Whether the command was
    /// carried out is then not known.
    ///
    /// # Durability
    /// What was answered is kept, to the durability of the store.
    pub async fn send(&self, command: Command) -> Result<Reply, StoreError> {
        let partition = self.partition_of(&command);
        self.send_to(partition, command).await
    }

    /// As [`Self::send`], to the partition named: for commands that are not about one instance.
    pub(crate) async fn send_to(&self, partition: usize, command: Command) -> Result<Reply, StoreError> {
        self.answer_to(partition, command, Sending::default()).await
    }

    /// Queued when this is called, not when it is polled, unless the lane is full.
    fn answer_to(
        &self,
        partition: usize,
        command: Command,
        sending: Sending,
    ) -> impl Future<Output = Result<Reply, StoreError>> + Send + '_ {
        let (answer, answered) = oneshot::channel();
        let room = self.submit(partition, command, Answer::Caller(answer), sending);
        async move {
            if let Some(room) = room {
                room.await;
            }
            answered.await.unwrap_or_else(|_| Err(self.shared.gone()))
        }
    }

    /// As [`Self::send`], for at most this long.
    ///
    /// # Errors
    /// Also when there was no answer in time. A command that may have been sent may still be carried out.
    pub async fn send_within(&self, command: Command, limit: Duration) -> Result<Reply, StoreError> {
        let partition = self.partition_of(&command);
        self.send_to_within(partition, command, limit).await
    }

    /// As [`Self::send_within`], to the partition named.
    pub(crate) async fn send_to_within(
        &self,
        partition: usize,
        command: Command,
        limit: Duration,
    ) -> Result<Reply, StoreError> {
        let deadline = Instant::now() + limit;
        let answered = self.answer_to(partition, command, Sending { deadline: Some(deadline), again: false });
        tokio::time::timeout_at(deadline, answered).await.unwrap_or_else(|_| {
            let message = lock(&self.shared.last_error).clone();
            Err(self.shared.unavailable(message.unwrap_or_else(|| format!("no answer within {limit:?}"))))
        })
    }

    /// Queues a command, to be answered on the channel given back: for several at once.
    pub(crate) async fn begin(&self, command: Command) -> oneshot::Receiver<Result<Reply, StoreError>> {
        let (answer, answered) = oneshot::channel();
        let partition = self.partition_of(&command);
        if let Some(room) = self.submit(partition, command, Answer::Caller(answer), Sending::default()) {
            room.await;
        }
        answered
    }

    /// Carries out a create; `then` gets the answer even when the caller is gone.
    pub(crate) async fn create_then(
        &self,
        create: Create,
        then: impl FnOnce(Result<CreateReply, StoreError>) + Send + 'static,
    ) {
        let command = Command::Create(create);
        let partition = self.partition_of(&command);
        let shared = Arc::downgrade(&self.shared);
        let answer = move |reply| {
            then(match reply {
                Ok(Reply::Create(reply)) => Ok(reply),
                Err(error) => Err(error),
                Ok(_) => Err(match shared.upgrade() {
                    Some(shared) => shared.misfit(),
                    None => StoreError::Damaged { store: String::new(), message: MISFIT.to_owned() },
                }),
            });
        };
        if let Some(room) = self.submit(partition, command, Answer::Call(Box::new(answer)), Sending::default()) {
            room.await;
        }
    }

    /// Carries out an owner's write. `again`: its request was sent before, and how it ended is not known.
    pub(crate) fn own(
        &self,
        write: OwnerWrite,
        again: bool,
    ) -> impl Future<Output = Result<OwnReply, StoreError>> + Send + '_ {
        let command = Command::Own(write);
        let partition = self.partition_of(&command);
        let answered = self.answer_to(partition, command, Sending { deadline: None, again });
        async move {
            match answered.await? {
                Reply::Own(reply) => Ok(reply),
                _ => Err(self.shared.misfit()),
            }
        }
    }

    /// Claims from one partition. Also says whether it was sent more than once: then the store may have given all of it to
    /// an earlier try, whose answer is lost, and does not say again what that spent.
    pub(crate) async fn claim(&self, partition: usize, claim: Claim) -> Result<(ClaimReply, bool), StoreError> {
        let (answer, answered) = oneshot::channel();
        let command = Command::Claim(claim);
        if let Some(room) = self.submit(partition, command, Answer::Claimer(answer), Sending::default()) {
            room.await;
        }
        match answered.await.unwrap_or_else(|_| Err(self.shared.gone()))? {
            (Reply::Claim(reply), resent) => Ok((reply, resent)),
            _ => Err(self.shared.misfit()),
        }
    }

    /// How many partitions there are.
    pub(crate) fn partitions(&self) -> usize {
        self.shared.lanes.len()
    }

    /// How the store answers.
    pub(crate) fn health(&self) -> StoreHealth {
        let LostWrites { times, calls, newest_at } = self.shared.store.lost_writes().borrow().clone();
        StoreHealth {
            answering: self.shared.answering.load(Ordering::Relaxed),
            readable: self.shared.readable.load(Ordering::Relaxed),
            resends: self.shared.resends.load(Ordering::Relaxed),
            last_error: lock(&self.shared.last_error).clone(),
            losses: times,
            lost_calls: calls,
            lost_at: newest_at,
        }
    }

    /// Notes for health how a question was answered that went past the lanes.
    pub(crate) fn was_read<T>(&self, outcome: &Result<T, StoreError>) {
        let error = outcome.as_ref().err().filter(|error| matches!(error, StoreError::Unavailable { .. }));
        self.shared.readable.store(error.is_none(), Ordering::Relaxed);
        if let Some(error) = error {
            *lock(&self.shared.last_error) = Some(error.to_string());
        }
    }

    /// What is answered when the engine is gone before the store answered.
    pub(crate) fn gone(&self) -> StoreError {
        self.shared.gone()
    }

    /// What is answered when the store answered something else than what was asked.
    pub(crate) fn misfit(&self) -> StoreError {
        self.shared.misfit()
    }

    fn submit(
        &self,
        partition: usize,
        command: Command,
        answer: Answer,
        sending: Sending,
    ) -> Option<BoxFuture<'_, ()>> {
        self.shared.lanes[partition].push(command, answer, sending)
    }

    fn partition_of(&self, command: &Command) -> usize {
        match command {
            Command::Lease(lease) => self.shared.store.home_of(&lease.name),
            _ => command.instance().map_or(0, |id| self.shared.store.partition_of(id)),
        }
    }
}

impl fmt::Debug for Commands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Commands").field("health", &self.health()).finish_non_exhaustive()
    }
}

const MISFIT: &str = "it answered another command than the one that was sent";

impl Shared {
    async fn work(&self, partition: usize) -> Result<(), StoreError> {
        let lane = &self.lanes[partition];
        loop {
            let batch = lane.next_batch().await;
            self.carry_out(partition, batch).await;
        }
    }

    /// Sends a batch until each of its commands is answered.
    async fn carry_out(&self, partition: usize, mut batch: Batch<'_>) {
        let mut backoff = Backoff::new(RESEND_FIRST, RESEND_LONGEST);
        while let Err(error) = self.try_once(partition, &mut batch).await {
            batch.is_held_up();
            if lasting(&error) {
                if batch.len() == 1 {
                    return batch.fail(&error);
                }
                self.one_by_one(partition, &mut batch).await;
                continue;
            }
            self.resends.fetch_add(1, Ordering::Relaxed);
            meter::resent();
            backoff.pause().await;
            batch.forget_late(&error);
        }
    }

    /// One of the commands meets damage: it alone must fail, not its neighbours.
    async fn one_by_one(&self, partition: usize, batch: &mut Batch<'_>) {
        let mut unanswered = Vec::new();
        while let Some(mut single) = batch.split_first() {
            match self.try_once(partition, &mut single).await {
                Ok(()) => {}
                Err(error) if lasting(&error) => single.fail(&error),
                Err(_) => unanswered.extend(single.take()),
            }
        }
        batch.restore(unanswered);
    }

    async fn try_once(&self, partition: usize, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        if batch.len() == 0 {
            return Ok(());
        }
        let first = batch.set_out();
        let asked = Instant::now();
        let outcome = match self.store.execute(partition, batch.commands()).await {
            Ok(replies) if replies.len() == batch.len() => Ok(replies),
            Ok(_) => Err(self.misfit()),
            Err(error) => Err(error),
        };
        self.answering.store(outcome.is_ok(), Ordering::Relaxed);
        match outcome {
            Ok(replies) => {
                self.lanes[partition].is_out_of_trouble();
                self.hear(asked, replies.iter().zip(first).filter_map(|(reply, first)| first.then_some(reply)));
                batch.answer(replies);
                Ok(())
            }
            Err(error) => {
                let message = error.to_string();
                *lock(&self.last_error) = Some(message.clone());
                if self.lanes[partition].is_new_trouble(&message) {
                    tracing::warn!(error = message, commands = batch.len(), "the store did not carry out a batch");
                }
                Err(error)
            }
        }
    }

    /// Sets the estimate of the store's time: at once, as it ages from the moment an answer came. Only from answers to
    /// what was sent for the first time: a repeat may be answered with the first outcome, which tells the time of then.
    fn hear<'a>(&self, asked: Instant, replies: impl DoubleEndedIterator<Item = &'a Reply>) {
        let said = replies.rev().find_map(|reply| match reply {
            Reply::Own(OwnReply::Ok(granted) | OwnReply::Continue(granted)) => Some(granted.now),
            Reply::Claim(ClaimReply::Given { now, .. }) => Some(*now),
            Reply::Create(CreateReply::Created { claimed: Some(claimed) }) => Some(claimed.granted.now),
            _ => None,
        });
        if let Some(said) = said {
            self.time.heard(asked, said);
        }
    }

    fn misfit(&self) -> StoreError {
        StoreError::Damaged { store: self.store.describe(), message: MISFIT.to_owned() }
    }

    fn gone(&self) -> StoreError {
        self.unavailable("the engine has shut down".to_owned())
    }

    fn unavailable(&self, message: String) -> StoreError {
        StoreError::Unavailable { store: self.store.describe(), message }
    }
}

/// Whether sending the same again gives the same error.
const fn lasting(error: &StoreError) -> bool {
    matches!(error, StoreError::Damaged { .. } | StoreError::Url { .. })
}
