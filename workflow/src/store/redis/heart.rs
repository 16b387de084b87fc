//! Hearts: they lengthen leases from threads of their own, on connections of their own.
//!
//! Blocking on purpose: no busy executor and no slow commit can hold a beat up. Every wait is bounded, the longest by a
//! third of the lease, so that a beat that hangs leaves time for another. Of several servers each is beaten at on a thread of
//! its own, so that one that hangs holds up no other. Called by the engine's heartbeat thread.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use redis::{Connection, ConnectionLike, Pipeline, RedisError, Value};

use super::dial::CLIENT_NAME;
use super::fault::{Doing, is_script_missing, placed, store_error};
use super::job::{Turn, turn};
use super::places::{Address, Place};
use super::script::Script;
use super::switch::Whereabouts;
use super::topology::Slot;
use super::url::Target;
use crate::store::{Beat, Heart, StoreError};
use crate::words::id::SessionId;
use crate::words::time::{Clock, millis_rounded_up};

/// The script.
const BEAT: &str = include_str!("scripts/beat.lua");
/// Lets a script write while the server's memory is full: a server without memory must not cost every worker its session.
const WITHOUT_MEMORY: &str = "#!lua flags=allow-oom\n";
/// No wait is shorter, however short the lease.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);
/// How often one beat follows partitions that are not where they were.
const FOLLOWED_MAX: u32 = 3;

/// The living sessions of a partition, and their beats.
pub(super) type HeartKeys = (Vec<u8>, Vec<u8>);

/// The partitions to beat in at each server, and whether it is asked although it has not got the slot yet.
type Rounds = BTreeMap<Address, Vec<(usize, bool)>>;

/// What came of a beat in one partition.
type Felt = (usize, Result<Beat, Missed>);

/// What came of the beats at one server, and its connection if it is good.
type Beaten = (Vec<Felt>, Option<(Address, Connection)>);

/// Why a server took no beat.
enum Missed {
    Elsewhere(Turn, StoreError),
    Failed(StoreError),
}

/// The heart of one session, in all partitions of a namespace.
pub(super) struct RedisHeart {
    pulse: Pulse,
    whereabouts: Whereabouts,
    clock: Option<Arc<dyn Clock>>,
    connections: BTreeMap<Address, Connection>,
}

/// What every beat is made of.
struct Pulse {
    target: Target,
    partitions: Vec<HeartKeys>,
    script: Script,
}

impl RedisHeart {
    /// A heart for the sessions under these keys; without a clock, by the server's. It connects when it first beats.
    /// `flags`: the servers know flags of scripts.
    pub(super) fn new(
        target: &Target,
        whereabouts: Whereabouts,
        partitions: Vec<HeartKeys>,
        clock: Option<Arc<dyn Clock>>,
        flags: bool,
    ) -> Self {
        let script = Script::new("beat", [if flags { WITHOUT_MEMORY } else { "" }, BEAT].concat());
        let pulse = Pulse { target: target.clone(), partitions, script };
        Self { pulse, whereabouts, clock, connections: BTreeMap::new() }
    }

    /// Where each partition is, and why those are left out that nobody has.
    fn rounds(&self) -> (Rounds, Option<StoreError>) {
        let (mut rounds, mut missed) = (Rounds::new(), None);
        let known = self.whereabouts.now();
        for (partition, (sessions, _)) in self.pulse.partitions.iter().enumerate() {
            match known.as_ref().and_then(|known| known.owner(Slot::of(sessions))) {
                Some(address) => rounds.entry(address.clone()).or_default().push((partition, false)),
                None => missed = Some(self.pulse.unavailable("no node has the slots of all partitions")),
            }
        }
        (rounds, missed)
    }

    /// Beats at all servers at once. A connection is kept that answered everything as it should: on any other, a late
    /// answer could be taken for that of the next beat.
    fn beat_at_all(&mut self, rounds: Rounds, arguments: &[Vec<u8>; 3], wait: Duration) -> Vec<Felt> {
        let pulse = &self.pulse;
        let mut beats = Vec::with_capacity(rounds.len());
        for (address, partitions) in rounds {
            let connection = self.connections.remove(&address);
            beats.push(move || {
                let (felt, connection) = pulse.beat_at(&address, connection, &partitions, arguments, wait);
                (felt, connection.map(|connection| (address, connection)))
            });
        }
        let beaten = match beats.len() {
            1 => beats.into_iter().map(|beat| beat()).collect(),
            _ => on_threads(beats, pulse),
        };
        let mut felt = Vec::new();
        for (some, connection) in beaten {
            felt.extend(some);
            self.connections.extend(connection);
        }
        felt
    }
}

/// Runs each on a thread of its own, and waits for all.
fn on_threads<F>(beats: Vec<F>, pulse: &Pulse) -> Vec<Beaten>
where
    F: FnOnce() -> Beaten + Send,
{
    let failed = |_| {
        let error = pulse.unavailable("no thread for a beat");
        (vec![(0, Err(Missed::Failed(error)))], None)
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = beats
            .into_iter()
            .map(|beat| std::thread::Builder::new().name("workflow-beat".to_owned()).spawn_scoped(scope, beat))
            .collect();
        let joined = threads.into_iter().map(|thread| match thread {
            // It panicked.
            Ok(thread) => thread.join().unwrap_or_else(|_| failed(())),
            Err(_) => failed(()),
        });
        joined.collect()
    })
}

impl Pulse {
    fn unavailable(&self, message: &str) -> StoreError {
        StoreError::Unavailable { store: self.target.shown().to_owned(), message: message.to_owned() }
    }

    fn told(&self, address: &Address, doing: Doing, error: &RedisError) -> StoreError {
        let error = store_error(self.target.shown(), doing, error);
        if matches!(self.target.place(), Place::Server(_)) { error } else { placed(error, address) }
    }

    fn connect(&self, address: &Address, wait: Duration) -> Result<Connection, StoreError> {
        // Logging in while connecting would wait for answers without a bound.
        let (client, mut login) = self.target.silent_client(address)?;
        let told = |error: RedisError| self.told(address, Doing::Connecting, &error);
        let mut connection = client.get_connection_with_timeout(wait).map_err(told)?;
        bound(&connection, wait).map_err(told)?;
        let needed = login.len();
        login.cmd("CLIENT").arg("SETNAME").arg(CLIENT_NAME);
        // A user may work without the right to be named, so what the last command says does not matter.
        let said = exchange(&mut connection, &login).map_err(told)?;
        for answer in said.into_iter().take(needed) {
            answer.extract_error().map_err(told)?;
        }
        Ok(connection)
    }

    /// Beats in some partitions at once at one server; gives the connection back if it is good.
    fn beat_at(
        &self,
        address: &Address,
        connection: Option<Connection>,
        partitions: &[(usize, bool)],
        arguments: &[Vec<u8>; 3],
        wait: Duration,
    ) -> (Vec<Felt>, Option<Connection>) {
        let doing = Doing::Script(self.script.name);
        let all_failed = |error: StoreError| {
            let felt = |(partition, _): &(usize, bool)| (*partition, Err(Missed::Failed(error.clone())));
            (partitions.iter().map(felt).collect(), None)
        };
        let mut connection = match connection.map_or_else(|| self.connect(address, wait), Ok) {
            Ok(connection) => connection,
            Err(error) => return all_failed(error),
        };
        let bounded = bound(&connection, wait);
        let answers = bounded.and_then(|()| self.try_beat(&mut connection, partitions, arguments));
        let answers = match answers {
            Ok(answers) => answers,
            Err(error) => return all_failed(self.told(address, doing, &error)),
        };
        let mut is_good = true;
        let felt = partitions.iter().zip(answers).map(|((partition, _), answer)| {
            let missed = |error: RedisError| {
                let is_cluster = matches!(self.target.place(), Place::Cluster { .. });
                let told = self.told(address, doing, &error);
                match turn(&error, address, true).filter(|_| is_cluster) {
                    Some(turn) => Missed::Elsewhere(turn, told),
                    None => Missed::Failed(told),
                }
            };
            let beat = read(answer).map_err(missed);
            is_good &= !matches!(beat, Err(Missed::Failed(_)));
            (*partition, beat)
        });
        let felt = felt.collect();
        (felt, is_good.then_some(connection))
    }

    /// One answer for each partition, errors of the server included.
    fn try_beat(
        &self,
        connection: &mut Connection,
        partitions: &[(usize, bool)],
        arguments: &[Vec<u8>; 3],
    ) -> Result<Vec<Value>, RedisError> {
        let mut beats = Pipeline::with_capacity(partitions.len());
        for (partition, asking) in partitions {
            let (sessions, counters) = &self.partitions[*partition];
            if *asking {
                beats.cmd("ASKING");
            }
            beats.add_command(self.script.call(&[sessions.clone(), counters.clone()], arguments));
        }
        let mut answers = exchange(connection, &beats)?;
        if answers.iter().any(|answer| matches!(answer, Value::ServerError(error) if is_script_missing(error))) {
            // Those that did beat beat twice, which harms nobody.
            connection.req_command(&self.script.load())?.extract_error()?;
            answers = exchange(connection, &beats)?;
        }
        let mut answers = answers.into_iter();
        let beaten = partitions.iter().filter_map(|(_, asking)| answers.nth(usize::from(*asking)));
        Ok(beaten.collect())
    }
}

fn read(answer: Value) -> Result<Beat, RedisError> {
    match redis::from_redis_value::<String>(answer.extract_error()?)?.as_str() {
        "ALIVE" => Ok(Beat::Alive),
        "FENCED" => Ok(Beat::Fenced),
        _ => Err((redis::ErrorKind::UnexpectedReturnType, "a beat was answered otherwise").into()),
    }
}

impl Heart for RedisHeart {
    /// Beats in every partition that can be reached; an error says that some could not.
    fn beat(&mut self, session: SessionId, lease: Duration) -> Result<Beat, StoreError> {
        let wait = (lease / 3).max(SHORTEST_WAIT);
        let now = self.clock.as_ref().map_or_else(String::new, |clock| clock.now().as_millis().to_string());
        let lease = millis_rounded_up(lease).to_string();
        let arguments = [now.into_bytes(), session.0.to_be_bytes().to_vec(), lease.into_bytes()];
        let (mut rounds, mut missed) = self.rounds();
        let (mut beat, mut followed) = (Beat::Alive, 0);
        let mut beaten_at: BTreeSet<Address> = BTreeSet::new();
        while !rounds.is_empty() {
            beaten_at.extend(rounds.keys().cloned());
            for (partition, felt) in self.beat_at_all(std::mem::take(&mut rounds), &arguments, wait) {
                match felt {
                    Ok(Beat::Alive) => {}
                    Ok(Beat::Fenced) => beat = Beat::Fenced,
                    Err(Missed::Elsewhere(Turn::Moved(_, address), _)) if followed < FOLLOWED_MAX => {
                        rounds.entry(address).or_default().push((partition, false));
                    }
                    Err(Missed::Elsewhere(Turn::Asked(address), _)) if followed < FOLLOWED_MAX => {
                        rounds.entry(address).or_default().push((partition, true));
                    }
                    Err(Missed::Elsewhere(_, error) | Missed::Failed(error)) => missed = missed.or(Some(error)),
                }
            }
            followed += 1;
        }
        if missed.is_some() || followed > 1 {
            self.whereabouts.doubt();
        }
        self.connections.retain(|address, _| beaten_at.contains(address));
        match missed {
            Some(error) if beat == Beat::Alive => Err(error),
            _ => Ok(beat),
        }
    }
}

fn bound(connection: &Connection, wait: Duration) -> Result<(), RedisError> {
    connection.set_read_timeout(Some(wait))?;
    connection.set_write_timeout(Some(wait))
}

/// Sends commands at once; one answer for each, errors included.
fn exchange(connection: &mut Connection, commands: &Pipeline) -> Result<Vec<Value>, RedisError> {
    connection.req_packed_commands(&commands.get_packed_pipeline(), 0, commands.len())
}
