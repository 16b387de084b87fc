//! Pages of instances.
//!
//! A page is read from one of three kinds of index, each bounded: the list of all, which is in the order of the page and
//! is walked through; the sets of one state, which are small where few are in it, and are read whole; the ids, for what
//! begins alike. What an index names is looked at instance by instance, and left out if it is not what was asked for.
//! Owns which index is read, and the bounds. Writes nothing. Called by the store.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use redis::Pipeline;

use super::RedisStore;
use super::keys::Of;
use super::scripts::{Misread, Said, look};
use super::stored::{self, Numbers};
use super::views::{SORTABLE_ZERO, misread};
use crate::journal::head::State;
use crate::journal::wire::Damaged;
use crate::store::{Cursor, DamagedRow, ListQuery, Page, Row, StoreError};
use crate::words::id::{InstanceId, WorkflowName};
use crate::words::time::Timestamp;

/// Instances looked at in one go.
const LOOKED_AT_ONCE: usize = 200;
/// Instances looked at for one page at most: a page that finds few of what is asked for ends early, with a cursor.
const LOOKED_AT_MAX: usize = 10_000;
/// A state with so few instances is read by its own sets at once; one with more is looked for in so many of the list of
/// all first, as a page of what is frequent is full by then.
const LOOKED_AT_FIRST: usize = 1_000;

/// An instance that was looked at, or what is wrong with it, and where it is in the list.
#[derive(Debug)]
struct Entry {
    at: Cursor,
    row: Result<Row, String>,
}

/// What an index says of an instance.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) id: InstanceId,
    /// When it was created, if the index says.
    created_at: Option<Timestamp>,
}

/// A part of an index that is in the order of the page.
#[derive(Debug)]
struct Walk {
    partition: usize,
    index: Of,
    /// Of the list of all: the newest first. Else by id.
    command: &'static str,
    from: Vec<u8>,
    to: Vec<u8>,
}

/// What a walk found, and where it was broken off, if it was.
#[derive(Debug)]
struct Walked {
    found: Vec<Entry>,
    stopped: Option<Cursor>,
}

impl RedisStore {
    pub(super) async fn read_list(&self, query: &ListQuery) -> Result<Page, StoreError> {
        if let Some(prefix) = &query.id_prefix {
            if !self.keeps_ids {
                let message = "the namespace keeps no index of ids: its first url had no ids=1".to_owned();
                return Err(StoreError::Refused { store: self.target.shown().to_owned(), message });
            }
            let walks = (0..self.keys.len()).map(|partition| walk_by_id(partition, prefix, query)).collect();
            return self.walk_all(walks, query, LOOKED_AT_MAX).await;
        }
        let Some(state) = query.state else { return self.walk_newest(query, LOOKED_AT_MAX).await };
        let size = self.size_of(state).await?;
        if size > LOOKED_AT_FIRST {
            let page = self.walk_newest(query, LOOKED_AT_FIRST).await?;
            if page.next.is_none() || page.rows.len() + page.damaged.len() == limit_of(query) {
                return Ok(page);
            }
        }
        if size <= LOOKED_AT_MAX
            && let Some(page) = self.page_of_state(state, query).await?
        {
            return Ok(page);
        }
        self.walk_newest(query, LOOKED_AT_MAX).await
    }

    // ---- indexes in the order of the page

    async fn walk_newest(&self, query: &ListQuery, looked_at_max: usize) -> Result<Page, StoreError> {
        let mut walks = Vec::new();
        for partition in 0..self.keys.len() {
            let workflows = match &query.workflow {
                Some(workflow) => vec![workflow.clone()],
                None => self.workflows_of(partition).await?,
            };
            walks.extend(workflows.iter().map(|workflow| walk_newest(partition, workflow, query)));
        }
        self.walk_all(walks, query, looked_at_max).await
    }

    async fn walk_all(&self, walks: Vec<Walk>, query: &ListQuery, looked_at_max: usize) -> Result<Page, StoreError> {
        let each = (looked_at_max / walks.len().max(1)).max(LOOKED_AT_ONCE);
        let (mut found, mut ended): (Vec<Entry>, Option<Cursor>) = (Vec::new(), None);
        for walk in walks {
            let walked = self.walk(walk, query, each).await?;
            found.extend(walked.found);
            // Where a walk was broken off nothing that follows is complete.
            ended = ended.into_iter().chain(walked.stopped).min_by(|one, other| order(query, one, other));
        }
        if let Some(stop) = &ended {
            found.retain(|entry| order(query, &entry.at, stop) != Ordering::Greater);
        }
        Ok(page(found, query, ended))
    }

    /// One more than a page of what is asked for, in order.
    async fn walk(&self, mut walk: Walk, query: &ListQuery, looked_at_max: usize) -> Result<Walked, StoreError> {
        let wanted = limit_of(query) + 1;
        let (mut found, mut looked_at) = (Vec::new(), 0);
        loop {
            // Where everything is asked for, no more is looked at than goes on the page.
            let at_once = if query.state.is_none() { wanted - found.len() } else { LOOKED_AT_ONCE }.min(LOOKED_AT_ONCE);
            let mut pipeline = Pipeline::new();
            pipeline.cmd(walk.command).arg(self.keys[walk.partition].of(walk.index)).arg(&walk.from).arg(&walk.to);
            pipeline.arg("LIMIT").arg(0).arg(at_once);
            let members = self.read(self.answers(&self.keys[walk.partition], pipeline).await?.list(0))?;
            let named = self.read(named(walk.index, &members))?;
            let last = named
                .last()
                .map(|named| Cursor { created_at: named.created_at.unwrap_or_default(), id: named.id.clone() });
            found
                .extend(self.look_at(walk.partition, named).await?.into_iter().filter(|entry| asked_for(entry, query)));
            looked_at += members.len();
            if members.len() < at_once || found.len() >= wanted {
                return Ok(Walked { found, stopped: None });
            }
            if looked_at >= looked_at_max {
                return Ok(Walked { found, stopped: last });
            }
            walk.from = [b"(", self.read(members.bytes(members.len() - 1))?].concat();
        }
    }

    /// The workflows that have instances in a partition.
    async fn workflows_of(&self, partition: usize) -> Result<Vec<WorkflowName>, StoreError> {
        let mut found: Vec<WorkflowName> = Vec::new();
        let mut from = b"-".to_vec();
        loop {
            let mut pipeline = Pipeline::new();
            pipeline.cmd("ZRANGEBYLEX").arg(self.keys[partition].of(Of::All)).arg(&from).arg("+");
            pipeline.arg("LIMIT").arg(0).arg(1);
            let members = self.read(self.answers(&self.keys[partition], pipeline).await?.list(0))?;
            if members.len() == 0 {
                return Ok(found);
            }
            let (workflow, _, _) = self.read(listed(self.read(members.bytes(0))?))?;
            from = [b"(", workflow.as_str().as_bytes(), b"\x01"].concat();
            found.push(workflow);
        }
    }

    // ---- sets of one state

    /// At least how many instances are in a state.
    async fn size_of(&self, state: State) -> Result<usize, StoreError> {
        let mut size: u64 = 0;
        for keys in &self.keys {
            let mut pipeline = Pipeline::new();
            for index in sets_of(state) {
                pipeline.cmd("ZCARD").arg(keys.of(*index));
            }
            let sizes = self.answers(keys, pipeline).await?;
            let of_partition: u64 = self.read((0..sizes.len()).map(|index| sizes.natural(index)).sum())?;
            size = size.saturating_add(of_partition);
        }
        Ok(usize::try_from(size).unwrap_or(usize::MAX))
    }

    /// A page from the sets of a state; `None` when they have grown beyond what is looked at for one.
    async fn page_of_state(&self, state: State, query: &ListQuery) -> Result<Option<Page>, StoreError> {
        let (mut found, mut looked_at) = (Vec::new(), 0);
        for partition in 0..self.keys.len() {
            // At one moment: what goes from one set to another must not be missed. What is in two is there once.
            let request = look::sets(&self.keys[partition], sets_of(state), LOOKED_AT_MAX);
            let sets = self.look(&self.scripts.sets, request).await?;
            let mut ids: BTreeSet<InstanceId> = BTreeSet::new();
            for (at, index) in sets_of(state).iter().enumerate() {
                let members = self.read(sets.list(at))?;
                ids.extend(self.read(named(*index, &members))?.into_iter().map(|named| named.id));
            }
            looked_at += ids.len();
            if looked_at > LOOKED_AT_MAX {
                return Ok(None);
            }
            let mut ids = ids.into_iter().map(|id| Named { id, created_at: None }).peekable();
            while ids.peek().is_some() {
                let some = ids.by_ref().take(LOOKED_AT_ONCE).collect();
                let entries = self.look_at(partition, some).await?;
                found.extend(entries.into_iter().filter(|entry| asked_for(entry, query)));
            }
        }
        Ok(Some(page(found, query, None)))
    }

    // ---- instances

    /// Looks at instances; those that were deleted meanwhile are left out.
    async fn look_at(&self, partition: usize, named: Vec<Named>) -> Result<Vec<Entry>, StoreError> {
        if named.is_empty() {
            return Ok(Vec::new());
        }
        let mut entries = Vec::with_capacity(named.len());
        match self.fields_of(partition, &named).await {
            Ok(fields) => {
                for (named, fields) in named.into_iter().zip(&fields) {
                    entries.extend(entry(named, fields));
                }
            }
            // One of them is not even a hash.
            Err(StoreError::Damaged { .. }) => {
                for named in named {
                    match self.fields_of(partition, std::slice::from_ref(&named)).await {
                        Ok(fields) => entries.extend(fields.first().and_then(|fields| entry(named, fields))),
                        Err(StoreError::Damaged { message, .. }) => entries.push(damaged(named, None, message)),
                        Err(other) => return Err(other),
                    }
                }
            }
            Err(other) => return Err(other),
        }
        Ok(entries)
    }

    async fn fields_of(&self, partition: usize, named: &[Named]) -> Result<Vec<Vec<Option<Vec<u8>>>>, StoreError> {
        let mut pipeline = Pipeline::new();
        for named in named {
            pipeline.cmd("HMGET").arg(self.keys[partition].instance(&named.id)).arg(&["h", "t", "b", "m"]);
        }
        let answers = self.answers(&self.keys[partition], pipeline).await?;
        (0..named.len()).map(|index| self.optional_fields(&answers, index)).collect()
    }
}

fn limit_of(query: &ListQuery) -> usize {
    query.limit.clamp(1, 1_000)
}

/// The order of the list: newest first, or by id.
fn order(query: &ListQuery, one: &Cursor, other: &Cursor) -> Ordering {
    let by_id = one.id.cmp(&other.id);
    if query.id_prefix.is_some() { by_id } else { other.created_at.cmp(&one.created_at).then(by_id.reverse()) }
}

fn asked_for(entry: &Entry, query: &ListQuery) -> bool {
    let at = &entry.at;
    let of_kind = |row: &Row| {
        query.workflow.as_ref().is_none_or(|workflow| *workflow == row.workflow)
            && query.state.is_none_or(|state| state == row.state)
    };
    entry.row.as_ref().map_or(true, of_kind)
        && query.created_from.is_none_or(|from| at.created_at >= from)
        && query.created_to.is_none_or(|to| at.created_at < to)
        && query.after.as_ref().is_none_or(|after| order(query, after, at) == Ordering::Less)
}

/// The first of what was found, and where to go on: after them, or where the search for them ended.
fn page(mut found: Vec<Entry>, query: &ListQuery, ended: Option<Cursor>) -> Page {
    found.sort_by(|one, other| order(query, &one.at, &other.at));
    let more = found.len() > limit_of(query);
    found.truncate(limit_of(query));
    let next = if more { found.last().map(|entry| entry.at.clone()) } else { ended };
    let mut page = Page { next, ..Page::default() };
    for entry in found {
        match entry.row {
            Ok(row) => page.rows.push(row),
            Err(damage) => page.damaged.push(DamagedRow { id: entry.at.id, damage }),
        }
    }
    page
}

// ---- what indexes say

/// The sets whose members are in a state, all of them or some.
const fn sets_of(state: State) -> &'static [Of] {
    match state {
        State::Queued => &[Of::Ready, Of::Shelf, Of::Later],
        State::Running => &[Of::Held, Of::Inbox],
        // Together with what waits for its start time.
        State::Waiting => &[Of::Timers],
        State::Paused => &[Of::Paused],
        State::Complete => &[Of::Complete],
        State::Errored => &[Of::Errored],
        State::Terminated => &[Of::Terminated],
    }
}

fn walk_newest(partition: usize, workflow: &WorkflowName, query: &ListQuery) -> Walk {
    let prefix = [workflow.as_str().as_bytes(), b"\0"].concat();
    let bound = |kind: &[u8], at: Timestamp, id: &str| {
        let time = (at.as_millis().saturating_add(SORTABLE_ZERO)).to_be_bytes();
        [kind, &prefix, &time[1..], id.as_bytes()].concat()
    };
    let after = query.after.as_ref().filter(|after| query.created_to.is_none_or(|to| after.created_at < to));
    let from = match (after, query.created_to) {
        (Some(after), _) => bound(b"(", after.created_at, after.id.as_str()),
        (None, Some(to)) => bound(b"(", to, ""),
        (None, None) => [b"(", workflow.as_str().as_bytes(), b"\x01"].concat(),
    };
    let to = match query.created_from {
        Some(from) => bound(b"[", from, ""),
        None => [b"[", prefix.as_slice()].concat(),
    };
    Walk { partition, index: Of::All, command: "ZREVRANGEBYLEX", from, to }
}

fn walk_by_id(partition: usize, prefix: &InstanceId, query: &ListQuery) -> Walk {
    let prefix = prefix.as_str();
    let from = match query.after.as_ref().map(|after| after.id.as_str()).filter(|after| *after >= prefix) {
        Some(after) => format!("({after}"),
        None => format!("[{prefix}"),
    };
    // No character of an id is as great.
    let to = format!("({prefix}\x7f");
    Walk { partition, index: Of::Ids, command: "ZRANGEBYLEX", from: from.into_bytes(), to: to.into_bytes() }
}

/// The indexes whose members lists are made of, one of each form.
pub(super) const INDEXES: [Of; 6] = [Of::All, Of::Ready, Of::Shelf, Of::Held, Of::Inbox, Of::Ids];

/// What the members of an index say.
pub(super) fn named(index: Of, members: &Said) -> Result<Vec<Named>, Misread> {
    let one = |at| {
        let member = members.bytes(at)?;
        let (id, created_at) = match index {
            Of::All => {
                let (_, created_at, id) = listed(member)?;
                (id, Some(created_at))
            }
            Of::Ready => (ready_of(member)?.1, None),
            // A workflow, its version, a queue, whether it has begun, the id.
            Of::Shelf => {
                let queue = after_zero(member)? + 4;
                (text_from(member, queue + after_zero(member.get(queue..).unwrap_or_default())? + 1)?, None)
            }
            // A session, the id.
            Of::Held => (text_from(member, 16)?, None),
            // A session, since when, the id, the workflow, the version.
            Of::Inbox => (text_between(member, 16 + 7)?, None),
            _ => (text_from(member, 0)?, None),
        };
        let id = InstanceId::new(id).map_err(|_| misread("an instance")())?;
        Ok(Named { id, created_at })
    };
    (0..members.len()).map(one).collect()
}

/// Where the score begins of an entry of the ready lists, and the id after it. An entry is a queue, whether it has begun, a
/// workflow, the score, the id, the version.
pub(super) fn ready_of(member: &[u8]) -> Result<(usize, &str), Misread> {
    let workflow = after_zero(member)? + 1;
    let score = workflow + after_zero(member.get(workflow..).unwrap_or_default())?;
    Ok((score, text_between(member, score + 7)?))
}

/// The workflow, creation time and id of an entry of the list of all.
fn listed(member: &[u8]) -> Result<(WorkflowName, Timestamp, &str), Misread> {
    let wrong = misread("an instance");
    let at = after_zero(member)?;
    let name = std::str::from_utf8(&member[..at - 1]).ok().and_then(|name| WorkflowName::new(name).ok());
    let time = member.get(at..at + 7).ok_or_else(&wrong)?;
    let time = time.iter().fold(0_i64, |value, byte| value << 8 | i64::from(*byte)) - SORTABLE_ZERO;
    Ok((name.ok_or_else(&wrong)?, Timestamp::from_millis(time), text_from(member, at + 7)?))
}

/// Where what follows the first zero begins.
fn after_zero(member: &[u8]) -> Result<usize, Misread> {
    member.iter().position(|byte| *byte == 0).map(|at| at + 1).ok_or_else(misread("an instance"))
}

fn text_from(member: &[u8], from: usize) -> Result<&str, Misread> {
    member.get(from..).and_then(|id| std::str::from_utf8(id).ok()).ok_or_else(misread("an instance"))
}

/// The text up to the next zero.
fn text_between(member: &[u8], from: usize) -> Result<&str, Misread> {
    let rest = member.get(from..).unwrap_or_default();
    text_from(&rest[..after_zero(rest)? - 1], 0)
}

/// What the fields of an instance say; `None` when there is none.
fn entry(named: Named, fields: &[Option<Vec<u8>>]) -> Option<Entry> {
    let [Some(head), traffic, birth, meta] = fields else { return None };
    let read = || -> Result<Row, Damaged> {
        let missing = |what| Damaged { at: 0, what };
        let head = Numbers::read(head, traffic.as_deref().unwrap_or_default())?;
        let (_, _, created_at) = stored::read_birth(birth.as_deref().ok_or_else(|| missing("its birth"))?)?;
        let spec = stored::read_spec(meta.as_deref().ok_or_else(|| missing("what it is"))?, 0, &[])?;
        let (state, shelved, updated_at) = (head.state()?, head.is_shelved(), head.updated_at);
        let (workflow, version) = (spec.workflow, spec.version);
        Ok(Row { id: named.id.clone(), workflow, version, state, shelved, created_at, updated_at })
    };
    Some(match read() {
        Ok(row) => Entry { at: Cursor { created_at: row.created_at, id: row.id.clone() }, row: Ok(row) },
        Err(error) => damaged(named, birth.as_deref(), error.to_string()),
    })
}

/// One whose creation is not known is shown with the newest, so that it is met once.
fn damaged(named: Named, birth: Option<&[u8]>, damage: String) -> Entry {
    let born = || stored::read_birth(birth?).ok().map(|(_, _, created_at)| created_at);
    let created_at = named.created_at.or_else(born).unwrap_or(Timestamp::MAX);
    Entry { at: Cursor { created_at, id: named.id }, row: Err(damage) }
}
