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
//! again. What the server says it has not carried out, because another has the keys, is given back. A server that is
//! silent or lost may have been replaced: that is told of, and decided elsewhere. Called by [`super::switch`], on its thread.

use std::collections::BTreeSet;
use std::future::pending;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Pipeline, RedisError, Value};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, Interval, MissedTickBehavior, Sleep};

use super::dial::Dialer;
use super::fault::{Doing, ends_connection, is_cut_off, is_script_missing};
use super::job::{Job, Outcome, Turn, Work};
use super::pauses::Pauses;
use super::script::Script;
use crate::store::StoreError;

/// A server that says nothing for so long while it is asked may have been replaced.
const SILENT: Duration = Duration::from_secs(2);
/// How often it is looked whether a server is silent.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long answers are waited for on a server that was replaced: it may be frozen.
const LEAVE_WITHIN: Duration = Duration::from_secs(1);

/// What a lane is told.
#[expect(clippy::large_enum_variant, reason = "nearly all are jobs")]
pub(super) enum Order {
    Ask(Job),
    /// The server was replaced: nothing is asked of it any more.
    Leave,
}

/// What a lane tells.
#[expect(clippy::large_enum_variant, reason = "none is kept for long")]
pub(super) enum News {
    /// A job that the server did not carry out, and what to tell the caller if nobody else does.
    Turned(Job, Turn, StoreError),
    /// The server may have been replaced.
    Doubt,
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
    /// The server may have been replaced.
    doubtful: bool,
    rest: Rest,
}

/// What is to be done with a job that has ended.
enum Rest {
    Nothing,
    /// It failed. It is not answered yet: a caller that asks again at once must not meet the same connection.
    Failed(Job, StoreError),
    /// To be asked again.
    Again(Job),
    Turned(Job, Turn, StoreError),
}

struct Lane {
    dialer: Arc<Dialer>,
    line: Line,
    pauses: Pauses,
    /// Of the newest connection.
    number: u64,
    running: JoinSet<Ended>,
    news: mpsc::UnboundedSender<News>,
    /// The server has been replaced: nothing is asked of it again.
    leaves: bool,
    /// What is still asked of it is not waited for any more.
    left: watch::Sender<bool>,
    /// When something was last heard of the server, or asked of it after a rest.
    heard: Instant,
}

/// Answers jobs until nobody can ask any more and the last is answered, or the server is left.
pub(super) async fn serve(
    dialer: Dialer,
    mut orders: mpsc::UnboundedReceiver<Order>,
    news: mpsc::UnboundedSender<News>,
) {
    let mut lane = Lane::new(dialer, news);
    let mut looks = looks();
    loop {
        tokio::select! {
            order = orders.recv() => match order {
                Some(Order::Ask(job)) => lane.take(job),
                Some(Order::Leave) => return lane.leave().await,
                None => break,
            },
            Some(ended) = lane.running.join_next() => lane.finish(ended),
            change = lane.line.changed() => lane.turn(change),
            _ = looks.tick() => lane.look_whether_silent(),
        }
    }
    // Nobody waits, but what was sent shall arrive.
    while lane.running.join_next().await.is_some() {}
}

fn looks() -> Interval {
    let mut looks = tokio::time::interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    looks
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
    fn new(dialer: Dialer, news: mpsc::UnboundedSender<News>) -> Self {
        let dialer = Arc::new(dialer);
        let line = Self::dialing(dialer.clone(), Vec::new());
        let (left, heard) = (watch::channel(false).0, Instant::now());
        let (pauses, running) = (Pauses::new(), JoinSet::new());
        Self { dialer, line, pauses, number: 0, running, news, leaves: false, left, heard }
    }

    fn dialing(dialer: Arc<Dialer>, waiting: Vec<Job>) -> Line {
        Line::Dialing { dialed: Box::pin(async move { dialer.dial().await }), waiting }
    }

    fn take(&mut self, job: Job) {
        if !self.is_asked() {
            self.heard = Instant::now();
        }
        match &mut self.line {
            Line::Up { connection, known, .. } => {
                let (connection, known, number) = (connection.clone(), known.clone(), self.number);
                let (dialer, left) = (self.dialer.clone(), self.left.subscribe());
                self.running.spawn(carry_out(connection, known, number, dialer, left, job));
            }
            Line::Dialing { waiting, .. } => waiting.push(job),
            Line::Down { error, .. } => job.answer(Err(error.clone())),
        }
    }

    /// Whether anybody waits for the server.
    fn is_asked(&self) -> bool {
        !self.running.is_empty() || matches!(&self.line, Line::Dialing { waiting, .. } if !waiting.is_empty())
    }

    fn look_whether_silent(&self) {
        if self.is_asked() && self.heard.elapsed() >= SILENT {
            self.tell(News::Doubt);
        }
    }

    fn tell(&self, news: News) {
        // Nobody may be there any more to hear it.
        let _ = self.news.send(news);
    }

    /// Lets a job be asked of whoever has taken the server's place.
    fn give_back(&self, job: Job) {
        self.tell(News::Turned(job, Turn::Unsent, replaced(&self.dialer)));
    }

    /// Gives back what was not sent, and waits a moment for the answers to what was.
    async fn leave(mut self) {
        tracing::debug!(store = self.dialer.shown(), "left a server that was replaced");
        self.leaves = true;
        let pause = Box::pin(tokio::time::sleep(LEAVE_WITHIN));
        for job in self.replace(Line::Down { pause, error: replaced(&self.dialer) }) {
            self.give_back(job);
        }
        let until = Instant::now() + LEAVE_WITHIN;
        loop {
            match tokio::time::timeout_at(until, self.running.join_next()).await {
                Ok(Some(ended)) => self.finish(ended),
                Ok(None) => return,
                Err(_) => break,
            }
        }
        self.left.send_replace(true);
        while let Some(ended) = self.running.join_next().await {
            self.finish(ended);
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
                    job.answer(Err(error.clone()));
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
        if ended.doubtful {
            // Whoever took its place may be known already.
            self.tell(News::Doubt);
        }
        if ended.number == self.number {
            self.judge(ended.lost);
        }
        match ended.rest {
            Rest::Nothing => {}
            Rest::Again(job) if self.leaves => self.give_back(job),
            Rest::Again(job) => self.take(job),
            Rest::Turned(job, turn, error) => self.tell(News::Turned(job, turn, error)),
            Rest::Failed(job, error) => job.answer(Err(error)),
        }
    }

    /// Learns from an answer on the newest connection what it is worth.
    fn judge(&mut self, lost: bool) {
        let Line::Up { answered, .. } = &mut self.line else { return };
        match (lost, *answered) {
            (false, _) => {
                self.heard = Instant::now();
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
        self.tell(News::Doubt);
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

/// What is said of a server that was left.
const REPLACED: &str = "it did not answer, and another server has taken its place";

fn replaced(dialer: &Dialer) -> StoreError {
    StoreError::Unavailable { store: dialer.shown().to_owned(), message: REPLACED.to_owned() }
}

async fn carry_out(
    mut connection: MultiplexedConnection,
    known: Known,
    number: u64,
    dialer: Arc<Dialer>,
    mut left: watch::Receiver<bool>,
    mut job: Job,
) -> Ended {
    let asked = async {
        match &job.work {
            Work::Calls { script, calls } => call_in_order(&mut connection, &known, script, calls).await,
            Work::Read(commands) => read(&mut connection, commands, job.asking).await,
        }
    };
    let said = tokio::select! {
        said = asked => said,
        _ = left.wait_for(|left| *left) => {
            let again = !job.again && matches!(job.work, Work::Read(_));
            job.again |= again;
            let rest = if again { Rest::Again(job) } else { Rest::Failed(job, replaced(&dialer)) };
            return Ended { number, lost: true, doubtful: false, rest };
        }
    };
    let doing = match &job.work {
        Work::Calls { script, .. } => Doing::Script(script.name),
        Work::Read(_) => Doing::Asking,
    };
    match job.sort(said, dialer.address()) {
        Outcome::Done(job, values) => {
            job.answer(Ok(values));
            Ended { number, lost: false, doubtful: false, rest: Rest::Nothing }
        }
        Outcome::Turned(job, turn, error) => {
            let rest = Rest::Turned(job, turn, dialer.told(doing, &error));
            Ended { number, lost: false, doubtful: false, rest }
        }
        Outcome::Failed(mut job, error) => {
            let lost = ends_connection(&error);
            // A connection that was idle may be long gone, and a read tells nobody anything by being asked twice.
            let again = !job.again && matches!(job.work, Work::Read(_)) && error.is_connection_dropped();
            let rest = if again {
                job.again = true;
                Rest::Again(job)
            } else {
                Rest::Failed(job, dialer.told(doing, &error))
            };
            Ended { number, lost, doubtful: lost || is_cut_off(&error), rest }
        }
    }
}

/// Errors of servers stand among the answers, but that of a transaction.
async fn read(
    connection: &mut MultiplexedConnection,
    commands: &Pipeline,
    asking: bool,
) -> Result<Vec<Value>, RedisError> {
    if commands.is_empty() {
        return Ok(Vec::new());
    }
    if commands.is_transaction() {
        return commands.query_async(connection).await;
    }
    if !asking {
        return connection.send_packed_commands(commands, 0, commands.len()).await;
    }
    let mut asked = Pipeline::with_capacity(2 * commands.len());
    for command in commands.cmd_iter() {
        asked.cmd("ASKING");
        asked.add_command(command.clone());
    }
    let answers = connection.send_packed_commands(&asked, 0, asked.len()).await?;
    Ok(answers.into_iter().skip(1).step_by(2).collect())
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
    if matches!(values.first(), Some(Value::ServerError(_))) {
        // The others are not to be carried out before it.
        return Ok(values);
    }
    known.lock().unwrap_or_else(PoisonError::into_inner).insert(script.name);
    values.extend(call(connection, script, &rest).await?);
    Ok(values)
}

/// Calls a script; when the server does not have it, gives it and makes those calls that were not carried out. Errors of
/// the server stand among the answers.
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
    Ok(values)
}

#[cfg(test)]
mod tests;
