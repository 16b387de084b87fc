//! Listing instances page by page.

use std::fmt;
use std::future::IntoFuture;
use std::str::FromStr;
use std::time::SystemTime;

use serde::{Serialize, Serializer};

use super::engine::Engine;
use super::error::EngineError;
use crate::definition::Definition;
use crate::journal::head::State;
use crate::store::{BoxFuture, Cursor, ListQuery, Row};
use crate::words::id::{InstanceId, WorkflowName};
use crate::words::time::Timestamp;

/// Most instances on one page.
const LIMIT_MAX: usize = 1_000;

/// A question for instances, newest first: made by [`Engine::list`], carried out when it is awaited, which gives a
/// [`Listing`]: one page, and where the next one begins.
///
/// Pages are read one at a time and the system moves on between them: an instance that exists throughout is on exactly
/// one page, unless the filter is by state and its state changes.
///
/// A page looks at 10,000 instances at most. Where few of many are what is asked for it may end before it is full, even
/// empty, and still have a [`Listing::next`]: go on until there is none. What that means for each filter and store is in
/// `docs/LISTING.md`.
///
/// # Errors
/// [`EngineError::InvalidId`], [`EngineError::Option`], [`EngineError::NoIdIndex`], or what reading the store gives.
#[derive(Debug)]
#[must_use = "nothing is listed until it is awaited"]
pub struct List {
    engine: Engine,
    workflow: Option<String>,
    state: Option<State>,
    created_from: Option<SystemTime>,
    created_to: Option<SystemTime>,
    id_prefix: Option<String>,
    limit: usize,
    after: Option<PageToken>,
}

impl List {
    pub(super) fn new(engine: &Engine) -> Self {
        Self {
            engine: engine.clone(),
            workflow: None,
            state: None,
            created_from: None,
            created_to: None,
            id_prefix: None,
            limit: 100,
            after: None,
        }
    }

    /// Only instances of this workflow: `.of::<order>()`.
    pub fn of<W: Definition>(self) -> Self {
        self.workflow(W::NAME)
    }

    /// Only instances of the workflow of this name.
    pub fn workflow(mut self, name: impl Into<String>) -> Self {
        self.workflow = Some(name.into());
        self
    }

    /// Only instances in this state.
    pub fn state(mut self, state: State) -> Self {
        self.state = Some(state);
        self
    }

    /// Only instances created at this time or later, by the store's clock.
    pub fn created_from(mut self, time: SystemTime) -> Self {
        self.created_from = Some(time);
        self
    }

    /// Only instances created before this time, by the store's clock.
    pub fn created_to(mut self, time: SystemTime) -> Self {
        self.created_to = Some(time);
        self
    }

    /// Only instances whose ids begin so, and in the order of their ids, the smallest first: `order-2026-`.
    ///
    /// SQLite has what this needs. On Redis it takes an index of its own, some 100 bytes an instance, which a namespace
    /// keeps if its first url had `ids=1`; without it the list is refused with [`EngineError::NoIdIndex`].
    pub fn id_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.id_prefix = Some(prefix.into());
        self
    }

    /// How many instances a page has at most: 1 to 1,000; 100 if not set.
    pub fn limit(mut self, instances: usize) -> Self {
        self.limit = instances;
        self
    }

    /// Goes on where a page ended: [`Listing::next`] of that page, of a list that asks for the same.
    pub fn after(mut self, page: PageToken) -> Self {
        self.after = Some(page);
        self
    }

    fn query(&self) -> Result<ListQuery, EngineError> {
        if !(1..=LIMIT_MAX).contains(&self.limit) {
            return Err(EngineError::option("limit", format_args!("it must be from 1 to {LIMIT_MAX}")));
        }
        if self.id_prefix.is_some() && !self.engine.store().lists_by_id() {
            return Err(EngineError::NoIdIndex { store: self.engine.store().describe() });
        }
        Ok(ListQuery {
            workflow: self.workflow.as_ref().map(WorkflowName::new).transpose()?,
            state: self.state,
            created_from: self.created_from.map(Timestamp::from_system_time),
            created_to: self.created_to.map(Timestamp::from_system_time),
            id_prefix: self.id_prefix.as_ref().map(InstanceId::new).transpose()?,
            limit: self.limit,
            after: self.after.clone().map(|token| token.0),
        })
    }

    async fn carry_out(self) -> Result<Listing, EngineError> {
        let query = self.query()?;
        let page = self.engine.read(|| self.engine.store().list(query.clone())).await?;
        let damaged =
            page.damaged.into_iter().map(|row| DamagedInstance { id: row.id.to_string(), damage: row.damage });
        Ok(Listing {
            instances: page.rows.into_iter().map(Listed::from).collect(),
            damaged: damaged.collect(),
            next: page.next.map(PageToken),
        })
    }
}

impl IntoFuture for List {
    type Output = Result<Listing, EngineError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.carry_out())
    }
}

/// One page of instances.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Listing {
    /// The instances, newest first; with [`List::id_prefix`] by id.
    pub instances: Vec<Listed>,
    /// Instances of this part of the list that cannot be read, so that it is not known whether they are what was asked
    /// for. The list goes on around them; each counts as one of the page's limit.
    pub damaged: Vec<DamagedInstance>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<PageToken>,
}

/// One instance of a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Listed {
    /// Its id.
    pub id: String,
    /// Its workflow.
    pub workflow: String,
    /// Its major version.
    pub version: u32,
    /// Its state.
    pub state: State,
    /// It waits for a worker that knows its workflow in its version: no worker so far did.
    pub shelved: bool,
    /// When it was created.
    pub created_at: SystemTime,
    /// When it last changed.
    pub updated_at: SystemTime,
}

/// An instance that is in a list and cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DamagedInstance {
    /// Its id.
    pub id: String,
    /// What is wrong with it.
    pub damage: String,
}

impl From<Row> for Listed {
    fn from(row: Row) -> Self {
        Self {
            id: row.id.to_string(),
            workflow: row.workflow.to_string(),
            version: row.version,
            state: row.state,
            shelved: row.shelved,
            created_at: row.created_at.to_system_time(),
            updated_at: row.updated_at.to_system_time(),
        }
    }
}

/// Where a page ended. Its text, which `parse` reads back, can travel through a url.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageToken(Cursor);

impl fmt::Display for PageToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0.created_at.as_millis(), self.0.id)
    }
}

impl FromStr for PageToken {
    type Err = EngineError;

    fn from_str(text: &str) -> Result<Self, EngineError> {
        let wrong = || EngineError::option("after", "this is not where a page ended");
        let (millis, id) = text.split_once('.').ok_or_else(wrong)?;
        let created_at = Timestamp::from_millis(millis.parse().map_err(|_| wrong())?);
        Ok(Self(Cursor { created_at, id: InstanceId::new(id)? }))
    }
}

impl Serialize for PageToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_token_survives_a_url() {
        let id = InstanceId::new("order.1~a").expect("valid");
        let token = PageToken(Cursor { created_at: Timestamp::from_millis(1_700_000_000_123), id });
        assert_eq!(token.to_string(), "1700000000123.order.1~a");
        assert_eq!(token.to_string().parse::<PageToken>().expect("reads back"), token);
        for wrong in ["", "17", "x.y", "17.", "17.a b"] {
            assert!(wrong.parse::<PageToken>().is_err(), "{wrong}");
        }
    }
}
