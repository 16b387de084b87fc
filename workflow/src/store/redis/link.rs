//! The link to the servers: what the store asks goes through here, on connections that come back by themselves.
//!
//! Of each server, scripts, which write, go on one connection; reads and administration on another, so that a long
//! answer does not hold up commits. All live on one thread of the link's own, see [`super::dial`], so that they outlive
//! the runtime that opened the store; requests that are handed over together are written together. The thread ends with
//! the last clone of the link. Called by the store, [`super::check`] and views.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use redis::{Cmd, Pipeline, Value};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::check::Expected;
use super::dial::{on_own_thread, pause_on};
use super::job::{Answers, Job, Route, Work};
use super::places::Address;
use super::script::Script;
use super::switch::{Switch, Whereabouts};
use super::topology::Slot;
use super::url::Target;
use crate::store::StoreError;

/// The keys and the arguments of one call of a script.
pub(super) type Request = (Vec<Vec<u8>>, Vec<Vec<u8>>);

/// The servers of one store. Clones share the connections.
#[derive(Debug, Clone)]
pub(super) struct Link {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    shown: String,
    expected: Arc<OnceLock<Expected>>,
    jobs: mpsc::UnboundedSender<Job>,
    whereabouts: Whereabouts,
    /// The link's thread.
    thread: Handle,
}

impl Link {
    /// Connects to whoever has a slot.
    ///
    /// # Errors
    /// When nobody says within two seconds who that is, there is no connection within five, or the server refuses us.
    pub(super) async fn open(target: Target, slot: Slot) -> Result<Self, StoreError> {
        let expected = Arc::default();
        let switch = Switch::new(target.clone(), Arc::clone(&expected));
        let whereabouts = switch.whereabouts();
        let (jobs, asked) = mpsc::unbounded_channel();
        let shown = target.shown().to_owned();
        let thread = on_own_thread("workflow-redis", target.shown(), switch.serve(asked))?;
        let link = Self { shared: Arc::new(Shared { shown, expected, jobs, whereabouts, thread }) };
        // Nothing is asked: it is answered as soon as there is a connection.
        let script = Arc::new(Script::new("none", String::new()));
        let scripts_up = link.send(Route::Slot(slot), Work::Calls { script, calls: Pipeline::new() });
        let reads_up = link.send(Route::Slot(slot), Work::Read(Pipeline::new()));
        link.hear(scripts_up).await?;
        link.hear(reads_up).await?;
        Ok(link)
    }

    /// From now on a new connection is used only when the server is still what was found.
    pub(super) fn expect(&self, expected: Expected) {
        // What was found first is what the store works with.
        let _ = self.shared.expected.set(expected);
    }

    /// Where the servers are, for those who connect on their own.
    pub(super) fn whereabouts(&self) -> Whereabouts {
        self.shared.whereabouts.clone()
    }

    /// Every server that takes writes, as far as is known.
    pub(super) fn primaries(&self) -> Vec<Address> {
        let known = self.shared.whereabouts.now();
        known.map(|topology| topology.primaries().into_iter().cloned().collect()).unwrap_or_default()
    }

    /// Runs a script where its keys are.
    ///
    /// The future can be dropped: what was asked is carried out all the same.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] within ten seconds when there is no answer: it may have been carried out or not.
    /// Else what the script or the server said.
    pub(super) async fn run(
        &self,
        script: &Arc<Script>,
        keys: Vec<Vec<u8>>,
        arguments: Vec<Vec<u8>>,
    ) -> Result<Value, StoreError> {
        let slot = Slot::of(keys.first().map(Vec::as_slice).unwrap_or_default());
        let mut values = self.run_all(script, slot, [script.call(&keys, &arguments)]).await?;
        values.pop().ok_or_else(|| self.gone())
    }

    /// Runs a script without keys on one server.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub(super) async fn run_at(
        &self,
        address: &Address,
        script: &Arc<Script>,
        arguments: Vec<Vec<u8>>,
    ) -> Result<Value, StoreError> {
        let mut calls = Pipeline::with_capacity(1);
        calls.add_command(script.call(&[][..], &arguments[..]));
        let work = Work::Calls { script: script.clone(), calls };
        let mut values = self.hear(self.send(Route::Node(address.clone()), work)).await?;
        values.pop().ok_or_else(|| self.gone())
    }

    /// Carries out calls of a script, in order, whose keys are all of one slot.
    ///
    /// # Errors
    /// As [`Self::run`], when any of them fails; the others may have been carried out.
    pub(super) async fn run_all(
        &self,
        script: &Arc<Script>,
        slot: Slot,
        calls: impl IntoIterator<Item = Cmd>,
    ) -> Result<Vec<Value>, StoreError> {
        let mut pipeline = Pipeline::new();
        for call in calls {
            pipeline.add_command(call);
        }
        let answered = self.send(Route::Slot(slot), Work::Calls { script: script.clone(), calls: pipeline });
        self.hear(answered).await
    }

    /// Carries out commands on keys of one slot that change nothing or may be carried out twice; one value for each.
    ///
    /// # Errors
    /// As [`Self::run`], when any of them fails.
    pub(super) async fn read(&self, slot: Slot, commands: Pipeline) -> Result<Vec<Value>, StoreError> {
        let answered = self.send(Route::Slot(slot), Work::Read(commands));
        self.hear(answered).await
    }

    /// The same, where what the server refuses is an answer too, and fails no other.
    ///
    /// # Errors
    /// As [`Self::run`], but for errors of single commands.
    pub(super) async fn read_each(&self, slot: Slot, commands: Pipeline) -> Result<Vec<Value>, StoreError> {
        let (mut job, answered) = Job::new(Work::Read(commands), Route::Slot(slot));
        job.each = true;
        self.give(job);
        self.hear(answered).await
    }

    /// The same for commands without keys, on one server.
    ///
    /// # Errors
    /// As [`Self::run`], when any of them fails.
    pub(super) async fn read_at(&self, address: &Address, commands: Pipeline) -> Result<Vec<Value>, StoreError> {
        let answered = self.send(Route::Node(address.clone()), Work::Read(commands));
        self.hear(answered).await
    }

    /// Waits, by a clock that no test holds still.
    pub(super) async fn pause(&self, length: Duration) {
        // An error says that the thread is gone, and then the next request says so too.
        let _ = pause_on(&self.shared.thread, length).await;
    }

    /// Says when so much time is over, by the same clock.
    pub(super) fn timer(&self, length: Duration) -> JoinHandle<()> {
        pause_on(&self.shared.thread, length)
    }

    fn send(&self, route: Route, work: Work) -> oneshot::Receiver<Answers> {
        let (job, answered) = Job::new(work, route);
        self.give(job);
        answered
    }

    fn give(&self, job: Job) {
        // When the switch is gone so is the job, and the receiver says it.
        let _ = self.shared.jobs.send(job);
    }

    async fn hear(&self, answered: oneshot::Receiver<Answers>) -> Answers {
        answered.await.unwrap_or_else(|_| Err(self.gone()))
    }

    fn gone(&self) -> StoreError {
        StoreError::Unavailable {
            store: self.shared.shown.clone(),
            message: "the code of its connections failed".to_owned(),
        }
    }
}
