//! What an engine has of the machine it runs on: a runtime for its tasks, a place where its heart beats, a clock for leases.
//!
//! A process has the runtime it was started in, a thread of its own for the heart, and the machine's clock. A simulation
//! has all engines on one thread and in virtual time; it decides whose tasks are polled, so that one engine stands still
//! or is gone while the others go on. Owns no decision about instances. Used by the supervisor, the worker and the session.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::{AbortHandle, JoinHandle};

use crate::store::BoxFuture;

/// Whether the tasks of a simulated engine go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// They are polled.
    Goes,
    /// They are not polled now. Who asked is woken when that changes.
    Stands,
    /// They are dropped where they stand, as by a crash.
    Over,
}

/// Decides whether the tasks of a simulated engine are polled. Asked before every poll.
pub trait Gate: Send + Sync + fmt::Debug {
    /// How it is now. While it is [`Life::Stands`], the task of this context must be woken when it changes.
    fn life(&self, cx: &mut Context<'_>) -> Life;
}

/// What an engine has of its machine. Cheap to clone.
#[derive(Clone)]
pub struct Host {
    runtime: Handle,
    simulated: Option<Gates>,
}

#[derive(Clone)]
struct Gates {
    tasks: Arc<dyn Gate>,
    heart: Arc<dyn Gate>,
}

impl Host {
    /// This process, in the runtime of the caller.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn here() -> Self {
        Self { runtime: Handle::current(), simulated: None }
    }

    /// A simulated process in the caller's runtime, whose clock may be virtual: its tasks, and its heart, which is a task
    /// as well, go on as these gates say.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn simulated(tasks: Arc<dyn Gate>, heart: Arc<dyn Gate>) -> Self {
        Self { runtime: Handle::current(), simulated: Some(Gates { tasks, heart }) }
    }

    /// Starts a task. The only way in which an engine does.
    pub fn spawn<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        match &self.simulated {
            None => self.runtime.spawn(task),
            Some(Gates { tasks, .. }) => self.runtime.spawn(Gated::new(tasks.clone(), task)),
        }
    }

    /// The clock of leases. Read by the heart too.
    pub(super) const fn clock(&self) -> LeaseClock {
        if self.simulated.is_some() { LeaseClock::Runtime } else { LeaseClock::Machine }
    }

    /// Beats until `beat` gives no pause any more, or what is returned is dropped. On a thread of its own, so that no busy
    /// executor can starve it; simulated, as a task.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub(super) fn beat(&self, mut beat: impl FnMut() -> Option<Duration> + Send + 'static) -> std::io::Result<Beating> {
        let Some(Gates { heart, .. }) = &self.simulated else {
            let (stop, stopped) = channel();
            let run = move || {
                // Only a timeout means to go on: otherwise the keeper let go of its end.
                while let Some(pause) = beat() {
                    if stopped.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
                        break;
                    }
                }
            };
            // It ends by itself once `stop` is gone; joining it could block an executor for as long as a beat takes.
            std::thread::Builder::new().name("workflow-heart".to_owned()).spawn(run)?;
            return Ok(Beating::Thread { _stop: stop });
        };
        let run = async move {
            while let Some(pause) = beat() {
                tokio::time::sleep(pause).await;
            }
        };
        Ok(Beating::Task(self.runtime.spawn(Gated::new(heart.clone(), run)).abort_handle()))
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("simulated", &self.simulated.is_some()).finish_non_exhaustive()
    }
}

/// A clock that goes on while the process is frozen.
#[derive(Debug, Clone, Copy)]
pub(super) enum LeaseClock {
    /// The machine's. By the standard library: a heart on its thread is no task.
    Machine,
    /// The runtime's, which may be virtual.
    Runtime,
}

impl LeaseClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the heart beats outside of the runtime, and both must read one clock"
    )]
    pub(super) fn now(self) -> std::time::Instant {
        match self {
            Self::Machine => std::time::Instant::now(),
            Self::Runtime => tokio::time::Instant::now().into_std(),
        }
    }
}

/// A heart that beats; dropping this stops it.
pub(super) enum Beating {
    /// On its thread.
    Thread {
        /// Dropped to stop it: it notices at once, unless a beat is under way.
        _stop: Sender<()>,
    },
    /// As a task.
    Task(AbortHandle),
}

impl Drop for Beating {
    fn drop(&mut self) {
        if let Self::Task(task) = self {
            task.abort();
        }
    }
}

/// A task that goes on as its gate says.
struct Gated<T> {
    gate: Arc<dyn Gate>,
    task: Option<BoxFuture<'static, T>>,
}

impl<T> Gated<T> {
    fn new(gate: Arc<dyn Gate>, task: impl Future<Output = T> + Send + 'static) -> Self {
        Self { gate, task: Some(Box::pin(task)) }
    }
}

impl<T> Future for Gated<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        match (self.gate.life(cx), &mut self.task) {
            (Life::Goes, Some(task)) => task.as_mut().poll(cx),
            // What is over gives no answer to anybody.
            (Life::Over, task) => {
                drop(task.take());
                Poll::Pending
            }
            (Life::Stands, _) | (Life::Goes, None) => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::task::Waker;

    use crate::engine::supervise::lock;

    /// A gate that a test moves.
    #[derive(Debug)]
    struct Moved(Mutex<(Life, Vec<Waker>)>);

    impl Moved {
        fn set(&self, life: Life) {
            let mut state = lock(&self.0);
            state.0 = life;
            state.1.drain(..).for_each(Waker::wake);
        }
    }

    impl Gate for Moved {
        fn life(&self, cx: &mut Context<'_>) -> Life {
            let mut state = lock(&self.0);
            state.1.push(cx.waker().clone());
            state.0
        }
    }

    /// Says when it is dropped.
    struct Dropped(tokio::sync::mpsc::UnboundedSender<&'static str>);

    impl Drop for Dropped {
        fn drop(&mut self) {
            // Where the test is over, nobody listens.
            let _ = self.0.send("dropped");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_stands_goes_on_and_is_dropped_as_its_gate_says() {
        let gate = Arc::new(Moved(Mutex::new((Life::Stands, Vec::new()))));
        let host = Host::simulated(gate.clone(), gate.clone());
        let (say, mut said) = tokio::sync::mpsc::unbounded_channel();
        let held = Dropped(say.clone());
        let task = host.spawn(async move {
            let Dropped(say) = &held;
            say.send("began").expect("the test listens");
            std::future::pending::<()>().await;
        });
        let later = Duration::from_secs(1);
        assert!(tokio::time::timeout(later, said.recv()).await.is_err(), "it stands");
        gate.set(Life::Goes);
        assert_eq!(said.recv().await, Some("began"));
        gate.set(Life::Over);
        assert_eq!(said.recv().await, Some("dropped"));
        assert!(tokio::time::timeout(later, task).await.is_err(), "nobody hears of it");
    }

    #[tokio::test(start_paused = true)]
    async fn a_simulated_heart_beats_in_virtual_time_until_it_is_dropped() {
        let gate = Arc::new(Moved(Mutex::new((Life::Goes, Vec::new()))));
        let host = Host::simulated(gate.clone(), gate);
        let beats = Arc::new(Mutex::new(0));
        let counted = beats.clone();
        let beating = host.beat(move || {
            *lock(&counted) += 1;
            Some(Duration::from_secs(1))
        });
        let beating = beating.expect("a task can be had");
        let began = host.clock().now();
        tokio::time::sleep(Duration::from_millis(3_500)).await;
        assert_eq!((*lock(&beats), host.clock().now() - began), (4, Duration::from_millis(3_500)));
        drop(beating);
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(*lock(&beats), 4);
    }
}
