//! Named places in the life of a worker process at which it dies, or is held until a file lets it go.
//!
//! The store is the only door to the world, so what stands in front of it sees every command: nothing of the product
//! knows of failpoints. A new command, action or end of an owner's write has a [`Kind`], or this does not compile; a
//! kind has its failpoints without anybody naming them.

use std::fmt;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use workflow::journal::command::{Action, Command, Reply, Then};
use workflow::store::{Beat, BoxFuture, Heart, Store, StoreError};
use workflow::words::id::SessionId;

use crate::in_front::Between;

/// What a process says when its failpoint is met, before the name of it.
pub const MET: &str = "MET";
/// How long a command that is alone in its batch is held back for others, where a batch is to be cut at it.
const HELD_FOR: Duration = Duration::from_millis(100);

macro_rules! kinds {
    ($($kind:ident),+ $(,)?) => {
        /// What a command does: one for each command, but that controls are told apart by what they do, and owners'
        /// writes by what comes next.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "each is named as the command, action or end of a write that it is")]
        pub enum Kind { $($kind),+ }

        impl Kind {
            /// All there are.
            pub const ALL: &[Self] = &[$(Self::$kind),+];
        }
    };
}

kinds!(
    Create,
    Send,
    Pause,
    Resume,
    Terminate,
    Restart,
    RestartFrom,
    Delete,
    OpenSession,
    CloseSession,
    Fence,
    Recover,
    Lease,
    Claim,
    Hold,
    Suspend,
    Finish,
    Park,
    Release,
    Clear,
    Mark,
    Forked,
    WakeDue,
    Unstick,
    Sent,
    Expire,
);

impl Kind {
    /// What a command does.
    #[must_use]
    pub const fn of(command: &Command) -> Self {
        match command {
            Command::Create(_) => Self::Create,
            Command::Send(_) => Self::Send,
            Command::Control(control) => match &control.action {
                Action::Pause => Self::Pause,
                Action::Resume => Self::Resume,
                Action::Terminate { .. } => Self::Terminate,
                Action::Restart => Self::Restart,
                Action::RestartFrom { .. } => Self::RestartFrom,
                Action::Delete => Self::Delete,
            },
            Command::OpenSession { .. } => Self::OpenSession,
            Command::CloseSession { .. } => Self::CloseSession,
            Command::Fence { .. } => Self::Fence,
            Command::Recover { .. } => Self::Recover,
            Command::Lease(_) => Self::Lease,
            Command::Claim(_) => Self::Claim,
            Command::Own(write) => match &write.write.then {
                Then::Hold => Self::Hold,
                Then::Suspend { .. } => Self::Suspend,
                Then::Finish(_) => Self::Finish,
                Then::Park(_) => Self::Park,
                Then::Release => Self::Release,
                Then::Clear => Self::Clear,
                Then::Mark => Self::Mark,
                Then::Forked => Self::Forked,
            },
            Command::WakeDue { .. } => Self::WakeDue,
            Command::Unstick { .. } => Self::Unstick,
            Command::Sent { .. } => Self::Sent,
            Command::Expire { .. } => Self::Expire,
        }
    }

    /// Whether it shares its batches with others: a session is opened before anything else is asked for, and closed
    /// when nothing else is.
    const fn travels(self) -> bool {
        !matches!(self, Self::OpenSession | Self::CloseSession)
    }
}

/// A place where a process can die.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Failpoint {
    /// A batch with such a command is about to be carried out.
    Before(Kind),
    /// It was, and the answer is not seen.
    After(Kind),
    /// Of a batch of several, what comes up to such a command is carried out, and the rest is not. Where it is the last,
    /// what comes before it. A command that is alone in its batch waits for the next one.
    Amid(Kind),
    /// A body has had its effect, and goes on.
    BodyBegan,
    /// A body has ended; its result is with nobody.
    BodyEnded,
    /// The heart is about to beat.
    BeforeBeat,
    /// It has, and the answer is not seen.
    AfterBeat,
}

impl Failpoint {
    /// All there are.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let of_commands = Kind::ALL.iter().flat_map(|kind| {
            let amid = kind.travels().then_some(Self::Amid(*kind));
            [Self::Before(*kind), Self::After(*kind)].into_iter().chain(amid)
        });
        of_commands.chain([Self::BodyBegan, Self::BodyEnded, Self::BeforeBeat, Self::AfterBeat]).collect()
    }

    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|point| point.to_string() == name)
    }

    /// The kind of commands it is about.
    #[must_use]
    pub const fn kind(self) -> Option<Kind> {
        match self {
            Self::Before(kind) | Self::After(kind) | Self::Amid(kind) => Some(kind),
            Self::BodyBegan | Self::BodyEnded | Self::BeforeBeat | Self::AfterBeat => None,
        }
    }

    /// Whether it is met only by a process that was asked to end.
    #[must_use]
    pub const fn is_met_at_the_end(self) -> bool {
        matches!(self.kind(), Some(Kind::Release | Kind::CloseSession))
    }

    /// Whether a process meets it many times a second while it works.
    #[must_use]
    pub const fn is_frequent(self) -> bool {
        match self {
            Self::Before(kind) | Self::After(kind) => {
                matches!(kind, Kind::Create | Kind::Send | Kind::Claim | Kind::Hold | Kind::Suspend | Kind::WakeDue)
            }
            Self::BodyBegan | Self::BodyEnded => true,
            Self::Amid(_) | Self::BeforeBeat | Self::AfterBeat => false,
        }
    }
}

impl fmt::Display for Failpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Before(kind) => write!(f, "before-{kind:?}"),
            Self::After(kind) => write!(f, "after-{kind:?}"),
            Self::Amid(kind) => write!(f, "amid-{kind:?}"),
            Self::BodyBegan | Self::BodyEnded | Self::BeforeBeat | Self::AfterBeat => write!(f, "{self:?}"),
        }
    }
}

/// What happens where a failpoint is met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// The process dies at once, as by SIGKILL: nothing is written any more, nobody is told.
    Dies,
    /// What met it stands still until this file is there. What runs beside it goes on.
    WaitsFor(PathBuf),
}

/// A failpoint of this process.
#[derive(Debug)]
pub struct Trap {
    at: Failpoint,
    /// How many times it is passed by, and met the next time.
    left: AtomicU64,
    fate: Fate,
    /// A batch of one command of the kind at which one is to be cut, and its partition.
    held: Mutex<Option<(usize, Vec<Command>)>>,
}

impl Trap {
    /// One that is met for the `times`-th time, from 1.
    #[must_use]
    pub fn new(at: Failpoint, times: u64, fate: Fate) -> Arc<Self> {
        Arc::new(Self { at, left: AtomicU64::new(times), fate, held: Mutex::new(None) })
    }

    /// Whether this is the time.
    fn is_time(&self) -> bool {
        self.left.fetch_sub(1, Ordering::Relaxed) == 1
    }

    fn is_met(&self, point: Failpoint) -> bool {
        point == self.at && self.is_time()
    }

    fn say(&self) {
        // One write, so that lines of two processes do not mix. Who cannot write it is not believed to have met it.
        drop(std::io::stderr().write_all(format!("{} {MET} {}\n", std::process::id(), self.at).as_bytes()));
    }

    fn die(&self) -> ! {
        self.say();
        std::process::abort()
    }

    /// Passes a place that may be the failpoint.
    pub async fn pass(&self, point: Failpoint) {
        if !self.is_met(point) {
            return;
        }
        match &self.fate {
            Fate::Dies => self.die(),
            Fate::WaitsFor(file) => {
                self.say();
                let mut looks = tokio::time::interval(Duration::from_millis(1));
                while !file.exists() {
                    looks.tick().await;
                }
            }
        }
    }

    /// The same for what runs outside of the runtime, which is not held.
    fn pass_at_once(&self, point: Failpoint) {
        if self.is_met(point) {
            self.die();
        }
    }

    /// Carries a batch out, or one half of it.
    async fn cut(
        &self,
        store: &dyn Store,
        partition: usize,
        mut batch: Vec<Command>,
        kind: Kind,
    ) -> Result<Vec<Reply>, StoreError> {
        let held = self.held.lock().await.take_if(|held| held.0 == partition);
        if let Some((_, alone)) = held
            && self.is_time()
        {
            // Both could have been one batch.
            self.half(store, partition, alone).await;
        }
        let found = batch.iter().position(|command| Kind::of(command) == kind);
        if let Some(place) = found.filter(|_| batch.len() > 1)
            && self.is_time()
        {
            let last = place + 1 == batch.len();
            batch.truncate(if last { place } else { place + 1 });
            self.half(store, partition, batch).await;
        } else if found.is_some() && batch.len() == 1 {
            *self.held.lock().await = Some((partition, batch.clone()));
            // Until the next batch dies with it, or for so long.
            drop(tokio::time::timeout(HELD_FOR, std::future::pending::<()>()).await);
            *self.held.lock().await = None;
        }
        store.execute(partition, batch).await
    }

    async fn half(&self, store: &dyn Store, partition: usize, half: Vec<Command>) -> ! {
        // Whether it could be carried out or not, nobody hears of it.
        drop(store.execute(partition, half).await);
        self.die()
    }
}

/// A store in front of which a process has a failpoint.
#[derive(Debug)]
pub struct Failing(pub Arc<Trap>);

impl Between for Failing {
    fn execute<'a>(
        &'a self,
        store: &'a dyn Store,
        partition: usize,
        batch: Vec<Command>,
    ) -> BoxFuture<'a, Result<Vec<Reply>, StoreError>> {
        let trap = &*self.0;
        if let Failpoint::Amid(kind) = trap.at {
            return Box::pin(trap.cut(store, partition, batch, kind));
        }
        let concerned = trap.at.kind().is_some_and(|kind| batch.iter().any(|command| Kind::of(command) == kind));
        if !concerned {
            return store.execute(partition, batch);
        }
        Box::pin(async move {
            if matches!(trap.at, Failpoint::Before(_)) {
                trap.pass(trap.at).await;
            }
            let replies = store.execute(partition, batch).await?;
            if matches!(trap.at, Failpoint::After(_)) {
                trap.pass(trap.at).await;
            }
            Ok(replies)
        })
    }

    fn heart(&self, store: &dyn Store) -> Result<Box<dyn Heart>, StoreError> {
        Ok(Box::new(FailingHeart { heart: store.heart()?, trap: self.0.clone() }))
    }
}

struct FailingHeart {
    heart: Box<dyn Heart>,
    trap: Arc<Trap>,
}

impl Heart for FailingHeart {
    fn beat(&mut self, session: SessionId, lease: Duration) -> Result<Beat, StoreError> {
        self.trap.pass_at_once(Failpoint::BeforeBeat);
        let beat = self.heart.beat(session, lease)?;
        self.trap.pass_at_once(Failpoint::AfterBeat);
        Ok(beat)
    }
}
