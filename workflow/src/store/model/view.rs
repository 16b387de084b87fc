//! What can be read from the model store.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::Data;
use crate::journal::head::{Head, Place, State};
use crate::journal::table::ready_since;
use crate::store::{Cursor, ListQuery, Overview, Page, Pending, QueueView, Row, SessionView, Shelf, Snapshot};
use crate::words::id::{InstanceId, QueueName, SessionId, WorkflowName};
use crate::words::payload::Payload;
use crate::words::time::Timestamp;

impl Data {
    pub(super) fn inspect(&self, id: &InstanceId) -> Option<Snapshot> {
        let instance = self.instances.get(id)?;
        let mut runs: Vec<u32> = instance.archives.keys().copied().collect();
        runs.push(instance.head.run);
        Some(Snapshot { id: id.clone(), head: instance.head.clone(), runs })
    }

    pub(super) fn journal(&self, id: &InstanceId, run: u32, from: u32) -> Option<Vec<Payload>> {
        let records = self.instances.get(id)?.journals.get(&run)?;
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        Some(records.get(from..).unwrap_or_default().to_vec())
    }

    pub(super) fn session_views(&self) -> Vec<SessionView> {
        let view = |(id, session): (&_, &crate::journal::table::session::Session)| SessionView {
            session: *id,
            beats: session.beats,
            expires_at: session.expires_at,
            revoked: session.revoked,
        };
        self.sessions.iter().map(view).collect()
    }

    pub(super) fn held(&self, session: SessionId, limit: usize) -> Vec<InstanceId> {
        let held = self.instances.iter().filter(|(_, instance)| instance.head.held_by(session));
        held.map(|(id, _)| id.clone()).take(limit).collect()
    }

    pub(super) fn outbox(&self, before: Timestamp, limit: usize) -> Vec<Pending> {
        let mut pending: Vec<(Timestamp, Pending)> = self
            .instances
            .iter()
            .flat_map(|(id, instance)| instance.outbox.iter().map(move |(number, entry)| (id, *number, entry)))
            .filter(|(_, _, (at, _))| *at < before)
            .map(|(id, number, (at, outgoing))| {
                (*at, Pending { source: id.clone(), number, outgoing: outgoing.clone() })
            })
            .collect();
        pending.sort_by(|(one_at, one), (other_at, other)| {
            (one_at, &one.source, one.number).cmp(&(other_at, &other.source, other.number))
        });
        pending.into_iter().take(limit).map(|(_, pending)| pending).collect()
    }

    pub(super) fn queue(&self, queue: &QueueName) -> QueueView {
        let score = |head: &Head| match head.place {
            Place::Ready { score } if head.spec.queue == *queue => Some(score),
            _ => None,
        };
        let heads = self.instances.iter().map(|(id, instance)| (id, &instance.head));
        let ready: Vec<_> = heads.filter_map(|(id, head)| Some((score(head)?, id, head))).collect();
        let first = ready.iter().min_by_key(|(score, id, _)| (*score, *id));
        QueueView { ready: ready.len() as u64, first_since: first.and_then(|(.., head)| ready_since(head)) }
    }

    pub(super) fn overview(&self) -> Overview {
        let mut overview = Overview::default();
        let mut shelves: BTreeMap<(WorkflowName, u32), u64> = BTreeMap::new();
        let mut workflows: BTreeMap<WorkflowName, u64> = BTreeMap::new();
        for instance in self.instances.values() {
            let spec = &instance.head.spec;
            *workflows.entry(spec.workflow.clone()).or_default() += 1;
            match (&instance.head.place, instance.head.state()) {
                (Place::Shelved, _) => *shelves.entry((spec.workflow.clone(), spec.version)).or_default() += 1,
                (Place::Asleep { .. }, State::Queued) => overview.delayed += 1,
                (_, State::Queued) => overview.ready += 1,
                (_, State::Running) => overview.held += 1,
                (_, State::Waiting) => overview.asleep += 1,
                (_, State::Paused) => overview.paused += 1,
                (_, State::Complete) => overview.complete += 1,
                (_, State::Errored) => overview.errored += 1,
                (_, State::Terminated) => overview.terminated += 1,
            }
        }
        overview.shelves = Shelf::all(shelves);
        overview.workflows = workflows.into_iter().collect();
        overview
    }

    pub(super) fn list(&self, query: &ListQuery) -> Page {
        let limit = query.limit.clamp(1, 1_000);
        let mut rows: Vec<Row> = self
            .instances
            .iter()
            .map(|(id, instance)| Row {
                id: id.clone(),
                workflow: instance.head.spec.workflow.clone(),
                version: instance.head.spec.version,
                state: instance.head.state(),
                shelved: matches!(instance.head.place, Place::Shelved),
                created_at: instance.head.created_at,
                updated_at: instance.head.updated_at,
            })
            .filter(|row| asked_for(row, query))
            .collect();
        rows.sort_by(|one, other| order(query, (one.created_at, &one.id), (other.created_at, &other.id)));
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(|row| Cursor { created_at: row.created_at, id: row.id.clone() });
        Page { rows, damaged: Vec::new(), next }
    }

    /// The earliest timer of any sleeping instance.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        let due = self.instances.values().filter_map(|instance| instance.head.due());
        due.filter(|due| *due < Timestamp::MAX).min()
    }
}

fn order(query: &ListQuery, one: (Timestamp, &InstanceId), other: (Timestamp, &InstanceId)) -> Ordering {
    if query.id_prefix.is_some() { one.1.cmp(other.1) } else { other.cmp(&one) }
}

fn asked_for(row: &Row, query: &ListQuery) -> bool {
    let comes_after =
        |after: &Cursor| order(query, (after.created_at, &after.id), (row.created_at, &row.id)) == Ordering::Less;
    query.workflow.as_ref().is_none_or(|workflow| *workflow == row.workflow)
        && query.state.is_none_or(|state| state == row.state)
        && query.created_from.is_none_or(|from| row.created_at >= from)
        && query.created_to.is_none_or(|to| row.created_at < to)
        && query.id_prefix.as_ref().is_none_or(|prefix| row.id.as_str().starts_with(prefix.as_str()))
        && query.after.as_ref().is_none_or(comes_after)
}
