//! Puts back what the indexes lack.
//!
//! The store itself never loses an entry of an index: each is written with its head. But operators and tools delete keys,
//! and an instance that is in no index is never woken, given or deleted. So every worker walks through the list of all
//! instances, some at a time, and a script puts back what lacks. Owns how far the walk is. Called by the store.

use std::sync::atomic::{AtomicUsize, Ordering};

use redis::Pipeline;

use super::RedisStore;
use super::keys::Of;
use super::listing::named;
use super::scripts::{Found, session, sweep};
use crate::store::StoreError;
use crate::words::id::RequestId;

/// The letter of the list of all among those of `drop_found` in the prelude.
const LIST_OF_ALL: u8 = b'A';

/// How far the walk through one partition is: the place of the instance that is next.
#[derive(Debug)]
pub(super) struct MendedUpTo(AtomicUsize);

/// No worker begins where all others do: those that live for an hour would never see the end of a long list.
const NOT_BEGUN: usize = usize::MAX;

impl Default for MendedUpTo {
    fn default() -> Self {
        Self(AtomicUsize::new(NOT_BEGUN))
    }
}

impl RedisStore {
    pub(super) async fn mend_some(&self, partition: usize, limit: usize) -> Result<usize, StoreError> {
        let (keys, reached) = (&self.keys[partition], &self.mended[partition].0);
        let mut from = reached.load(Ordering::Relaxed);
        if from == NOT_BEGUN {
            let mut pipeline = Pipeline::new();
            pipeline.cmd("ZCARD").arg(keys.of(Of::All));
            let size = self.read(self.answers(keys, pipeline).await?.natural(0))?;
            from =
                RequestId::generate().0.checked_rem(size.into()).and_then(|at| usize::try_from(at).ok()).unwrap_or(0);
        }
        let mut pipeline = Pipeline::new();
        pipeline.cmd("ZRANGE").arg(keys.of(Of::All)).arg(from).arg(from.saturating_add(limit.saturating_sub(1)));
        let members = self.read(self.answers(keys, pipeline).await?.list(0))?;
        let at_end = members.len() < limit;
        reached.store(if at_end { 0 } else { from.saturating_add(limit) }, Ordering::Relaxed);
        let mut found = Vec::new();
        for (at, named) in self.read(named(Of::All, &members))?.into_iter().enumerate() {
            let entry = [&[LIST_OF_ALL], self.read(members.bytes(at))?].concat();
            found.push(Found { id: named.id, entry });
        }
        if found.is_empty() {
            return Ok(0);
        }
        let (said, _) = self.transition(partition, sweep::mend(keys, &found)).await?;
        let mended = self.read(said.ids(3))?;
        if let Some(first) = mended.first() {
            tracing::warn!(
                store = self.target.shown(),
                instances = mended.len(),
                first = first.as_str(),
                "instances were not in their indexes, and are again: was a key of the store deleted?"
            );
        }
        self.read(session::read_count(&said))
    }
}
