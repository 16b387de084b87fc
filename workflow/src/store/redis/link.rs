//! The link to the server: what the store asks goes through here, on two connections that come back by themselves.
//!
//! Scripts, which write, go on one connection; reads and administration on another, so that a long answer does not hold
//! up commits. Both live on one thread of the link's own, see [`super::dial`], so that they outlive the runtime that opened
//! the store; requests that are handed over together are written together. The thread ends with the last clone of the
//! link. Called by the store, [`super::check`] and views.

use std::sync::Arc;
use std::time::Duration;

use redis::{Pipeline, Value};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use super::check::Expected;
use super::dial::{Dialer, on_own_thread};
use super::lane::{Answers, Job, Work, serve};
use super::script::Script;
use super::url::Target;
use crate::store::StoreError;

/// The keys and the arguments of one call of a script.
pub(super) type Request = (Vec<Vec<u8>>, Vec<Vec<u8>>);

/// One server. Clones share its connections.
#[derive(Debug, Clone)]
pub(super) struct Link {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    shown: String,
    dialer: Dialer,
    scripts: mpsc::UnboundedSender<Job>,
    reads: mpsc::UnboundedSender<Job>,
    /// The link's thread.
    thread: Handle,
}

impl Link {
    /// Connects.
    ///
    /// # Errors
    /// When there is no connection within five seconds, or the server refuses us.
    pub(super) async fn open(target: Target) -> Result<Self, StoreError> {
        let dialer = Dialer::new(&target)?;
        let (scripts, script_jobs) = mpsc::unbounded_channel();
        let (reads, read_jobs) = mpsc::unbounded_channel();
        let serving = dialer.clone();
        let shown = target.shown().to_owned();
        let thread = on_own_thread("workflow-redis", target.shown(), async move {
            tokio::join!(serve(serving.clone(), script_jobs), serve(serving, read_jobs));
        })?;
        let link = Self { shared: Arc::new(Shared { shown, dialer, scripts, reads, thread }) };
        // Nothing is asked: it is answered as soon as there is a connection.
        let scripts_up = link.send(&link.shared.scripts, Work::Read(Pipeline::new()));
        let reads_up = link.send(&link.shared.reads, Work::Read(Pipeline::new()));
        link.hear(scripts_up).await?;
        link.hear(reads_up).await?;
        Ok(link)
    }

    /// From now on a new connection is used only when the server is still what was found.
    pub(super) fn expect(&self, expected: Expected) {
        self.shared.dialer.expect(expected);
    }

    /// Runs a script.
    ///
    /// The future can be dropped: what was asked is carried out all the same.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] within ten seconds when there is no answer: it may have been carried out or not. Else
    /// what the script or the server said.
    pub(super) async fn run(
        &self,
        script: &Arc<Script>,
        keys: Vec<Vec<u8>>,
        arguments: Vec<Vec<u8>>,
    ) -> Result<Value, StoreError> {
        let mut values = self.run_all(script, vec![(keys, arguments)]).await?;
        values.pop().ok_or_else(|| self.gone())
    }

    /// Runs a script several times, with keys and arguments for each time, in order.
    ///
    /// # Errors
    /// As [`Self::run`], when any of them fails; the others may have been carried out.
    pub(super) async fn run_all(&self, script: &Arc<Script>, calls: Vec<Request>) -> Result<Vec<Value>, StoreError> {
        let mut pipeline = Pipeline::with_capacity(calls.len());
        for (keys, arguments) in &calls {
            pipeline.add_command(script.call(keys, arguments));
        }
        let work = Work::Calls { script: script.clone(), calls: pipeline };
        let answered = self.send(&self.shared.scripts, work);
        self.hear(answered).await
    }

    /// Carries out commands that change nothing or may be carried out twice; one value for each that is not ignored.
    ///
    /// # Errors
    /// As [`Self::run`], when any of them fails.
    pub(super) async fn read(&self, commands: Pipeline) -> Result<Vec<Value>, StoreError> {
        let answered = self.send(&self.shared.reads, Work::Read(commands));
        self.hear(answered).await
    }

    /// Waits, by a clock that no test holds still.
    pub(super) async fn pause(&self, length: Duration) {
        // An error says that the thread is gone, and then the next request says so too.
        let _ = self.shared.thread.spawn(tokio::time::sleep(length)).await;
    }

    fn send(&self, lane: &mpsc::UnboundedSender<Job>, work: Work) -> oneshot::Receiver<Answers> {
        let (caller, answered) = oneshot::channel();
        // When the lane is gone so is the job, and the receiver says it.
        let _ = lane.send(Job { work, caller, again: false });
        answered
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
