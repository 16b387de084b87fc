//! Hearts: they lengthen leases from threads of their own, on connections of their own.
//!
//! Blocking on purpose: no busy executor and no slow commit can hold a beat up. Every wait is bounded, the longest by a
//! third of the lease, so that a beat that hangs leaves time for another. Called by the engine's heartbeat thread.

use std::sync::Arc;
use std::time::Duration;

use redis::{Connection, ConnectionLike, Pipeline, RedisError, Value};

use super::dial::CLIENT_NAME;
use super::fault::{Doing, is_script_missing, store_error};
use super::losses::Losses;
use super::script::Script;
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

/// The heart of one session, in all partitions of a namespace.
pub(super) struct RedisHeart {
    target: Target,
    /// Of each partition: the living sessions, and their beats.
    partitions: Vec<(Vec<u8>, Vec<u8>)>,
    losses: Arc<Losses>,
    clock: Option<Arc<dyn Clock>>,
    script: Script,
    connection: Option<Connection>,
}

impl RedisHeart {
    /// A heart for the sessions under these keys; without a clock, by the server's. It connects when it first beats.
    /// `flags`: the server knows flags of scripts.
    pub(super) fn new(
        target: &Target,
        partitions: Vec<(Vec<u8>, Vec<u8>)>,
        losses: Arc<Losses>,
        clock: Option<Arc<dyn Clock>>,
        flags: bool,
    ) -> Self {
        let script = Script::new("beat", [if flags { WITHOUT_MEMORY } else { "" }, BEAT].concat());
        Self { target: target.clone(), partitions, losses, clock, script, connection: None }
    }

    fn told(&self, error: &RedisError) -> StoreError {
        store_error(self.target.shown(), Doing::Script(self.script.name), error)
    }

    fn connect(&self, wait: Duration) -> Result<Connection, StoreError> {
        // Logging in while connecting would wait for answers without a bound.
        let (client, mut login) = self.target.silent_client()?;
        let shown = self.target.shown();
        let told = |error: RedisError| store_error(shown, Doing::Connecting, &error);
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

    /// Beats in every partition at once.
    fn try_beat(&self, connection: &mut Connection, session: SessionId, lease: Duration) -> Result<Beat, RedisError> {
        let now = self.clock.as_ref().map_or_else(String::new, |clock| clock.now().as_millis().to_string());
        let lease = millis_rounded_up(lease).to_string();
        let arguments = [now.into_bytes(), session.0.to_be_bytes().to_vec(), lease.into_bytes()];
        let mut beats = Pipeline::with_capacity(self.partitions.len());
        for ((sessions, counters), calls) in self.partitions.iter().zip(self.losses.keys()) {
            beats.add_command(self.script.call(&[sessions.clone(), counters.clone(), calls.clone()], &arguments));
        }
        let asked: Vec<_> = (0..self.partitions.len()).map(|partition| self.losses.asking(partition)).collect();
        let mut answers = exchange(connection, &beats)?;
        if answers.iter().any(|answer| matches!(answer, Value::ServerError(error) if is_script_missing(error))) {
            // Those that did beat beat twice, which harms nobody.
            connection.req_command(&self.script.load())?.extract_error()?;
            answers = exchange(connection, &beats)?;
        }
        let mut beat = Beat::Alive;
        for (answer, asked) in answers.into_iter().zip(asked) {
            let (word, calls): (String, u64) = redis::from_redis_value(answer.extract_error()?)?;
            self.losses.looked(asked, calls);
            match word.as_str() {
                "ALIVE" => {}
                "FENCED" => beat = Beat::Fenced,
                _ => return Err((redis::ErrorKind::UnexpectedReturnType, "a beat was answered otherwise").into()),
            }
        }
        Ok(beat)
    }
}

impl Heart for RedisHeart {
    fn beat(&mut self, session: SessionId, lease: Duration) -> Result<Beat, StoreError> {
        let wait = (lease / 3).max(SHORTEST_WAIT);
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect(wait)?,
        };
        bound(&connection, wait).map_err(|error| self.told(&error))?;
        let beat = self.try_beat(&mut connection, session, lease).map_err(|error| self.told(&error))?;
        // Only a connection that answered is kept: on any other, a late answer could be taken for that of the next beat.
        self.connection = Some(connection);
        Ok(beat)
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
