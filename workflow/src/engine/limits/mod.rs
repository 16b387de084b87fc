//! The tokens that this worker has of the limits it obeys: leased before a claim, in use while an instance is driven,
//! given back when there is no use for them.
//!
//! ```text
//!              asked for where a claim was short        claim gives        drive is over
//! store's tokens ──────────────▶ idle ──▶ reserved ──────────────▶ in use ──────────────▶ idle
//!        ▲                        │       (by a claim)  (rates: spent, told with the next request)
//!        └── given back: no claim is short of it, or nobody came for it
//! ```
//!
//! The store gives nothing without tokens, and counts a token as this worker's until it is told otherwise. So a claim
//! whose answer is not known keeps what it reserved: what it gave is given again, under the same tokens. Tokens belong
//! to a session and go with it. Owns the numbering of requests, one on its way for each limit. Called by the claim
//! loops, and by the end of every drive.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::{MutexGuard, Notify, OwnedSemaphorePermit, oneshot};
use tokio::time::Instant;

use super::backoff::jittered;
use super::session::Session;
use super::supervise::lock;
use super::worker::Worker;
use crate::journal::command::{Command, Reply};
use crate::journal::lease::{Lease, LeaseReply, LimitName};
use crate::store::StoreError;
use crate::words::id::{QueueName, SessionId, WorkflowName};

#[cfg(test)]
mod tests;

/// For how many claims a partition goes on to ask for what it was short of: what needs tokens of two limits must have
/// both at once, and they may not come at once.
const ROUNDS_WANTED: u8 = 2;
/// How long after a refusal tokens are asked for again when no hint comes; and how long what nobody uses is kept.
const ASK_EVERY: Duration = Duration::from_secs(2);
/// How long at least: the estimate of the store's time may be ahead of the clock that says when tokens are free, and a
/// refusal that says "by now" would be asked about again without a pause until that clock has come as far.
const ASK_PAUSE: Duration = Duration::from_millis(1);

/// A limit that an engine obeys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitRule {
    /// What is limited.
    pub name: LimitName,
    /// How many tokens there are, across all workers.
    pub tokens: u32,
    /// For a queue's rate: in how long a time so many runs may start.
    pub per: Option<Duration>,
}

/// The limits of a worker.
#[derive(Debug)]
pub(super) struct Limits {
    limits: Vec<Limit>,
    /// There may be tokens to give back.
    give_back: Notify,
    /// By partition: tokens came free that its claims were short of.
    freed: Vec<Notify>,
}

#[derive(Debug)]
struct Limit {
    rule: LimitRule,
    /// Held by the request that is on its way.
    asking: tokio::sync::Mutex<()>,
    hand: Mutex<Hand>,
}

/// What the worker has of a limit.
#[derive(Debug, Default)]
struct Hand {
    session: Option<SessionId>,
    /// The number of the newest request.
    number: u64,
    /// The tokens that the store counts as ours, but for those that are being given back.
    share: u32,
    /// Of these: by drives that are not over.
    in_use: u32,
    /// Of these: spent, and the store was not told.
    spent: u32,
    /// Of these: by the claims of each partition that have no answer yet.
    reserved: BTreeMap<usize, Reserved>,
    /// Partitions whose newest claim was short of tokens.
    short: BTreeSet<usize>,
    /// Partitions that were short of tokens lately, and for how many claims they ask for them still.
    wanted: BTreeMap<usize, u8>,
    /// Not to be asked for before.
    ask_at: Option<Instant>,
    /// How the newest request ended is not known: the store may count more than the share.
    unsure: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Reserved {
    tokens: u32,
    /// A claim that reserved them had no answer that could be read, or was sent again.
    doubtful: bool,
}

/// What a claim was answered, as far as limits go.
#[derive(Debug)]
pub(super) struct Told<'a> {
    pub(super) short: &'a [LimitName],
    pub(super) started: &'a [(QueueName, u32)],
    /// How many instances it asked for.
    pub(super) limit: usize,
    /// Whether it gave any.
    pub(super) gave: bool,
}

impl Hand {
    /// Tokens belong to a session: those of another are gone with it. `None` for a session that is over, whose answers
    /// may come when the next one has tokens: it is revoked before there is a next one.
    fn of(&mut self, session: &Session) -> Option<&mut Self> {
        if self.session != Some(session.id()) {
            if session.is_revoked() {
                return None;
            }
            *self = Self { session: Some(session.id()), ..Self::default() };
        }
        Some(self)
    }

    /// A claim of a partition that asked for instances was short of tokens, or not.
    fn told(&mut self, partition: usize, short: bool) {
        if short {
            self.short.insert(partition);
            self.wanted.insert(partition, ROUNDS_WANTED);
            return;
        }
        self.short.remove(&partition);
        match self.wanted.get_mut(&partition) {
            Some(rounds) if *rounds > 1 => *rounds -= 1,
            _ => drop(self.wanted.remove(&partition)),
        }
    }

    /// Whether asking for more may help.
    fn is_due(&self) -> bool {
        self.ask_at.is_none_or(|at| at <= Instant::now())
    }

    /// In use or reserved.
    fn bound(&self) -> u32 {
        self.in_use + self.reserved.values().map(|reserved| reserved.tokens).sum::<u32>()
    }

    /// What is idle is given back: from here on no claim finds it. Says what is held and what is wanted.
    fn let_go(&mut self) -> (u32, u32) {
        self.share -= self.idle();
        (self.bound(), self.bound())
    }

    /// Reserves what is idle for a claim of a partition, no more than it has slots. Says how many it has then.
    fn reserve(&mut self, partition: usize, slots: u32) -> u32 {
        let idle = self.idle();
        let reserved = self.reserved.entry(partition).or_default();
        reserved.tokens += idle.min(slots.saturating_sub(reserved.tokens));
        reserved.tokens
    }

    /// The store counts this many tokens as ours. Those that a claim has asked for are reserved for it in the same
    /// moment.
    fn granted(&mut self, tokens: u32, asks: Option<Claiming>) {
        self.share = tokens;
        if let Some(Claiming { partition, slots }) = asks {
            self.reserve(partition, slots);
        }
    }

    /// Whether something is idle that nobody is short of, or, `all`, whatever is idle.
    fn has_needless(&self, rule: &LimitRule, all: bool) -> bool {
        self.idle() > 0 && (all || self.short.is_empty() || rule.per.is_some())
    }

    fn idle(&self) -> u32 {
        self.share.saturating_sub(self.bound()).saturating_sub(self.spent)
    }
}

impl Limits {
    pub(super) fn new(rules: &[LimitRule], partitions: usize) -> Arc<Self> {
        let limit = |rule: &LimitRule| Limit {
            rule: rule.clone(),
            asking: tokio::sync::Mutex::default(),
            hand: Mutex::default(),
        };
        Arc::new(Self {
            limits: rules.iter().map(limit).collect(),
            give_back: Notify::new(),
            freed: (0..partitions).map(|_| Notify::new()).collect(),
        })
    }

    /// Whether such instances are limited here: they are given by claims only.
    pub(super) fn concern(&self, workflow: &WorkflowName, queue: &QueueName) -> bool {
        self.limits.iter().any(|limit| match &limit.rule.name {
            LimitName::Workflow(name) => name == workflow,
            LimitName::Queue(name) => name == queue,
        })
    }

    /// What a claim of a partition may give: tokens are asked for where its newest claim was short of them, and
    /// reserved until [`Self::answered`], no more than it has `slots`.
    pub(super) async fn reserve(
        &self,
        worker: &Worker,
        session: &Session,
        partition: usize,
        slots: u32,
    ) -> Vec<(LimitName, u32)> {
        let mut wanted = Vec::new();
        for (at, limit) in self.limits.iter().enumerate() {
            let mut hand = lock(&limit.hand);
            let Some(hand) = hand.of(session) else { continue };
            if let Some(reserved) = hand.reserved.get_mut(&partition) {
                reserved.doubtful = true;
            }
            // At once, as what is granted is reserved at once: a token that is idle while another limit is asked is
            // given back, and a claim that needs both would have one of them, then the other, for ever.
            let has = hand.reserve(partition, slots);
            // There are no more than it has in use already: the next one comes free here.
            let room = limit.rule.tokens.saturating_sub(hand.bound());
            let more = slots.saturating_sub(has).min(room);
            if hand.wanted.contains_key(&partition) && hand.is_due() && more > 0 {
                wanted.push((at, more));
            }
        }
        if let Err(error) = self.ask(worker, session, &wanted, Claiming { partition, slots }).await {
            // What is limited waits; everything else must not.
            tracing::warn!(%error, "tokens of a limit could not be asked for");
        }
        let reserve = |limit: &Limit| {
            let mut hand = lock(&limit.hand);
            let Some(hand) = hand.of(session) else { return (limit.rule.name.clone(), 0) };
            (limit.rule.name.clone(), hand.reserve(partition, slots))
        };
        self.limits.iter().map(reserve).collect()
    }

    /// The token under which a claim gave an instance of this workflow.
    pub(super) fn token(
        self: &Arc<Self>,
        session: &Session,
        partition: usize,
        workflow: &WorkflowName,
    ) -> Option<Token> {
        let is_of = |limit: &Limit| matches!(&limit.rule.name, LimitName::Workflow(name) if name == workflow);
        let at = self.limits.iter().position(is_of)?;
        let mut hand = lock(&self.limits[at].hand);
        let hand = hand.of(session)?;
        hand.in_use += 1;
        if let Some(reserved) = hand.reserved.get_mut(&partition) {
            reserved.tokens = reserved.tokens.saturating_sub(1);
        }
        Some(Token { limits: self.clone(), at, session: session.id() })
    }

    /// Whether something that claims of this partition were short of has tokens now: then a claim is worth making.
    pub(super) fn has_some(&self, partition: usize) -> bool {
        self.limits.iter().any(|limit| {
            let hand = lock(&limit.hand);
            hand.short.contains(&partition) && hand.reserved.get(&partition).is_some_and(|some| some.tokens > 0)
        })
    }

    /// The claim of a partition that is about to be [`answered`](Self::answered) was sent more than once: it may be
    /// given again what an earlier try was given, and what that spent is not said.
    pub(super) fn doubt(&self, partition: usize) {
        for limit in &self.limits {
            if let Some(reserved) = lock(&limit.hand).reserved.get_mut(&partition) {
                reserved.doubtful = true;
            }
        }
    }

    /// The claim that tokens were reserved for is not made.
    pub(super) fn unreserve(&self, partition: usize) {
        for limit in &self.limits {
            let mut hand = lock(&limit.hand);
            hand.reserved.remove(&partition);
            if hand.idle() > 0 {
                self.offer_idle(limit, &hand);
            }
        }
    }

    /// A claim of a partition was answered; each instance it gave has its token. What it reserved and did not use is
    /// idle. True when it was short of something that is worth asking for at once.
    pub(super) fn answered(&self, session: &Session, partition: usize, told: &Told<'_>) -> bool {
        let mut worth_asking = false;
        for limit in &self.limits {
            let mut hand = lock(&limit.hand);
            let Some(hand) = hand.of(session) else { continue };
            let reserved = hand.reserved.remove(&partition).unwrap_or_default();
            if let LimitName::Queue(queue) = &limit.rule.name {
                let started = told.started.iter().find(|(name, _)| name == queue).map_or(0, |(_, count)| *count);
                // A claim that gives again does not say what it had spent: it may be all.
                let all = reserved.doubtful && told.gave;
                hand.spent += if all { reserved.tokens } else { started.min(reserved.tokens) };
            }
            // One that asked for no instances, or was given again what it had, has not looked.
            if told.limit > 0 && !reserved.doubtful {
                let short = told.short.contains(&limit.rule.name);
                hand.told(partition, short);
                worth_asking |= short && hand.is_due();
            }
            if hand.idle() > 0 || hand.spent > 0 {
                self.offer_idle(limit, hand);
            }
        }
        worth_asking
    }

    /// Idle tokens are for claims that are short of them, else for other workers.
    fn offer_idle(&self, limit: &Limit, hand: &Hand) {
        // Tokens of a rate are not kept: as long as they are, nobody starts with them.
        if hand.short.is_empty() || limit.rule.per.is_some() {
            self.give_back.notify_one();
        }
        if hand.idle() > 0 {
            self.ring(hand);
        }
    }

    fn ring(&self, hand: &Hand) {
        hand.short.iter().for_each(|partition| self.freed[*partition].notify_one());
    }

    /// There may be tokens of a limit in the store (`None`: of any).
    pub(super) fn may_be_free(&self, name: Option<&LimitName>) {
        for limit in self.limits.iter().filter(|limit| name.is_none_or(|name| limit.rule.name == *name)) {
            let mut hand = lock(&limit.hand);
            hand.ask_at = None;
            self.ring(&hand);
        }
    }

    /// Ready when tokens came free that claims of this partition were short of.
    pub(super) async fn freed(&self, partition: usize) {
        self.freed[partition].notified().await;
    }

    /// When what claims of this partition are short of is to be asked for again.
    pub(super) fn ask_at(&self, partition: usize) -> Option<Instant> {
        let of = |limit: &Limit| {
            let hand = lock(&limit.hand);
            hand.ask_at.filter(|_| hand.short.contains(&partition))
        };
        self.limits.iter().filter_map(of).min()
    }

    /// What it has of each limit, and how much of that is in use, for health.
    pub(super) fn health(&self) -> Vec<LimitHealth> {
        let of = |limit: &Limit| {
            let hand = lock(&limit.hand);
            LimitHealth { limit: limit.rule.name.to_string(), tokens: hand.share, in_use: hand.in_use }
        };
        self.limits.iter().map(of).collect()
    }

    /// Asks for this many more tokens of each, for a claim.
    async fn ask(
        &self,
        worker: &Worker,
        session: &Session,
        wanted: &[(usize, u32)],
        claim: Claiming,
    ) -> Result<(), StoreError> {
        let mut asked = Vec::new();
        // In the order of limits: two that ask for several wait for each other, never in a circle.
        for (at, more) in wanted {
            let request = |hand: &mut Hand, rule: &LimitRule| {
                let held = hand.share.saturating_sub(hand.spent);
                (held, held.saturating_add(*more).min(rule.tokens.max(held)))
            };
            asked.extend(self.send(worker, session, *at, Some(claim), request).await);
        }
        settle(asked, worker, session).await
    }

    /// Gives back what is idle and nobody is short of, or, `all`, whatever is idle; and tells what was spent.
    async fn release(&self, worker: &Worker, session: &Session, all: bool) -> Result<(), StoreError> {
        let mut asked = Vec::new();
        for (at, limit) in self.limits.iter().enumerate() {
            {
                let mut hand = lock(&limit.hand);
                let Some(hand) = hand.of(session) else { continue };
                // One that is on its way will be answered.
                let unsure = hand.unsure && limit.asking.try_lock().is_ok();
                if !hand.has_needless(&limit.rule, all) && hand.spent == 0 && !unsure {
                    continue;
                }
            }
            asked.extend(self.send(worker, session, at, None, |hand, _| hand.let_go()).await);
        }
        settle(asked, worker, session).await
    }

    /// Sends a request when the one before it is answered. `request` says what is held and what is wanted, `asks` for
    /// which claim it may be more than there is. `None` when the session is over.
    async fn send(
        &self,
        worker: &Worker,
        session: &Session,
        at: usize,
        asks: Option<Claiming>,
        request: impl FnOnce(&mut Hand, &LimitRule) -> (u32, u32),
    ) -> Option<Asked<'_>> {
        let limit = &self.limits[at];
        let turn = limit.asking.lock().await;
        let lease = {
            let mut hand = lock(&limit.hand);
            let hand = hand.of(session)?;
            let (held, want) = request(hand, &limit.rule);
            hand.number += 1;
            hand.unsure = true;
            Lease {
                session: session.id(),
                name: limit.rule.name.clone(),
                number: hand.number,
                limit: limit.rule.tokens,
                per: limit.rule.per,
                spent: hand.spent,
                held,
                want,
            }
        };
        let (spent, want) = (lease.spent, lease.want);
        let answer = worker.commands.begin(Command::Lease(lease)).await;
        Some(Asked { limit, _turn: turn, asks, spent, want, answer })
    }
}

/// A claim that is about to be made.
#[derive(Debug, Clone, Copy)]
struct Claiming {
    partition: usize,
    /// Most that it may be given.
    slots: u32,
}

/// A request that is on its way.
struct Asked<'a> {
    limit: &'a Limit,
    _turn: MutexGuard<'a, ()>,
    asks: Option<Claiming>,
    spent: u32,
    want: u32,
    answer: oneshot::Receiver<Result<Reply, StoreError>>,
}

/// Takes the answers to all of them. One that cannot be read leaves the others as they are.
async fn settle(asked: Vec<Asked<'_>>, worker: &Worker, session: &Session) -> Result<(), StoreError> {
    let mut settled = Ok(());
    for one in asked {
        settled = settled.and(one.settle(worker, session).await);
    }
    settled
}

impl Asked<'_> {
    async fn settle(self, worker: &Worker, session: &Session) -> Result<(), StoreError> {
        let reply = self.answer.await.unwrap_or_else(|_| Err(worker.commands.gone()))?;
        let Reply::Lease(reply) = reply else { return Err(worker.commands.misfit()) };
        match reply {
            LeaseReply::Granted { tokens, free_at } => {
                let mut hand = lock(&self.limit.hand);
                let Some(hand) = hand.of(session) else { return Ok(()) };
                hand.spent -= self.spent.min(hand.spent);
                hand.granted(tokens, self.asks);
                hand.unsure = false;
                // What gives back says nothing of what there is.
                if self.asks.is_some() {
                    let left = || free_at.map(|time| worker.time.until(time));
                    hand.ask_at = (tokens < self.want).then(|| Instant::now() + ask_in(left()));
                }
            }
            // Of a later request of this session, which only another process of its name can have sent.
            LeaseReply::Late => {}
            LeaseReply::Fenced => session.revoke(),
        }
        Ok(())
    }
}

/// How long after a refusal it is worth asking again: `left` until tokens are free, as far as is known.
fn ask_in(left: Option<Duration>) -> Duration {
    left.map_or_else(|| jittered(ASK_EVERY), |left| left.clamp(ASK_PAUSE, ASK_EVERY))
}

/// Gives tokens back until the worker closes.
pub(super) async fn give_back(worker: Arc<Worker>) -> Result<(), StoreError> {
    if worker.limits.limits.is_empty() {
        worker.until_closed().await;
        return Ok(());
    }
    loop {
        let stood = tokio::select! {
            biased;
            () = worker.until_closed() => return Ok(()),
            () = worker.limits.give_back.notified() => false,
            () = tokio::time::sleep(jittered(ASK_EVERY)) => true,
        };
        if let Some(session) = worker.session.current() {
            worker.limits.release(&worker, &session, stood || worker.is_stopping()).await?;
        }
    }
}

/// The token under which an instance is driven: in use until this is dropped.
#[derive(Debug)]
pub(super) struct Token {
    limits: Arc<Limits>,
    at: usize,
    session: SessionId,
}

impl Drop for Token {
    fn drop(&mut self) {
        let limit = &self.limits.limits[self.at];
        let mut hand = lock(&limit.hand);
        // That of a session that was lost is gone with it.
        if hand.session == Some(self.session) {
            hand.in_use -= 1;
            self.limits.offer_idle(limit, &hand);
        }
    }
}

/// What a drive takes up of its worker: a place among what is driven at once, and a token where there is a limit.
#[derive(Debug)]
pub(super) struct DriveSlot {
    /// Dropped first: whoever finds the place free shall find the token as well.
    _token: Option<Token>,
    _place: OwnedSemaphorePermit,
}

impl DriveSlot {
    pub(super) const fn new(place: OwnedSemaphorePermit, token: Option<Token>) -> Self {
        Self { _token: token, _place: place }
    }
}

/// What a worker has of one limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LimitHealth {
    /// What is limited: `workflow <name>` or `queue <name>`.
    pub limit: String,
    /// The tokens it has leased.
    pub tokens: u32,
    /// How many instances it drives with them.
    pub in_use: u32,
}
