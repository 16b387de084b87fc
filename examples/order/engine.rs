//! How the example starts its engine, and where the engine is put for those that must exist before it.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use workflow::{Engine, EngineError, Mode};

use crate::cli::{self, Options};
use crate::shop::Shop;
use crate::workflow::order;

/// How long a store may take to answer: at the start a refusal must come within 10 s.
const PATIENCE: Duration = Duration::from_secs(8);

/// An engine that did not start.
#[derive(Debug, thiserror::Error)]
#[error("the store {store} cannot be used: {why}")]
pub(crate) struct NotStarted {
    /// The store's url, without a password.
    store: String,
    why: Why,
}

#[derive(Debug, thiserror::Error)]
enum Why {
    #[error("{0}")]
    Refused(EngineError),
    #[error("it did not answer within {PATIENCE:?}")]
    NoAnswer,
}

impl NotStarted {
    /// Whether the same start may go well later: the store may come up.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(
            &self.why,
            Why::NoAnswer | Why::Refused(EngineError::Store(_) | EngineError::NoAnswer { .. } | EngineError::Start(_))
        )
    }
}

/// Starts an engine as the command line says.
///
/// # Errors
/// When the store cannot be reached within 8 s, or cannot be used.
pub(crate) async fn start(options: &Options, shop: Shop) -> Result<Engine, NotStarted> {
    let mode = match options.mode {
        cli::Mode::All => Mode::All,
        cli::Mode::Client => Mode::Client,
        cli::Mode::Worker => Mode::Worker,
    };
    let concurrency = usize::try_from(options.concurrency).unwrap_or(usize::MAX);
    let starting = Engine::builder()
        .store(&options.store)
        .mode(mode)
        .only::<order>()
        .resource(shop)
        .concurrency(concurrency)
        .lease(options.lease)
        .patience(PATIENCE)
        .start();
    let why = match tokio::time::timeout(PATIENCE, starting).await {
        Ok(Ok(engine)) => return Ok(engine),
        Ok(Err(error)) => Why::Refused(error),
        Err(_) => Why::NoAnswer,
    };
    Err(NotStarted { store: without_password(&options.store), why })
}

/// A url as it may be shown.
pub(crate) fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    // The last `@` before the path: a password may hold one.
    let authority_end = rest.find(['/', '?']).unwrap_or(rest.len());
    let Some(at) = rest[..authority_end].rfind('@').or_else(|| rest.rfind('@')) else { return url.to_owned() };
    match rest[..at].split_once(':') {
        Some((user, _)) => format!("{scheme}://{user}:***{}", &rest[at..]),
        None => url.to_owned(),
    }
}

/// A place for one engine. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct EngineSlot(Arc<OnceLock<Engine>>);

impl EngineSlot {
    /// Puts the engine in; a second one is ignored.
    pub(crate) fn put(&self, engine: Engine) {
        let _only_the_first = self.0.set(engine);
    }

    /// The engine, once it has started.
    pub(crate) fn get(&self) -> Option<&Engine> {
        self.0.get()
    }
}

impl fmt::Debug for EngineSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.get().is_some() { "EngineSlot(started)" } else { "EngineSlot(empty)" })
    }
}
