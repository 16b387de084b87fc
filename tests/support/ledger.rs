//! A workflow that is as simple as a register, the calls that clients in several processes make about it, and the log of
//! them: one line when a call begins, one when it is answered.
//!
//! All processes append to one file, each line by one write, so the order of the lines is the order of things: a call whose
//! answer stands before another's beginning was over when that one began. No clock is asked.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use workflow::ResultError;
use workflow::prelude::*;

use crate::chance::Chance;
use crate::effects::Effects;
use crate::load::Hands;

/// How long a client waits for a result before it does something else.
const RESULT_WITHIN: Duration = Duration::from_millis(60);
/// What each client does to an instance, on average.
const CALLS_EACH: u64 = 6;
/// Instances that a client has under its hands at a time.
const AT_A_TIME: usize = 3;

/// Something to write down.
#[derive(Debug, Event, Serialize, Deserialize)]
pub struct Entry {
    /// Told from others by this.
    pub number: u64,
    /// Nothing comes after it.
    pub last: bool,
}

/// Gives back the entries it was sent in this run, up to the last one.
#[workflow]
pub async fn ledger(#[resource] hands: &Hands) -> workflow::Result<Vec<u64>> {
    let mut entries = Vec::new();
    loop {
        let Entry { number, last } = wait_for::<Entry>("entry").await;
        entries.push(step!("write", key = number, |cx| hands.work(cx, "write", number)).await?);
        if last {
            return Ok(entries);
        }
    }
}

/// What a client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each is the method of a handle that it is named as")]
pub enum Call {
    Create,
    Send { number: u64, last: bool },
    Pause,
    Resume,
    Terminate { reason: u64 },
    Restart,
    Status,
    Result,
}

/// What it was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// It exists now.
    Created,
    /// It existed before, in this state.
    Exists(State),
    /// An event is accepted.
    Accepted,
    /// The run has ended, and takes no event.
    Finished,
    /// There is no such instance.
    NotFound,
    /// It is done; the state now.
    Done(State),
    /// It makes no sense in this state.
    Refused(State),
    /// A status.
    Seen {
        /// The state.
        state: State,
        /// The run.
        run: u32,
    },
    /// The output.
    Complete(Vec<u64>),
    /// The reason of a termination.
    Terminated(u64),
    /// It has not ended yet, or it is not known whether: nothing is said.
    Nothing,
    /// Whether it was carried out, or will be, is not known.
    Unknown(String),
    /// Something that nobody expects.
    Odd(String),
}

/// One line of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Line {
    /// A call begins.
    Begins {
        /// Told from all others by this.
        number: u64,
        /// Of which instance.
        id: String,
        /// What.
        call: Call,
    },
    /// It is answered.
    Ends {
        /// Which.
        number: u64,
        /// With what.
        answer: Answer,
    },
}

/// All lines of a log, in order. A line that its process was killed in is none.
///
/// # Panics
/// When another line is not one.
#[must_use]
pub fn lines(log: &Path) -> Vec<Line> {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    whole.map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line:?}: {error}"))).collect()
}

/// The id of the instance of this number.
#[must_use]
pub fn id_of(instance: usize) -> String {
    format!("ledger-{instance}")
}

/// A client that writes down what it asks for and what it is answered.
#[derive(Debug, Clone)]
pub struct Clerk {
    engine: Engine,
    log: Effects,
    calls: Arc<AtomicU64>,
}

impl Clerk {
    /// One of this process.
    #[must_use]
    pub fn new(engine: Engine, log: Effects) -> Self {
        Self { engine, log, calls: Arc::new(AtomicU64::new(u64::from(std::process::id()) << 24)) }
    }

    /// A number that no other call has.
    fn number(&self) -> u64 {
        self.calls.fetch_add(1, Ordering::Relaxed)
    }

    fn write(&self, line: &Line) {
        let text = serde_json::to_string(line).expect("a line is made of texts and numbers");
        self.log.append(&format!("{text}\n")).expect("the log of calls can be written");
    }

    /// Makes a call, and waits for at most `within` where it waits for a result.
    pub async fn call(&self, id: &str, call: Call, within: Duration) -> Answer {
        let number = self.number();
        self.write(&Line::Begins { number, id: id.to_owned(), call });
        let answer = self.ask(id, call, within).await.unwrap_or_else(|error| match error {
            EngineError::NotFound { .. } => Answer::NotFound,
            EngineError::AlreadyExists { state, .. } => Answer::Exists(state),
            EngineError::Finished { .. } => Answer::Finished,
            EngineError::Refused { state, .. } => Answer::Refused(state),
            EngineError::Store(_) | EngineError::NoAnswer { .. } => Answer::Unknown(error.to_string()),
            other => Answer::Odd(other.to_string()),
        });
        self.write(&Line::Ends { number, answer: answer.clone() });
        answer
    }

    async fn ask(&self, id: &str, call: Call, within: Duration) -> Result<Answer, EngineError> {
        if call == Call::Create {
            ledger::create(&self.engine).id(id).await?;
            return Ok(Answer::Created);
        }
        let handle = ledger::get(&self.engine, id).await?;
        Ok(match call {
            Call::Create => unreachable!("it is done"),
            Call::Send { number, last } => {
                handle.send(Entry { number, last }).id(format!("entry-{number}")).await?;
                Answer::Accepted
            }
            Call::Pause => Answer::Done(handle.pause().await?),
            Call::Resume => Answer::Done(handle.resume().await?),
            Call::Terminate { reason } => Answer::Done(handle.terminate(reason.to_string()).await?),
            Call::Restart => Answer::Done(handle.restart().await?),
            Call::Status => {
                let status = handle.status().await?;
                Answer::Seen { state: status.state, run: status.run }
            }
            Call::Result => match handle.result_within(within).await {
                Ok(entries) => Answer::Complete(entries),
                Err(ResultError::Terminated { reason }) => {
                    reason.parse().map_or_else(|_| Answer::Odd(reason), Answer::Terminated)
                }
                Err(ResultError::TimedOut { .. } | ResultError::Store(_)) => Answer::Nothing,
                Err(ResultError::Unknown { .. }) => Answer::NotFound,
                Err(other) => Answer::Odd(format!("{other:?}")),
            },
        })
    }

    /// Does random things to the instances from `first` on, a few at a time, until it has been at all of them.
    pub async fn work(&self, mut chance: Chance, first: usize, instances: usize) {
        for call in 0_u64.. {
            let oldest = first + usize::try_from(call / CALLS_EACH).expect("they were few");
            if oldest >= instances {
                return;
            }
            let newest = (oldest + AT_A_TIME - 1).min(instances - 1);
            let number = self.number();
            // Whoever comes first to an instance makes it.
            let comes = call % CALLS_EACH == 0;
            let instance = if comes { newest } else { oldest + chance.index(newest - oldest + 1) };
            let what = match chance.index(20) {
                _ if comes => Call::Create,
                0 => Call::Create,
                1..=6 => Call::Send { number, last: chance.index(5) == 0 },
                7 | 8 => Call::Pause,
                9..=11 => Call::Resume,
                12 => Call::Terminate { reason: number },
                13 | 14 => Call::Restart,
                15 => Call::Result,
                _ => Call::Status,
            };
            self.call(&id_of(instance), what, RESULT_WITHIN).await;
            crate::wait::moment(std::time::Instant::now() + chance.millis(0..20)).await;
        }
    }

    /// Brings an instance to its end, as far as is in the hands of clients.
    pub async fn close(&self, id: &str) -> Answer {
        let number = self.number();
        for call in [Call::Create, Call::Resume, Call::Send { number, last: true }] {
            self.call(id, call, crate::wait::PATIENCE).await;
        }
        self.call(id, Call::Result, crate::wait::PATIENCE).await
    }
}
