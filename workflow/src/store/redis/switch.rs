//! Leads what is asked to the server that has it, and finds the servers again when they have moved.
//!
//! ```text
//!            ┌─▶ lane of scripts ─▶ one primary ◀─ lane of reads ◀─┐
//!   jobs ─▶ switch                                                 ├─ switch
//!            └─▶ lane of scripts ─▶ another     ◀─ lane of reads ◀─┘
//! ```
//!
//! Owns the lanes, two for each server, and where the servers are: one topology, shared with whoever else connects. It is
//! looked for again when a lane or a heart doubts it, when a server says that a slot is another's, and from time to time; at
//! most twice a second. A lane whose server is no primary any more is left. A single server is a topology that never
//! changes. What nobody carried out is asked again for a moment; then its caller is told. Called by [`super::link`], on its
//! thread.

use std::collections::HashMap;
use std::future::pending;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::check::Expected;
use super::dial::Dialer;
use super::finder::Finder;
use super::job::{Job, Route, Turn, Work};
use super::lane::{self, News, Order};
use super::places::{Address, Place};
use super::topology::Topology;
use super::url::Target;
use crate::store::StoreError;

/// How often sentinels are asked although nobody doubts where the primary is: one that was replaced may not know it.
const ASK_SENTINELS_EVERY: Duration = Duration::from_secs(10);
/// The same of a cluster, whose nodes say by themselves what is another's, and take no writes while they are cut off.
const ASK_NODES_EVERY: Duration = Duration::from_secs(60);
/// How often at most.
const FIND_EVERY_MIN: Duration = Duration::from_millis(500);
/// How long a job is asked again that nobody carries out, because its slot is on its way.
const TURNED_WITHIN: Duration = Duration::from_secs(2);
/// How often a job follows its slot at once; then it pauses.
const FOLLOWED_AT_ONCE: u32 = 3;
/// The first pause of a job that waits for its slot, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(200));

const MOVING: &str = "the slot of these keys is on its way to another node, and its partition pauses until it is there";
const NOBODY: &str = "no node of the cluster has the slot of these keys now";

/// Where the servers are, for those who connect on their own.
#[derive(Debug, Clone)]
pub(super) struct Whereabouts {
    known: watch::Receiver<Option<Arc<Topology>>>,
    news: mpsc::UnboundedSender<News>,
}

impl Whereabouts {
    /// As far as is known; nothing before the first answer.
    pub(super) fn now(&self) -> Option<Arc<Topology>> {
        self.known.borrow().clone()
    }

    /// A server did not answer as it should: it may have been replaced.
    pub(super) fn doubt(&self) {
        // When the link is gone nobody looks any more.
        let _ = self.news.send(News::Doubt);
    }

    /// Waits until something has moved; for ever once the link is gone.
    pub(super) async fn moved(&mut self) {
        if self.known.changed().await.is_err() {
            pending().await
        }
    }
}

type Finding = Pin<Box<dyn Future<Output = Result<Topology, StoreError>> + Send>>;

/// The lanes of one server.
#[derive(Debug)]
struct Lanes {
    scripts: mpsc::UnboundedSender<Order>,
    reads: mpsc::UnboundedSender<Order>,
}

#[derive(Debug)]
enum Search {
    /// There is nothing to find: the url says where the server is.
    Never,
    /// Begins then.
    At(Instant),
    /// Is under way.
    Now { doubted: bool },
}

/// Where everything that is asked goes through.
pub(super) struct Switch {
    target: Target,
    expected: Arc<OnceLock<Expected>>,
    known: watch::Sender<Option<Arc<Topology>>>,
    lanes: HashMap<Address, Lanes>,
    serving: JoinSet<()>,
    news: mpsc::UnboundedReceiver<News>,
    tell: mpsc::UnboundedSender<News>,
    search: Search,
    finding: Option<Finding>,
    /// When the last search began.
    began: Option<Instant>,
    /// What waits for the first topology.
    waiting: Vec<Job>,
    /// What pauses before it is asked again.
    pausing: JoinSet<Job>,
}

impl Switch {
    pub(super) fn new(target: Target, expected: Arc<OnceLock<Expected>>) -> Self {
        let (tell, news) = mpsc::unbounded_channel();
        let (known, search) = match target.place() {
            Place::Server(address) => (Some(Arc::new(Topology::of_one(address.clone()))), Search::Never),
            Place::Sentinels { .. } | Place::Cluster { .. } => (None, Search::Now { doubted: true }),
        };
        Self {
            target,
            expected,
            known: watch::channel(known).0,
            lanes: HashMap::new(),
            serving: JoinSet::new(),
            news,
            tell,
            search,
            finding: None,
            began: None,
            waiting: Vec::new(),
            pausing: JoinSet::new(),
        }
    }

    pub(super) fn whereabouts(&self) -> Whereabouts {
        Whereabouts { known: self.known.subscribe(), news: self.tell.clone() }
    }

    /// Answers jobs until nobody can ask any more.
    pub(super) async fn serve(mut self, mut jobs: mpsc::UnboundedReceiver<Job>) {
        if !matches!(self.search, Search::Never) {
            self.find();
        }
        loop {
            tokio::select! {
                job = jobs.recv() => match job {
                    Some(job) => self.lead(job),
                    None => break,
                },
                Some(news) = self.news.recv() => self.hear(news),
                Some(job) = self.pausing.join_next() => if let Ok(job) = job { self.lead(job) },
                found = under_way(&mut self.finding) => self.learn(found),
                () = due(&self.search) => self.find(),
                Some(_) = self.serving.join_next() => {}
            }
        }
        // Lanes end once they have answered what was sent.
        self.lanes.clear();
        while self.serving.join_next().await.is_some() {}
    }

    // ---- jobs

    fn lead(&mut self, job: Job) {
        let address = match &job.route {
            Route::Node(address) => address.clone(),
            Route::Slot(slot) => {
                let known = self.known.borrow().clone();
                let Some(topology) = known else {
                    self.waiting.push(job);
                    return self.doubt();
                };
                match topology.owner(*slot) {
                    Some(address) => address.clone(),
                    None => {
                        self.doubt();
                        return job.answer(Err(self.unavailable(NOBODY)));
                    }
                }
            }
        };
        self.give(&address, job);
    }

    fn give(&mut self, address: &Address, job: Job) {
        if !self.lanes.contains_key(address) {
            match self.open(address) {
                Ok(lanes) => self.lanes.insert(address.clone(), lanes),
                Err(error) => return job.answer(Err(error)),
            };
        }
        let lanes = &self.lanes[address];
        let lane = match &job.work {
            Work::Calls { .. } => &lanes.scripts,
            Work::Read(_) => &lanes.reads,
        };
        // A lane ends only when it is told to, or by a panic: then the job is gone, and its caller learns that.
        let _ = lane.send(Order::Ask(job));
        if lane.is_closed() {
            self.lanes.remove(address);
        }
    }

    fn open(&mut self, address: &Address) -> Result<Lanes, StoreError> {
        let dialer = Dialer::new(&self.target, address, self.expected.clone())?;
        let (scripts, of_scripts) = mpsc::unbounded_channel();
        let (reads, of_reads) = mpsc::unbounded_channel();
        self.serving.spawn(lane::serve(dialer.clone(), of_scripts, self.tell.clone()));
        self.serving.spawn(lane::serve(dialer, of_reads, self.tell.clone()));
        Ok(Lanes { scripts, reads })
    }

    fn hear(&mut self, news: News) {
        match news {
            News::Doubt => self.doubt(),
            News::Turned(job, turn, error) => self.lead_on(job, turn, error),
        }
    }

    /// A job was not carried out where it was asked.
    fn lead_on(&mut self, mut job: Job, turn: Turn, error: StoreError) {
        let is_cluster = matches!(self.target.place(), Place::Cluster { .. });
        // Of a single server it is told what the server says, and of one that was named there is no other.
        if !matches!(job.route, Route::Slot(_)) || (turn != Turn::Unsent && !is_cluster) {
            return job.answer(Err(error));
        }
        let until = *job.until.get_or_insert_with(|| Instant::now() + TURNED_WITHIN);
        if Instant::now() >= until {
            self.doubt();
            return job.answer(Err(self.unavailable(MOVING)));
        }
        job.turns += 1;
        job.asking = false;
        let at_once = job.turns <= FOLLOWED_AT_ONCE;
        match turn {
            Turn::Moved(slot, address) => {
                self.give_slot(slot, &address);
                if at_once { self.lead(job) } else { self.pause(job) }
            }
            Turn::Asked(address) if at_once => {
                job.asking = true;
                self.give(&address, job);
            }
            Turn::Unsent if at_once => self.lead(job),
            Turn::Asked(_) | Turn::Unsent | Turn::Later => self.pause(job),
        }
    }

    fn pause(&mut self, job: Job) {
        let (shortest, longest) = PAUSES;
        let length = (shortest * (1 << job.turns.min(8))).min(longest);
        self.pausing.spawn(async move {
            tokio::time::sleep(length).await;
            job
        });
    }

    // ---- where the servers are

    /// A node has said whose a slot is. That is newer than what was told before, and soon asked for.
    fn give_slot(&mut self, slot: super::topology::Slot, address: &Address) {
        let known = self.known.borrow().clone();
        if let Some(topology) = known.filter(|topology| topology.owner(slot) != Some(address)) {
            self.known.send_replace(Some(Arc::new(topology.with(slot, address))));
        }
        self.doubt();
    }

    /// Looks for the servers again, if not just done.
    fn doubt(&mut self) {
        match &mut self.search {
            Search::Never => {}
            Search::Now { doubted } => *doubted = true,
            Search::At(at) => {
                let soonest = self.began.map_or_else(Instant::now, |began| began + FIND_EVERY_MIN);
                *at = (*at).min(soonest);
            }
        }
    }

    fn find(&mut self) {
        let (finder, known) = (Finder::new(self.target.clone()), self.known.borrow().clone());
        self.finding = Some(Box::pin(async move { finder.find(known.as_deref()).await }));
        self.began = Some(Instant::now());
        self.search = Search::Now { doubted: false };
    }

    fn learn(&mut self, found: Result<Topology, StoreError>) {
        self.finding = None;
        let doubted = matches!(self.search, Search::Now { doubted: true });
        let rest = match self.target.place() {
            Place::Cluster { .. } => ASK_NODES_EVERY,
            Place::Server(_) | Place::Sentinels { .. } => ASK_SENTINELS_EVERY,
        };
        self.search = Search::At(Instant::now() + rest);
        match found {
            Ok(topology) => self.adopt(topology),
            Err(error) => {
                tracing::debug!(store = self.target.shown(), %error, "nobody says where the servers of the store are");
                for job in std::mem::take(&mut self.waiting) {
                    job.answer(Err(error.clone()));
                }
            }
        }
        if doubted {
            self.doubt();
        }
    }

    fn adopt(&mut self, topology: Topology) {
        let before = self.known.borrow().clone();
        if before.as_deref() != Some(&topology) {
            let store = self.target.shown();
            let primaries: Vec<String> = topology.primaries().iter().map(ToString::to_string).collect();
            let primaries = primaries.join(",");
            if before.is_some_and(|before| before.primaries() != topology.primaries()) {
                tracing::info!(store, primaries, "the store's primaries are others now");
            }
            self.known.send_replace(Some(Arc::new(topology.clone())));
        }
        let primaries = topology.primaries();
        self.lanes.retain(|address, lanes| {
            let stays = primaries.contains(address);
            if !stays {
                // One that is gone need not be told.
                let _ = lanes.scripts.send(Order::Leave);
                let _ = lanes.reads.send(Order::Leave);
            }
            stays
        });
        for job in std::mem::take(&mut self.waiting) {
            self.lead(job);
        }
    }

    fn unavailable(&self, message: &str) -> StoreError {
        StoreError::Unavailable { store: self.target.shown().to_owned(), message: message.to_owned() }
    }
}

/// Waits for what is found, if anything is looked for.
async fn under_way(finding: &mut Option<Finding>) -> Result<Topology, StoreError> {
    match finding {
        Some(finding) => finding.await,
        None => pending().await,
    }
}

/// Waits until the servers are to be looked for.
async fn due(search: &Search) {
    match search {
        Search::At(at) => tokio::time::sleep_until(*at).await,
        Search::Never | Search::Now { .. } => pending().await,
    }
}
