//! Connecting: within a bound, under our name, from a thread that has nothing else to do.
//!
//! Owns how a connection is made and the thread on which connections live. They live on no caller's runtime: a store may
//! be opened under one and used under another, and the clock of a caller's runtime may be held still by a test. Called
//! by [`super::lane`] and [`super::subscriber`].

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, PushInfo, RedisError};
use tokio::runtime::Handle;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;

use super::check::Expected;
use super::fault::{Doing, placed, store_error};
use super::places::{Address, Place};
use super::url::{Protocol, Target};
use crate::store::StoreError;

/// How long connecting may take, names and logging in included.
pub(super) const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How long an answer may take. Set on purpose: the client's own default is half a second, which a server that writes
/// its log to a busy disk exceeds.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Requests that wait to be written; more of them wait before.
const WRITES_QUEUED: usize = 1_024;
/// What our connections are called in the server's list of clients.
pub(super) const CLIENT_NAME: &str = "workflow";

/// Makes connections to one server.
#[derive(Debug, Clone)]
pub(super) struct Dialer {
    client: Client,
    config: AsyncConnectionConfig,
    shown: String,
    address: Address,
    /// There are other servers: an error says of which it is.
    is_one_of_several: bool,
    is_tls: bool,
    /// How many replicas must have a write before it is acknowledged.
    replicas: u8,
    /// What the servers were found to be; nothing while the store opens. Shared by all that dial for one store.
    expected: Arc<OnceLock<Expected>>,
}

impl Dialer {
    /// For connections that are asked and answer. They are given only to a server that is as expected, once anything is.
    pub(super) fn new(
        target: &Target,
        address: &Address,
        expected: Arc<OnceLock<Expected>>,
    ) -> Result<Self, StoreError> {
        Self::with(target, address, Protocol::Answers, AsyncConnectionConfig::new(), expected)
    }

    /// For a connection that also says what it was not asked, into `pushes`, its own end included.
    pub(super) fn hearing(
        target: &Target,
        address: &Address,
        pushes: UnboundedSender<PushInfo>,
    ) -> Result<Self, StoreError> {
        let config = AsyncConnectionConfig::new().set_push_sender(pushes);
        Self::with(target, address, Protocol::Pushes, config, Arc::default())
    }

    fn with(
        target: &Target,
        address: &Address,
        protocol: Protocol,
        config: AsyncConnectionConfig,
        expected: Arc<OnceLock<Expected>>,
    ) -> Result<Self, StoreError> {
        let config = config
            .set_connection_timeout(None)
            .set_response_timeout(Some(ANSWER_WITHIN))
            .set_pipeline_buffer_size(WRITES_QUEUED);
        Ok(Self {
            client: target.client(address, protocol)?,
            config,
            shown: target.shown().to_owned(),
            address: address.clone(),
            is_one_of_several: !matches!(target.place(), Place::Server(_)),
            is_tls: target.is_tls(),
            replicas: target.replicas(),
            expected,
        })
    }

    /// The url without secrets.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    /// How many replicas must have a write before it is acknowledged.
    pub(super) const fn replicas(&self) -> u8 {
        self.replicas
    }

    /// Whom it dials.
    pub(super) const fn address(&self) -> &Address {
        &self.address
    }

    /// An error as the caller learns it.
    pub(super) fn told(&self, doing: Doing, error: &RedisError) -> StoreError {
        self.placed(store_error(&self.shown, doing, error))
    }

    fn placed(&self, error: StoreError) -> StoreError {
        if self.is_one_of_several { placed(error, &self.address) } else { error }
    }

    /// Connects, logs in, and sees that the server is what it was.
    pub(super) async fn dial(&self) -> Result<MultiplexedConnection, StoreError> {
        match tokio::time::timeout(CONNECT_WITHIN, self.connect_and_look()).await {
            Ok(connected) => connected,
            Err(_) => Err(self.placed(StoreError::Unavailable { store: self.shown.clone(), message: self.too_slow() })),
        }
    }

    fn too_slow(&self) -> String {
        // A server that was not asked in TLS waits for the rest of what it takes for a command.
        let hint =
            if self.is_tls { "; if it does not speak TLS on this port, write redis:// or its tls-port" } else { "" };
        format!("no connection within {CONNECT_WITHIN:?}{hint}")
    }

    async fn connect_and_look(&self) -> Result<MultiplexedConnection, StoreError> {
        let connected = self.connect().await;
        let mut connection = connected.map_err(|error| self.told(Doing::Connecting, &error))?;
        if let Some(expected) = self.expected.get() {
            expected.look(&mut connection, &self.address).await.map_err(|error| self.placed(error))?;
        }
        Ok(connection)
    }

    async fn connect(&self) -> Result<MultiplexedConnection, RedisError> {
        let mut connection = self.client.get_multiplexed_async_connection_with_config(&self.config).await?;
        match redis::cmd("CLIENT").arg("SETNAME").arg(CLIENT_NAME).exec_async(&mut connection).await {
            // A user may work without the right to be named.
            Err(error) if error.code() != Some("NOPERM") => Err(error),
            _ => Ok(connection),
        }
    }
}

/// Runs `work` on a thread of its own until it ends; gives back the way to that thread.
pub(super) fn on_own_thread<F>(name: &str, shown: &str, work: F) -> Result<Handle, StoreError>
where
    F: Future<Output = ()> + Send + 'static,
{
    let failed = |error: std::io::Error| StoreError::Unavailable {
        store: shown.to_owned(),
        message: format!("no thread for its connections: {error}"),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let handle = runtime.handle().clone();
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        runtime.block_on(work);
        // Whatever still resolves a name need not be waited for.
        runtime.shutdown_background();
    });
    // Nobody joins it: it ends when those who ask it are gone, and a server that hangs must not hold them up.
    thread.map(|_| handle).map_err(failed)
}

/// A pause on that thread. It begins there: a timer belongs to the runtime in which it is made, and would end with that of
/// a caller, or stand still with its clock.
pub(super) fn pause_on(thread: &Handle, length: Duration) -> JoinHandle<()> {
    thread.spawn(async move { tokio::time::sleep(length).await })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_outlives_the_runtime_of_the_one_who_asked_for_it() {
        let thread = on_own_thread("pauses", "redis://h", std::future::pending()).expect("a thread");
        let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let caller = runtime();
        let paused = {
            let _inside = caller.enter();
            pause_on(&thread, Duration::from_millis(50))
        };
        drop(caller);
        assert!(runtime().block_on(paused).is_ok());
    }
}
