//! Finds out where the servers are: asks sentinels for the primary of a service, nodes for the slots of their cluster.
//!
//! All are asked at once, within a bound, on connections of their own; what is newest among the first answers counts, so
//! that one who was cut off from the others does not lead back to a server that was replaced. Owns what is asked. Keeps
//! nothing. Called by [`super::switch`], on its thread.

use std::collections::BTreeSet;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Pipeline, RedisError, Value};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use super::fault::{Doing, message, placed, store_error};
use super::places::{Address, Place};
use super::topology::{Told, Topology, read_cluster_epoch, read_config_epoch, read_primary};
use super::url::{Protocol, Target};
use crate::store::StoreError;
use crate::words::id::random_u128;

/// How long one of them may take, connecting included.
const ASK_WITHIN: Duration = Duration::from_secs(2);
/// How long the others may take once one has answered.
const OTHERS_WITHIN: Duration = Duration::from_millis(250);
/// How many nodes of a cluster are asked at once.
const NODES_ASKED_MAX: usize = 8;

/// Asks where the servers of a url are.
#[derive(Debug, Clone)]
pub(super) struct Finder {
    target: Target,
}

impl Finder {
    pub(super) const fn new(target: Target) -> Self {
        Self { target }
    }

    /// Where they are now. `known`: where they were, as far as is known.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when nobody who knows can be reached; [`StoreError::Refused`] when all refuse, or do not
    /// know the service.
    pub(super) async fn find(&self, known: Option<&Topology>) -> Result<Topology, StoreError> {
        let mut asked = JoinSet::new();
        for address in self.who_knows(known) {
            let finder = self.clone();
            asked.spawn(async move {
                let told = timeout(ASK_WITHIN, finder.ask(&address)).await;
                told.unwrap_or_else(|_| Err(finder.unavailable(format!("{address}: no answer within {ASK_WITHIN:?}"))))
            });
        }
        let (mut newest, mut failed, mut until): (Option<Told>, Vec<StoreError>, _) = (None, Vec::new(), None);
        loop {
            let next = match until {
                None => asked.join_next().await,
                Some(until) => timeout_at(until, asked.join_next()).await.unwrap_or_default(),
            };
            match next {
                Some(Ok(Ok(told))) => {
                    until = until.or_else(|| Some(Instant::now() + OTHERS_WITHIN));
                    // Of equals the first: it answers best.
                    if newest.as_ref().is_none_or(|newest| told.epoch > newest.epoch) {
                        newest = Some(told);
                    }
                }
                Some(Ok(Err(error))) => failed.push(error),
                // It panicked: nothing was learned from it.
                Some(Err(_)) => {}
                None => break,
            }
        }
        newest.map(|told| told.topology).ok_or_else(|| self.nobody(failed))
    }

    /// Whom to ask: those that the url names, and of a cluster also those that were found.
    fn who_knows(&self, known: Option<&Topology>) -> Vec<Address> {
        match self.target.place() {
            Place::Server(address) => vec![address.clone()],
            Place::Sentinels { seeds, .. } => seeds.clone(),
            Place::Cluster { seeds } => {
                let found = known.into_iter().flat_map(|topology| topology.nodes().iter());
                let all: BTreeSet<&Address> = seeds.iter().chain(found).collect();
                let mut all: Vec<Address> = all.into_iter().cloned().collect();
                all.sort_by_cached_key(|_| random_u128());
                all.truncate(NODES_ASKED_MAX);
                all
            }
        }
    }

    async fn ask(&self, address: &Address) -> Result<Told, StoreError> {
        match self.target.place() {
            Place::Server(address) => Ok(Told { topology: Topology::of_one(address.clone()), epoch: 0 }),
            Place::Sentinels { service, login, .. } => {
                let client = self.target.sentinel_client(address, login)?;
                self.ask_sentinel(client, address, service).await
            }
            Place::Cluster { .. } => self.ask_node(self.target.client(address, Protocol::Answers)?, address).await,
        }
    }

    async fn ask_sentinel(&self, client: Client, address: &Address, service: &str) -> Result<Told, StoreError> {
        let mut question = Pipeline::new();
        question.cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(service);
        question.cmd("SENTINEL").arg("MASTER").arg(service);
        let [primary, master] = self.answers(client, address, &question).await?;
        let primary = primary.extract_error().map_err(|error| match error.detail() {
            Some(text) if text.starts_with("unknown command") => {
                self.refused(format!("{address} is no sentinel: of a single server write redis://{address}"))
            }
            _ => self.told(address, &error),
        })?;
        let Some(primary) = read_primary(&primary, address) else {
            let what = format!("the sentinel {address} knows no service {service}: name one that it monitors");
            return Err(self.refused(what));
        };
        Ok(Told { topology: Topology::of_one(primary), epoch: read_config_epoch(master) })
    }

    async fn ask_node(&self, client: Client, address: &Address) -> Result<Told, StoreError> {
        let mut question = Pipeline::new();
        question.cmd("CLUSTER").arg("SLOTS");
        question.cmd("CLUSTER").arg("INFO");
        let [slots, info] = self.answers(client, address, &question).await?;
        let slots = slots.extract_error().map_err(|error| match error.detail() {
            Some(text) if text.contains("cluster support disabled") => {
                self.refused(format!("{address} is no node of a cluster: write redis://{address}"))
            }
            _ => self.told(address, &error),
        })?;
        let Some(topology) = Topology::read(&slots, address) else {
            return Err(self.unavailable(format!("{address}: no node has the slots of its cluster")));
        };
        Ok(Told { topology, epoch: read_cluster_epoch(info) })
    }

    /// Asks two things, and gives both answers as they are.
    async fn answers(&self, client: Client, address: &Address, question: &Pipeline) -> Result<[Value; 2], StoreError> {
        let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(Some(ASK_WITHIN));
        let connected = client.get_multiplexed_async_connection_with_config(&config).await;
        let connected: Result<MultiplexedConnection, RedisError> = connected;
        let mut connection = connected.map_err(|error| self.told(address, &error))?;
        let answered = connection.send_packed_commands(question, 0, question.len()).await;
        let answered = answered.map_err(|error| self.told(address, &error))?;
        answered
            .try_into()
            .map_err(|_| self.unavailable(format!("{address}: another number of answers than of questions")))
    }

    // ---- errors

    fn told(&self, address: &Address, error: &RedisError) -> StoreError {
        placed(store_error(self.target.shown(), Doing::Connecting, error), address)
    }

    fn unavailable(&self, message: String) -> StoreError {
        StoreError::Unavailable { store: self.target.shown().to_owned(), message }
    }

    fn refused(&self, message: String) -> StoreError {
        StoreError::Refused { store: self.target.shown().to_owned(), message }
    }

    /// Nobody told. What cannot be reached may come back, what refuses may not.
    fn nobody(&self, failed: Vec<StoreError>) -> StoreError {
        let refuse = failed.iter().all(|error| !matches!(error, StoreError::Unavailable { .. }));
        let mut said: Vec<String> = failed.iter().map(message).map(str::to_owned).collect();
        said.sort_unstable();
        said.dedup();
        let said = said.join("; ");
        if refuse && !failed.is_empty() { self.refused(said) } else { self.unavailable(said) }
    }
}
