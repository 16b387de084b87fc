//! What can be asked without changing anything: one instance, journals, sessions, the outbox, counts, lists.
//!
//! Owns the questions, not the connection: the same code runs on a reader's connection or on the writer's. Each runs in
//! one transaction, so that what it returns was true at one moment. Called by [`super::SqliteStore`].

use std::collections::BTreeMap;

use rusqlite::params;

use super::fault::Fault;
use super::spot;
use super::tables::{Tables, blob, bound, instance_id, natural, text};
use crate::journal::command::Outgoing;
use crate::journal::table::ready_since;
use crate::store::{Cursor, ListQuery, Overview, Page, Pending, QueueView, Row, SessionView, Snapshot};
use crate::words::id::{InstanceId, QueueName, WorkflowName};
use crate::words::payload::Payload;
use crate::words::time::Timestamp;

/// Most rows of one page.
const PAGE_MAX: usize = 1_000;

pub(super) fn inspect(tables: &Tables<'_>, id: &InstanceId) -> Result<Option<Snapshot>, Fault> {
    let Some(stored) = tables.load(id)? else { return Ok(None) };
    let mut runs = tables.archived(stored.key)?;
    runs.push(stored.head.run);
    Ok(Some(Snapshot { id: id.clone(), head: stored.head, runs }))
}

pub(super) fn journal(
    tables: &Tables<'_>,
    id: &InstanceId,
    run: u32,
    from: u32,
) -> Result<Option<Vec<Payload>>, Fault> {
    let Some(stored) = tables.load(id)? else { return Ok(None) };
    let kept = run == stored.head.run || tables.archived(stored.key)?.contains(&run);
    if kept { tables.records(stored.key, run, from).map(Some) } else { Ok(None) }
}

pub(super) fn sessions(tables: &Tables<'_>) -> Result<Vec<SessionView>, Fault> {
    let view = |(session, state): (_, crate::journal::table::session::Session)| SessionView {
        session,
        beats: state.beats,
        expires_at: state.expires_at,
        revoked: state.revoked,
    };
    Ok(tables.sessions()?.into_iter().map(view).collect())
}

pub(super) fn outbox(tables: &Tables<'_>, before: Timestamp, limit: usize) -> Result<Vec<Pending>, Fault> {
    let mut statement = tables.prepare(&tables.sql().outbox)?;
    let mut rows = statement.query(params![before.as_millis(), bound(limit)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let source = instance_id(row, 0)?;
        let outgoing = Outgoing::decode(blob(row, 2)?).map_err(|error| Fault::damaged(&source, &error))?;
        found.push(Pending { source, number: natural(row, 1)?, outgoing });
    }
    Ok(found)
}

pub(super) fn overview(tables: &Tables<'_>) -> Result<Overview, Fault> {
    let mut shelves: BTreeMap<(WorkflowName, u32), u64> = BTreeMap::new();
    for shelf in tables.shelves()? {
        *shelves.entry((shelf.workflow, shelf.version)).or_default() += tables.count_at(&shelf.spot)?;
    }
    Ok(Overview {
        ready: tables.count_kind(spot::kind::READY)?,
        asleep: tables.count_kind(spot::kind::ASLEEP)?,
        held: tables.count_kind(spot::kind::HELD)? + tables.count_kind(spot::kind::INBOX)?,
        paused: tables.count_kind(spot::kind::PAUSED)?,
        done: tables.count_kind(spot::kind::DONE)?,
        shelves: shelves.into_iter().map(|((workflow, version), count)| (workflow, version, count)).collect(),
    })
}

pub(super) fn queue(tables: &Tables<'_>, queue: &QueueName) -> Result<QueueView, Fault> {
    let spot = spot::ready(queue);
    let first = match tables.at_spot(&spot, 1)?.pop() {
        Some(id) => tables.load(&id)?,
        None => None,
    };
    let first_since = first.and_then(|stored| ready_since(&stored.head));
    Ok(QueueView { ready: tables.count_at(&spot)?, first_since })
}

/// A page: the index is by workflow, state and time, so each workflow and state asked for is a list of its own, and the
/// page is the newest of them all.
pub(super) fn list(tables: &Tables<'_>, query: &ListQuery) -> Result<Page, Fault> {
    let limit = query.limit.clamp(1, PAGE_MAX);
    let workflows = match &query.workflow {
        Some(workflow) => vec![workflow.clone()],
        None => workflows(tables)?,
    };
    let states: Vec<i64> = match query.state {
        Some(state) => vec![spot::state_number(state)],
        None => spot::state_numbers().collect(),
    };
    let mut rows: Vec<Row> = Vec::new();
    for workflow in &workflows {
        for state in &states {
            // What is older than a full page is not even read.
            let oldest = if rows.len() > limit { Some(rows[limit].created_at) } else { None };
            rows.extend(one_list(tables, query, workflow, *state, oldest, limit + 1)?);
            rows.sort_unstable_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
            rows.truncate(limit + 1);
        }
    }
    let more = rows.len() > limit;
    rows.truncate(limit);
    let last = rows.last().filter(|_| more);
    let next = last.map(|row| Cursor { created_at: row.created_at, id: row.id.clone() });
    Ok(Page { rows, next })
}

fn one_list(
    tables: &Tables<'_>,
    query: &ListQuery,
    workflow: &WorkflowName,
    state: i64,
    oldest: Option<Timestamp>,
    limit: usize,
) -> Result<Vec<Row>, Fault> {
    let from = query.created_from.max(oldest).map_or(i64::MIN, Timestamp::as_millis);
    let before = query.created_to.map_or(i64::MAX, Timestamp::as_millis);
    let (at, id) =
        query.after.as_ref().map_or((i64::MAX, ""), |after| (after.created_at.as_millis(), after.id.as_str()));
    let newest = at.min(before.saturating_sub(1));
    let mut statement = tables.prepare(&tables.sql().page)?;
    let mut rows = statement.query(params![workflow.as_str(), state, from, newest, at, id, bound(limit)])?;
    let state = spot::state_of(state).expect("the states of a query have numbers");
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(Row {
            id: instance_id(row, 0)?,
            workflow: workflow.clone(),
            version: row.get(1)?,
            state,
            created_at: Timestamp::from_millis(row.get(2)?),
            updated_at: Timestamp::from_millis(row.get(3)?),
        });
    }
    Ok(found)
}

/// The workflows there are instances of.
fn workflows(tables: &Tables<'_>) -> Result<Vec<WorkflowName>, Fault> {
    let mut statement = tables.prepare(&tables.sql().next_workflow)?;
    let mut found: Vec<WorkflowName> = Vec::new();
    loop {
        let mut rows = statement.query([found.last().map_or("", |name| name.as_str())])?;
        let Some(row) = rows.next()? else { return Ok(found) };
        let name = WorkflowName::new(text(row, 0)?).map_err(|error| Fault::Damaged(error.to_string()))?;
        drop(rows);
        found.push(name);
    }
}
