//! A household that asks a store for everything there is to ask: workflows of every kind, and customers who create,
//! tell, pause, resume, restart, terminate and delete, and write down what was acknowledged.

use std::path::Path;
use std::time::Duration;

use workflow::Subject;
use workflow::prelude::*;

use crate::effects::Effects;
use crate::errands::{Note, Runner, Spot, errand};

/// How long a body of [`linger`] takes besides: longer than the leases of tests that crash processes.
const LINGERS: Duration = Duration::from_millis(900);
/// How long a customer waits for a result, and for what is to be seen: longer than it takes to recover from a crash on a
/// machine that does much else.
const PATIENCE: Duration = Duration::from_secs(15);
/// Errands that a household has at a time.
const ERRANDS_AT_A_TIME: u64 = 5;
/// The numbers of notes: the last ends the errand.
pub const NOTES: [u64; 2] = [1, 2];
/// Why customers terminate.
pub const ENOUGH: &str = "enough";

/// A body that is still there when a lease has passed.
#[workflow]
pub async fn linger(#[resource] runner: &Runner) -> workflow::Result<u64> {
    let run = info().await.run;
    let worked = step!("linger", |cx| async move {
        let worked = runner.work(cx, "linger", Spot { run, seen: 0 }).await?;
        runner.take_time(LINGERS).await;
        Ok::<_, std::io::Error>(worked)
    });
    Ok(worked.await?)
}

/// Code that cannot go on once its step has a result.
#[workflow]
pub async fn stumble(#[resource] runner: &Runner) -> workflow::Result<u64> {
    let run = info().await.run;
    let tried = step!("try", |cx| runner.work(cx, "try", Spot { run, seen: 0 })).await?;
    assert!(tried == 0, "it stumbles");
    Ok(tried)
}

/// What a customer was told, or is about to ask for where it may never hear the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ack {
    /// It exists.
    Created,
    /// The first note of the current run is accepted.
    ToldFirst,
    /// The last one is.
    ToldLast,
    /// It is terminated, for good.
    Terminated,
    /// It gave its result.
    Returned,
    /// It may be deleted from now on.
    Deleting,
}

impl Ack {
    const ALL: [Self; 6] =
        [Self::Created, Self::ToldFirst, Self::ToldLast, Self::Terminated, Self::Returned, Self::Deleting];
}

/// Everything that customers wrote down, in order.
///
/// # Panics
/// When a line is not one.
#[must_use]
pub fn acks(file: &Path) -> Vec<(String, Ack)> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let parse = |line: &str| {
        let (id, name) = line.split_once('\t').unwrap_or_else(|| panic!("no acknowledgement: {line:?}"));
        let ack = Ack::ALL.into_iter().find(|ack| format!("{ack:?}") == name);
        (id.to_owned(), ack.unwrap_or_else(|| panic!("no acknowledgement: {line:?}")))
    };
    text.lines().map(parse).collect()
}

/// Everyone who asks something of one engine.
#[derive(Debug, Clone)]
pub struct Household {
    engine: Engine,
    acks: Effects,
    name: String,
}

impl Household {
    /// One whose instances have ids that begin with `name`.
    #[must_use]
    pub const fn new(engine: Engine, acks: Effects, name: String) -> Self {
        Self { engine, acks, name }
    }

    /// Asks for everything, again and again, until the engine ends.
    pub async fn live(&self) {
        let errands = async |first: u64| {
            for number in (first..).step_by(ERRANDS_AT_A_TIME as usize) {
                self.say(self.run_errand(number).await);
            }
        };
        let lingering = async {
            for number in 0_u64.. {
                self.say(self.let_linger(number).await);
            }
        };
        let stumbling = async {
            for number in 0_u64.. {
                self.say(self.let_stumble(number).await);
            }
        };
        tokio::join!(errands(0), errands(1), errands(2), errands(3), errands(4), lingering, stumbling);
    }

    /// What is no surprise beside crashes is not said: a run that ended or began anew meanwhile.
    fn say(&self, outcome: Result<(), EngineError>) {
        use EngineError::{Finished, NoSuchStep, Refused};
        match outcome {
            Ok(()) | Err(Refused { .. } | Finished { .. } | NoSuchStep { .. }) => {}
            Err(error) => eprintln!("{} a customer was told: {error}", std::process::id()),
        }
    }

    fn note(&self, id: &str, ack: Ack) {
        self.acks.append(&format!("{id}\t{ack:?}\n")).expect("the file of acknowledgements can be written");
    }

    async fn run_errand(&self, number: u64) -> Result<(), EngineError> {
        let id = format!("{}-errand-{number}", self.name);
        let handle = errand::create(&self.engine, number).id(&id).await?;
        self.note(&id, Ack::Created);
        match number % 4 {
            0 => {
                self.tell(&handle, false).await?;
                self.tell(&handle, true).await?;
            }
            1 => {
                handle.pause().await?;
                self.tell(&handle, false).await?;
                handle.resume().await?;
                self.tell(&handle, true).await?;
            }
            2 => {
                // Once something of it is recorded.
                if !waits_for(&handle, State::Waiting).await? {
                    return Ok(());
                }
                handle.restart_from("leave").await?;
                self.tell(&handle, false).await?;
                self.tell(&handle, true).await?;
            }
            _ => {
                handle.restart().await?;
                handle.terminate(ENOUGH).await?;
                self.note(&id, Ack::Terminated);
                return Ok(());
            }
        }
        let returned = handle.result_within(PATIENCE).await;
        if !returned.as_ref().err().is_none_or(workflow::ResultError::is_final) {
            return Ok(());
        }
        self.note(&id, Ack::Returned);
        if number.is_multiple_of(2) {
            self.note(&id, Ack::Deleting);
            handle.delete().await?;
        }
        Ok(())
    }

    async fn tell(&self, handle: &Handle<errand>, last: bool) -> Result<(), EngineError> {
        let number = NOTES[usize::from(last)];
        handle.send(Note::new(number, last)).id(format!("note-{number}")).await?;
        self.note(handle.id(), if last { Ack::ToldLast } else { Ack::ToldFirst });
        Ok(())
    }

    async fn let_linger(&self, number: u64) -> Result<(), EngineError> {
        let id = format!("{}-linger-{number}", self.name);
        let handle = linger::create(&self.engine).id(&id).await?;
        self.note(&id, Ack::Created);
        if handle.result_within(PATIENCE).await.is_ok() {
            self.note(&id, Ack::Returned);
        }
        Ok(())
    }

    async fn let_stumble(&self, number: u64) -> Result<(), EngineError> {
        let id = format!("{}-stumble-{number}", self.name);
        let handle = stumble::create(&self.engine).id(&id).await?;
        self.note(&id, Ack::Created);
        if !waits_for(&handle, State::Paused).await? {
            return Ok(());
        }
        if number.is_multiple_of(2) {
            // It stumbles over the same again.
            handle.restart_from("try").await?;
            if !waits_for(&handle, State::Paused).await? {
                return Ok(());
            }
        }
        handle.terminate(ENOUGH).await?;
        self.note(&id, Ack::Terminated);
        if number % 2 == 1 {
            self.note(&id, Ack::Deleting);
            handle.delete().await?;
        }
        Ok(())
    }
}

/// Whether it comes to a state while a customer has the patience.
async fn waits_for<W: Subject>(handle: &Handle<W>, state: State) -> Result<bool, EngineError> {
    let seen = tokio::time::timeout(PATIENCE, handle.until(|status| status.state == state)).await;
    seen.map_or(Ok(false), |seen| seen.map(|status| status.state == state))
}
