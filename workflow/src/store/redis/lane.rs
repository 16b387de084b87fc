//! One connection and what is asked on it, in order; comes back by itself.
//!
//! ```text
//!            ┌── lost ───────────────────────┐
//! Dialing ──▶ Up                             ▼
//!    ▲   └── failed ──▶ Down ── pause ──▶ Dialing
//! ```
//!
//! Owns a request until it is answered: a caller that goes away takes nothing back that was queued. A request waits for
//! a connection that is being made, and for nothing else: between two tries it is refused at once. What was written
//! when the connection was lost ends as [`StoreError::Unavailable`], for its outcome is not known; only reads are asked
//! again. Called by [`super::link`], on its thread.

use std::collections::BTreeSet;
use std::future::pending;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Pipeline, RedisError, Value};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinError, JoinSet};
use tokio::time::Sleep;

use super::dial::Dialer;
use super::fault::{Doing, ends_connection, is_script_missing, store_error};
use super::pauses::Pauses;
use super::script::Script;
use crate::store::StoreError;

/// How long replicas have to say that they have a write: well within the time an answer may take.
pub(super) const REPLICATED_WITHIN: Duration = Duration::from_secs(2);

/// What is asked.
pub(super) enum Work {
    /// Calls of one script, carried out in order.
    Calls { script: Arc<Script>, calls: Pipeline },
    /// Commands that change nothing, or may be carried out twice.
    Read(Pipeline),
}

/// One answer for each command.
pub(super) type Answers = Result<Vec<Value>, StoreError>;

/// What is asked, and by whom.
pub(super) struct Job {
    pub(super) work: Work,
    pub(super) caller: oneshot::Sender<Answers>,
    /// It was lost once and is asked for the second time.
    pub(super) again: bool,
}

type Dialed = Result<MultiplexedConnection, StoreError>;

enum Line {
    /// Connected. `answered` once it has answered anything: only then is a new try made at once when it is lost.
    /// `known`: the scripts that the server has, by name.
    Up { connection: MultiplexedConnection, answered: bool, known: Known },
    /// Connecting, with those who wait for it.
    Dialing { dialed: Pin<Box<dyn Future<Output = Dialed> + Send>>, waiting: Vec<Job> },
    /// Not connected for a moment, and why.
    Down { pause: Pin<Box<Sleep>>, error: StoreError },
}

/// The scripts that a server has carried out on a connection.
type Known = Arc<Mutex<BTreeSet<&'static str>>>;

enum Change {
    Dialed(Dialed),
    Again,
}

/// How a job ended.
struct Ended {
    /// On which of the lane's connections.
    number: u64,
    /// The connection is of no more use.
    lost: bool,
    /// It failed. It is not answered yet: a caller that asks again at once must not meet the same connection.
    failed: Option<(Job, StoreError)>,
    /// To be asked again.
    again: Option<Job>,
}

struct Lane {
    dialer: Arc<Dialer>,
    line: Line,
    pauses: Pauses,
    /// Of the newest connection.
    number: u64,
    running: JoinSet<Ended>,
}

/// Answers jobs until nobody can ask any more and the last is answered.
pub(super) async fn serve(dialer: Dialer, mut jobs: mpsc::UnboundedReceiver<Job>) {
    let dialer = Arc::new(dialer);
    let line = Lane::dialing(dialer.clone(), Vec::new());
    let mut lane = Lane { dialer, line, pauses: Pauses::new(), number: 0, running: JoinSet::new() };
    loop {
        tokio::select! {
            job = jobs.recv() => match job {
                Some(job) => lane.take(job),
                None => break,
            },
            Some(ended) = lane.running.join_next() => lane.finish(ended),
            change = lane.line.changed() => lane.turn(change),
        }
    }
    // Nobody waits, but what was sent shall arrive.
    while lane.running.join_next().await.is_some() {}
}

impl Line {
    /// Waits until it is another one. Nothing is lost when the future is dropped.
    async fn changed(&mut self) -> Change {
        match self {
            Self::Up { .. } => pending().await,
            Self::Dialing { dialed, .. } => Change::Dialed(dialed.await),
            Self::Down { pause, .. } => {
                pause.await;
                Change::Again
            }
        }
    }
}

impl Lane {
    fn dialing(dialer: Arc<Dialer>, waiting: Vec<Job>) -> Line {
        Line::Dialing { dialed: Box::pin(async move { dialer.dial().await }), waiting }
    }

    fn take(&mut self, job: Job) {
        match &mut self.line {
            Line::Up { connection, known, .. } => {
                let (connection, known, number) = (connection.clone(), known.clone(), self.number);
                self.running.spawn(carry_out(connection, known, number, self.dialer.clone(), job));
            }
            Line::Dialing { waiting, .. } => waiting.push(job),
            Line::Down { error, .. } => answer(job, Err(error.clone())),
        }
    }

    fn turn(&mut self, change: Change) {
        match change {
            Change::Again => self.line = Self::dialing(self.dialer.clone(), Vec::new()),
            Change::Dialed(Ok(connection)) => {
                self.number += 1;
                tracing::debug!(store = self.dialer.shown(), number = self.number, "connected to the store");
                for job in self.replace(Line::Up { connection, answered: false, known: Known::default() }) {
                    self.take(job);
                }
            }
            Change::Dialed(Err(error)) => {
                tracing::debug!(store = self.dialer.shown(), %error, "no connection to the store");
                for job in self.go_down(error.clone()) {
                    answer(job, Err(error.clone()));
                }
            }
        }
    }

    fn finish(&mut self, ended: Result<Ended, JoinError>) {
        // A panic has dropped the caller's channel, which tells the caller.
        let Ok(ended) = ended else {
            tracing::error!(store = self.dialer.shown(), "the connection's own code failed on a request");
            return;
        };
        if ended.number == self.number {
            self.judge(ended.lost);
        }
        if let Some(job) = ended.again {
            self.take(job);
        }
        if let Some((job, error)) = ended.failed {
            answer(job, Err(error));
        }
    }

    /// Learns from an answer on the newest connection what it is worth.
    fn judge(&mut self, lost: bool) {
        let Line::Up { answered, .. } = &mut self.line else { return };
        match (lost, *answered) {
            (false, _) => {
                *answered = true;
                self.pauses.reset();
            }
            (true, true) => self.line = Self::dialing(self.dialer.clone(), Vec::new()),
            // The newest connection was worth nothing from the start: another one is not made at once.
            (true, false) => {
                let store = self.dialer.shown().to_owned();
                let message = "the connection was lost; connecting again".to_owned();
                self.go_down(StoreError::Unavailable { store, message });
            }
        }
    }

    fn go_down(&mut self, error: StoreError) -> Vec<Job> {
        let pause = Box::pin(tokio::time::sleep(self.pauses.next()));
        self.replace(Line::Down { pause, error })
    }

    /// Changes the line; gives back who waited for the one before.
    fn replace(&mut self, line: Line) -> Vec<Job> {
        match std::mem::replace(&mut self.line, line) {
            Line::Dialing { waiting, .. } => waiting,
            Line::Up { .. } | Line::Down { .. } => Vec::new(),
        }
    }
}

async fn carry_out(
    mut connection: MultiplexedConnection,
    known: Known,
    number: u64,
    dialer: Arc<Dialer>,
    job: Job,
) -> Ended {
    let (outcome, doing) = match &job.work {
        Work::Calls { script, calls } => {
            let mut outcome = call_in_order(&mut connection, &known, script, calls).await;
            if script.writes && dialer.replicas() > 0 && outcome.is_ok() {
                match replicate(&mut connection, &dialer).await {
                    Ok(None) => {}
                    Ok(Some(short)) => return Ended { number, lost: false, failed: Some((job, short)), again: None },
                    Err(error) => outcome = Err(error),
                }
            }
            (outcome, Doing::Script(script.name))
        }
        Work::Read(commands) => (read(&mut connection, commands).await, Doing::Asking),
    };
    let error = match outcome {
        Ok(values) => {
            answer(job, Ok(values));
            return Ended { number, lost: false, failed: None, again: None };
        }
        Err(error) => error,
    };
    let lost = ends_connection(&error);
    // A connection that was idle may be long gone, and a read tells nobody anything by being asked twice.
    let again = !job.again && matches!(job.work, Work::Read(_)) && error.is_connection_dropped();
    if again {
        return Ended { number, lost, failed: None, again: Some(Job { again: true, ..job }) };
    }
    let told = store_error(dialer.shown(), doing, &error);
    Ended { number, lost, failed: Some((job, told)), again: None }
}

/// Waits until enough replicas have all that was written on this connection; what to tell when they do not in time. Every
/// call of the transitions writes, if only its number, so that a repeat waits for what the first call wrote.
async fn replicate(connection: &mut MultiplexedConnection, dialer: &Dialer) -> Result<Option<StoreError>, RedisError> {
    let wanted = dialer.replicas();
    let mut wait = redis::cmd("WAIT");
    wait.arg(wanted).arg(REPLICATED_WITHIN.as_millis().to_string());
    let have: u64 = wait.query_async(connection).await?;
    if have >= u64::from(wanted) {
        return Ok(None);
    }
    let message = format!(
        "{have} of {wanted} replicas have it, {REPLICATED_WITHIN:?} after it was written: it is asked for again until they do; \
         see whether the replicas run and are connected"
    );
    Ok(Some(StoreError::Unavailable { store: dialer.shown().to_owned(), message }))
}

fn answer(job: Job, answers: Answers) {
    // The caller may be gone.
    let _ = job.caller.send(answers);
}

async fn read(connection: &mut MultiplexedConnection, commands: &Pipeline) -> Result<Vec<Value>, RedisError> {
    if commands.is_empty() {
        return Ok(Vec::new());
    }
    commands.query_async(connection).await
}

/// Calls a script. Calls go out together only where the server has the script: else another client could give it to the
/// server between two of them, and the second would be carried out before the first.
async fn call_in_order(
    connection: &mut MultiplexedConnection,
    known: &Known,
    script: &Script,
    calls: &Pipeline,
) -> Result<Vec<Value>, RedisError> {
    let is_known = || known.lock().unwrap_or_else(PoisonError::into_inner).contains(script.name);
    if calls.len() <= 1 || is_known() {
        return call(connection, script, calls).await;
    }
    let (mut first, mut rest) = (Pipeline::with_capacity(1), Pipeline::with_capacity(calls.len()));
    for (at, command) in calls.cmd_iter().enumerate() {
        if at == 0 { &mut first } else { &mut rest }.add_command(command.clone());
    }
    let mut values = call(connection, script, &first).await?;
    known.lock().unwrap_or_else(PoisonError::into_inner).insert(script.name);
    values.extend(call(connection, script, &rest).await?);
    Ok(values)
}

/// Calls a script; when the server does not have it, gives it and makes those calls that were not carried out.
async fn call(
    connection: &mut MultiplexedConnection,
    script: &Script,
    calls: &Pipeline,
) -> Result<Vec<Value>, RedisError> {
    if calls.is_empty() {
        return Ok(Vec::new());
    }
    let mut values = connection.send_packed_commands(calls, 0, calls.len()).await?;
    let missing: Vec<usize> = (0..values.len())
        .filter(|at| matches!(&values[*at], Value::ServerError(error) if is_script_missing(error)))
        .collect();
    if !missing.is_empty() {
        let mut rest = Pipeline::with_capacity(missing.len() + 1);
        rest.add_command(script.load());
        for command in calls.cmd_iter().enumerate().filter_map(|(at, command)| missing.contains(&at).then_some(command))
        {
            rest.add_command(command.clone());
        }
        let mut answers = connection.send_packed_commands(&rest, 0, rest.len()).await?.into_iter();
        answers.next().unwrap_or_default().extract_error()?;
        for (at, value) in missing.into_iter().zip(answers) {
            values[at] = value;
        }
    }
    values.into_iter().map(Value::extract_error).collect()
}

#[cfg(test)]
mod tests {
    use redis::RedisConnectionInfo;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

    use super::*;

    /// A server that does not have the script when it is asked first, and is given it by someone else right after.
    /// Gives what it carried out.
    async fn serve_and_forget_once(mut stream: DuplexStream) -> Vec<String> {
        let (mut read, mut done, mut has_script) = (Vec::new(), Vec::new(), false);
        while stream.read_buf(&mut read).await.expect("a stream") > 0 {
            while let Some((words, length)) = command(&read) {
                read.drain(..length);
                let answer: &[u8] = match words[0].as_str() {
                    "EVALSHA" if has_script => {
                        done.push(words[3].clone());
                        b":1\r\n"
                    }
                    "EVALSHA" => b"-NOSCRIPT No matching script.\r\n",
                    _ => b"+OK\r\n",
                };
                has_script = true;
                stream.write_all(answer).await.expect("a stream");
            }
        }
        done
    }

    /// The first whole command, and its length.
    fn command(read: &[u8]) -> Option<(Vec<String>, usize)> {
        let line = |from: usize| {
            let length = read.get(from..)?.windows(2).position(|pair| pair == b"\r\n")?;
            Some((std::str::from_utf8(&read[from + 1..from + length]).ok()?.parse::<usize>().ok()?, from + length + 2))
        };
        let (count, mut at) = line(0)?;
        let mut words = Vec::new();
        for _ in 0..count {
            let (length, from) = line(at)?;
            words.push(String::from_utf8_lossy(read.get(from..from + length)?).into_owned());
            at = from + length + 2;
        }
        (at <= read.len()).then_some((words, at))
    }

    #[tokio::test]
    async fn calls_are_carried_out_in_order_though_another_client_brings_the_script() {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let script = Script::new("one", "return 1".to_owned());
        let mut calls = Pipeline::new();
        for number in ["1", "2", "3"] {
            calls.add_command(script.call(&[], &[number.as_bytes().to_vec()]));
        }
        let known = Known::default();
        let asking = async {
            let settings = RedisConnectionInfo::default().set_skip_set_lib_name();
            let (mut connection, driver) = MultiplexedConnection::new(&settings, ours).await.expect("nothing is asked");
            tokio::select! {
                values = call_in_order(&mut connection, &known, &script, &calls) => values.expect("they are answered"),
                () = driver => panic!("the connection ends after the calls"),
            }
        };
        let (done, values) = tokio::join!(serve_and_forget_once(theirs), asking);
        assert_eq!(values, vec![Value::Int(1); 3]);
        assert_eq!(done, ["1", "2", "3"]);
        assert!(known.lock().expect("nobody panics").contains("one"));
    }
}
