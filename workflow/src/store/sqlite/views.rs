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
use crate::journal::head::State;
use crate::journal::table::ready_since;
use crate::store::{
    Cursor, DamagedRow, ListQuery, Overview, Page, Pending, QueueView, Row, SessionView, Shelf, Snapshot,
};
use crate::words::id::{InstanceId, QueueName, SessionId, WorkflowName};
use crate::words::payload::Payload;
use crate::words::time::Timestamp;

/// Most rows of one page.
const PAGE_MAX: usize = 1_000;
/// Rows looked at for one page by id at most: one that finds few of what is asked for ends early, with a cursor.
const LOOKED_AT_MAX: usize = 10_000;

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

pub(super) fn held(tables: &Tables<'_>, session: SessionId, limit: usize) -> Result<Vec<InstanceId>, Fault> {
    tables.at_spot(&spot::held(session), limit)
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

pub(super) fn shelves(tables: &Tables<'_>) -> Result<Vec<Shelf>, Fault> {
    let mut shelves: BTreeMap<(WorkflowName, u32), u64> = BTreeMap::new();
    for shelf in tables.shelves()? {
        *shelves.entry((shelf.workflow, shelf.version)).or_default() += tables.count_at(&shelf.spot)?;
    }
    Ok(Shelf::all(shelves))
}

/// The index of lists is read once, for every state; only what is queued is told apart by its place.
pub(super) fn overview(tables: &Tables<'_>) -> Result<Overview, Fault> {
    let mut overview =
        Overview { ready: tables.count_kind(spot::kind::READY)?, shelves: shelves(tables)?, ..Overview::default() };
    let mut queued = 0;
    let mut statement = tables.prepare(&tables.sql().count_states)?;
    for workflow in workflows(tables)? {
        let mut total = 0;
        let mut rows = statement.query([workflow.as_str()])?;
        while let Some(row) = rows.next()? {
            let count = natural(row, 1)?;
            total += count;
            *match state_in(row, 0)? {
                State::Queued => &mut queued,
                State::Running => &mut overview.held,
                State::Waiting => &mut overview.asleep,
                State::Paused => &mut overview.paused,
                State::Complete => &mut overview.complete,
                State::Errored => &mut overview.errored,
                State::Terminated => &mut overview.terminated,
            } += count;
        }
        overview.workflows.push((workflow, total));
    }
    overview.delayed = u64::saturating_sub(queued, overview.ready + overview.shelved());
    Ok(overview)
}

fn state_in(row: &rusqlite::Row<'_>, column: usize) -> Result<State, Fault> {
    spot::state_of(row.get(column)?).ok_or_else(|| Fault::Damaged("a state of an unknown number".to_owned()))
}

/// A line of a list, and whether its instance was set aside.
type Line = (Row, bool);

pub(super) fn queue(tables: &Tables<'_>, queue: &QueueName) -> Result<QueueView, Fault> {
    let (mut ready, mut firsts) = (0, Vec::new());
    let (from, to) = spot::all_ready(queue);
    for spot in tables.spots_between(&from, &to)? {
        ready += tables.count_at(&spot)?;
        firsts.extend(tables.ranked_at_spot(&spot, 1)?);
    }
    let first = match firsts.into_iter().min() {
        Some((_, id)) => tables.load(&id)?,
        None => None,
    };
    Ok(QueueView { ready, first_since: first.and_then(|stored| ready_since(&stored.head)) })
}

/// A page: the index is by workflow, state and time, so each workflow and state asked for is a list of its own, and the
/// page is the newest of them all.
pub(super) fn list(tables: &Tables<'_>, query: &ListQuery) -> Result<Page, Fault> {
    let limit = query.limit.clamp(1, PAGE_MAX);
    if let Some(prefix) = &query.id_prefix {
        return list_by_id(tables, query, prefix, limit);
    }
    let workflows = match &query.workflow {
        Some(workflow) => vec![workflow.clone()],
        None => workflows(tables)?,
    };
    let states: Vec<i64> = match query.state {
        Some(state) => vec![spot::state_number(state)],
        None => spot::state_numbers().collect(),
    };
    let mut lines: Vec<Line> = Vec::new();
    for workflow in &workflows {
        for state in &states {
            // What is older than a full page is not even read.
            let oldest = if lines.len() > limit { Some(lines[limit].0.created_at) } else { None };
            lines.extend(one_list(tables, query, workflow, *state, oldest, limit + 1)?);
            lines.sort_unstable_by(|(a, _), (b, _)| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
            lines.truncate(limit + 1);
        }
    }
    let more = lines.len() > limit;
    lines.truncate(limit);
    let next = lines.last().filter(|_| more).map(|(row, _)| cursor(row));
    Ok(page(lines, next))
}

fn cursor(row: &Row) -> Cursor {
    Cursor { created_at: row.created_at, id: row.id.clone() }
}

fn page(lines: Vec<Line>, next: Option<Cursor>) -> Page {
    let mut page = Page { next, ..Page::default() };
    for (row, is_damaged) in lines {
        if is_damaged {
            let damage = "its head could not be read when a command met it".to_owned();
            page.damaged.push(DamagedRow { id: row.id, damage });
        } else {
            page.rows.push(row);
        }
    }
    page
}

fn one_list(
    tables: &Tables<'_>,
    query: &ListQuery,
    workflow: &WorkflowName,
    state: i64,
    oldest: Option<Timestamp>,
    limit: usize,
) -> Result<Vec<Line>, Fault> {
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
        found.push(line(row, workflow.clone(), state)?);
    }
    Ok(found)
}

/// A line of a list, of which the first five columns are id, version, creation, change and spot.
fn line(row: &rusqlite::Row<'_>, workflow: WorkflowName, state: State) -> Result<Line, Fault> {
    let kind = blob(row, 4)?.first().copied();
    let line = Row {
        id: instance_id(row, 0)?,
        workflow,
        version: row.get(1)?,
        state,
        shelved: kind == Some(spot::kind::SHELF),
        created_at: Timestamp::from_millis(row.get(2)?),
        updated_at: Timestamp::from_millis(row.get(3)?),
    };
    Ok((line, kind == Some(spot::kind::DAMAGED)))
}

/// A page by id: what the ids begin with is looked through in order, and what else is asked for is left out, until the
/// page is full or enough was looked at.
fn list_by_id(tables: &Tables<'_>, query: &ListQuery, prefix: &InstanceId, limit: usize) -> Result<Page, Fault> {
    let after = query.after.as_ref().map_or("", |after| after.id.as_str());
    // No character of an id is as great.
    let end = format!("{prefix}\x7f");
    let mut statement = tables.prepare(&tables.sql().page_by_id)?;
    let mut rows = statement.query(params![prefix.as_str(), after, end, bound(LOOKED_AT_MAX)])?;
    let (mut lines, mut newest, mut looked_at) = (Vec::new(), None, 0);
    while let Some(row) = rows.next()? {
        let workflow = WorkflowName::new(text(row, 5)?).map_err(|error| Fault::Damaged(error.to_string()))?;
        let (line, is_damaged) = line(row, workflow, state_in(row, 6)?)?;
        looked_at += 1;
        if is_asked_for(&line, query) {
            if lines.len() == limit {
                return Ok(page(lines, newest));
            }
            newest = Some(cursor(&line));
            lines.push((line, is_damaged));
        } else if looked_at == LOOKED_AT_MAX {
            newest = Some(cursor(&line));
        }
    }
    let next = newest.filter(|_| looked_at == LOOKED_AT_MAX);
    Ok(page(lines, next))
}

fn is_asked_for(row: &Row, query: &ListQuery) -> bool {
    query.workflow.as_ref().is_none_or(|workflow| *workflow == row.workflow)
        && query.state.is_none_or(|state| state == row.state)
        && query.created_from.is_none_or(|from| row.created_at >= from)
        && query.created_to.is_none_or(|to| row.created_at < to)
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
