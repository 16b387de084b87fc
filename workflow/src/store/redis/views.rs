//! What can be read: one instance, journals, sessions, the outbox and counts. Lists are in `listing.rs`.
//!
//! Reads go over a connection of their own and see what scripts wrote whole. Writes nothing, but
//! that an entry of the outbox that leads to nothing is forgotten.
//! Called by the store.

use std::collections::BTreeMap;

use redis::{Pipeline, Value};

use super::RedisStore;
use super::keys::{Keys, Of};
use super::listing::ready_of;
use super::scripts::{Misread, Said, look, sweep};
use super::stored::{self, Numbers};
use crate::journal::command::Outgoing;
use crate::journal::table::ready_since;
use crate::store::{Outcome, Overview, Pending, QueueView, SessionView, Shelf, Snapshot, Stands, StoreError};
use crate::words::id::{InstanceId, QueueName, SessionId, WorkflowName};
use crate::words::payload::Payload;
use crate::words::time::Timestamp;

/// Records that the first command of a read asks for, before it is known how many there are: most instances have no
/// more. The server looks for each, whether it is there or not, and answers for each.
const RECORDS_FIRST: u32 = 32;
/// Records read by one command.
const RECORDS_A_READ: u32 = 500;
/// Most entries of the outbox read at once.
const SENT_AT_ONCE_MAX: usize = 10_000;
/// The offset that makes sortable times positive: see `sortable` in the prelude.
pub(super) const SORTABLE_ZERO: i64 = 1 << 52;

/// A field and its value, or a member and its score.
type Pair = (Vec<u8>, Vec<u8>);

impl RedisStore {
    /// An instance as others are told of it.
    pub(super) async fn read_told(&self, id: &InstanceId) -> Result<Option<Snapshot>, StoreError> {
        let has_ended = |read: &Snapshot| read.head.state().is_final();
        self.told(id, || self.read_instance(id), has_ended).await
    }

    /// What became of an instance, as others are told of it.
    pub(super) async fn read_outcome_told(&self, id: &InstanceId) -> Result<Option<Outcome>, StoreError> {
        let has_ended = |read: &Outcome| matches!(read.stands, Stands::Ended(_));
        self.told(id, || self.read_outcome(id), has_ended).await
    }

    /// Where the url asks for replicas, an end is not told before they have it: a failover would take it back.
    async fn told<T: PartialEq, F: Future<Output = Result<Option<T>, StoreError>>>(
        &self,
        id: &InstanceId,
        read: impl Fn() -> F,
        has_ended: impl Fn(&T) -> bool,
    ) -> Result<Option<T>, StoreError> {
        let mut told = read().await?;
        while self.target.replicas() > 0 && told.as_ref().is_some_and(&has_ended) {
            self.reach_replicas(self.partition_of_text(id.as_str())).await?;
            // They may be those of another server than the one that was asked before.
            let after = read().await?;
            if after == told {
                break;
            }
            told = after;
        }
        Ok(told)
    }

    async fn read_outcome(&self, id: &InstanceId) -> Result<Option<Outcome>, StoreError> {
        let keys = self.keys_of(id);
        let mut pipeline = Pipeline::new();
        pipeline.cmd("HMGET").arg(keys.instance(id)).arg(&stored::OUTCOME_FIELDS);
        let fields = self.optional_fields(&self.answers(keys, pipeline).await?, 0)?;
        stored::read_outcome(&fields).map_err(|error| self.damaged_in(id, &error))
    }

    pub(super) async fn read_instance(&self, id: &InstanceId) -> Result<Option<Snapshot>, StoreError> {
        let keys = self.keys_of(id);
        let key = keys.instance(id);
        let mut pipeline = Pipeline::new();
        pipeline.cmd("HMGET").arg(&key).arg(&stored::FIELDS);
        let mut fields = self.optional_fields(&self.answers(keys, pipeline).await?, 0)?;
        let children = loop {
            let Some(Some(head)) = fields.first() else { return Ok(None) };
            let traffic = fields.get(1).and_then(Option::as_deref).unwrap_or_default();
            // Only what has sent something can have children.
            if Numbers::read(head, traffic).map_err(|error| self.damaged_in(id, &error))?.outgoing == 0 {
                break Vec::new();
            }
            let mut pipeline = Pipeline::new();
            pipeline.cmd("ZRANGE").arg(keys.children(id)).arg(0).arg(-1);
            pipeline.cmd("HMGET").arg(&key).arg(&stored::FIELDS);
            let both = self.answers(keys, pipeline).await?;
            let children = self.read(both.ids(0))?;
            // Children change only together with a field: they belong to fields that are the same before and after.
            // A server that is full would refuse `MULTI`.
            let after = self.optional_fields(&both, 1)?;
            if after == fields {
                break children;
            }
            fields = after;
        };
        let (head, mut runs) = stored::read_head(&fields, children).map_err(|error| self.damaged_in(id, &error))?;
        runs.push(head.run);
        Ok(Some(Snapshot { id: id.clone(), head, runs }))
    }

    pub(super) async fn read_journal(
        &self,
        id: &InstanceId,
        run: u32,
        from: u32,
    ) -> Result<Option<Vec<Payload>>, StoreError> {
        let keys = self.keys_of(id);
        let key = keys.instance(id);
        let mut records: Vec<Payload> = Vec::new();
        let mut asked = RECORDS_FIRST;
        loop {
            // The number of records is read with them: a run may be deleted, or begin anew, between two reads.
            let first = from.saturating_add(u32::try_from(records.len()).unwrap_or(u32::MAX));
            let fields: Vec<String> =
                (first..first.saturating_add(asked)).map(|number| stored::record_field(run, number)).collect();
            let mut pipeline = Pipeline::new();
            pipeline.cmd("HMGET").arg(&key).arg("h").arg("a").arg(fields);
            let found = self.optional_fields(&self.answers(keys, pipeline).await?, 0)?;
            let Some(length) = self.length_of(id, run, &found)? else { return Ok(None) };
            let wanted = usize::try_from(length.saturating_sub(first).min(asked)).unwrap_or(usize::MAX);
            for record in found.iter().skip(2).take(wanted) {
                let bytes = record.as_ref().ok_or_else(|| self.damaged(&format!("{id}: a record is missing")))?;
                records.push(Payload::from_bytes(bytes.as_slice()));
            }
            let left = length.saturating_sub(first.saturating_add(asked));
            if left == 0 {
                return Ok(Some(records));
            }
            asked = left.min(RECORDS_A_READ);
        }
    }

    /// How many records a run has, from the head and the old runs.
    fn length_of(&self, id: &InstanceId, run: u32, found: &[Option<Vec<u8>>]) -> Result<Option<u32>, StoreError> {
        let field = |index: usize| found.get(index).and_then(Option::as_deref);
        let Some(head) = field(0) else { return Ok(None) };
        let head = Numbers::read(head, &[]).map_err(|error| self.damaged_in(id, &error))?;
        if head.run == run {
            return Ok(Some(head.records));
        }
        let old =
            field(1).map_or(Ok(Vec::new()), stored::read_old_runs).map_err(|error| self.damaged_in(id, &error))?;
        Ok(old.into_iter().find(|(kept, _)| *kept == run).map(|(_, records)| records))
    }

    pub(super) async fn read_sessions(&self) -> Result<Vec<SessionView>, StoreError> {
        let mut views: BTreeMap<SessionId, SessionView> = BTreeMap::new();
        for keys in &self.keys {
            for view in self.sessions_of(keys).await? {
                let known = views.entry(view.session).or_insert_with(|| view.clone());
                // Beats reach one partition after the other: the highest count is the newest.
                known.beats = known.beats.max(view.beats);
                known.expires_at = known.expires_at.max(view.expires_at);
                // Until it is revoked everywhere there is something left to revoke.
                known.revoked &= view.revoked;
            }
        }
        Ok(views.into_values().collect())
    }

    async fn sessions_of(&self, keys: &Keys) -> Result<Vec<SessionView>, StoreError> {
        let answers = self.look(&self.scripts.hearts, look::hearts(keys)).await?;
        let (living, beats, dead) = (self.pairs(&answers, 0)?, self.pairs(&answers, 1)?, self.pairs(&answers, 2)?);
        let all = living.iter().map(|pair| (pair, false)).chain(dead.iter().map(|pair| (pair, true)));
        all.map(|((session, expires_at), revoked)| {
            let count = beats.iter().find(|(of, _)| of == session).map_or(Ok(0), |(_, count)| self.number(count))?;
            let id = <[u8; 16]>::try_from(session.as_slice()).map_err(|_| self.damaged("the id of a session"))?;
            Ok(SessionView {
                session: SessionId(u128::from_be_bytes(id)),
                beats: count.unsigned_abs(),
                expires_at: Timestamp::from_millis(self.number(expires_at)?),
                revoked,
            })
        })
        .collect()
    }

    pub(super) async fn read_held(&self, session: SessionId, limit: usize) -> Result<Vec<InstanceId>, StoreError> {
        let session = session.0.to_be_bytes();
        let bound = |kind: &[u8], end: &[u8]| [kind, session.as_slice(), end].concat();
        let mut held: Vec<InstanceId> = Vec::new();
        for keys in &self.keys {
            let mut pipeline = Pipeline::new();
            // No id begins with as great a byte.
            pipeline.cmd("ZRANGEBYLEX").arg(keys.of(Of::Held)).arg(bound(b"[", b"")).arg(bound(b"(", b"\xff"));
            pipeline.arg("LIMIT").arg(0).arg(limit - held.len());
            let members = self.read(self.answers(keys, pipeline).await?.list(0))?;
            for at in 0..members.len() {
                let id = self.read(members.bytes(at))?.get(session.len()..).and_then(|id| std::str::from_utf8(id).ok());
                let id = id.and_then(|id| InstanceId::new(id).ok());
                held.push(self.read(id.ok_or_else(misread("what is held")))?);
            }
        }
        Ok(held)
    }

    pub(super) async fn read_outbox(&self, before: Timestamp, limit: usize) -> Result<Vec<Pending>, StoreError> {
        let mut found: Vec<(i64, Pending)> = Vec::new();
        for partition in 0..self.keys.len() {
            found.extend(self.outbox_of(partition, before, limit).await?);
        }
        found.sort_by(|(one_at, one), (other_at, other)| {
            (one_at, &one.source, one.number).cmp(&(other_at, &other.source, other.number))
        });
        Ok(found.into_iter().take(limit).map(|(_, pending)| pending).collect())
    }

    async fn outbox_of(
        &self,
        partition: usize,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<(i64, Pending)>, StoreError> {
        let keys = &self.keys[partition];
        let mut pipeline = Pipeline::new();
        pipeline.cmd("ZRANGEBYSCORE").arg(keys.of(Of::Out)).arg("-inf").arg(format!("({}", before.as_millis()));
        pipeline.arg("WITHSCORES").arg("LIMIT").arg(0).arg(limit.min(SENT_AT_ONCE_MAX));
        let members = self.pairs(&self.answers(keys, pipeline).await?, 0)?;
        if members.is_empty() {
            return Ok(Vec::new());
        }
        let mut sources = Vec::with_capacity(members.len());
        let mut pipeline = Pipeline::new();
        for (member, at) in &members {
            let (source, number) = self.read(source_of(member))?;
            pipeline.cmd("HGET").arg(keys.instance(&source)).arg(format!("x{number}"));
            sources.push((self.number(at)?, source, number));
        }
        let packed = self.answers(keys, pipeline).await?;
        let mut found = Vec::with_capacity(sources.len());
        for (index, (at, source, number)) in sources.into_iter().enumerate() {
            let Ok(bytes) = packed.bytes(index) else {
                // It was acknowledged in between; or its instance is gone, and the entry would be met for ever.
                let _done = self.transition(partition, sweep::sent(keys, &source, &[number])).await?;
                continue;
            };
            let outgoing = Outgoing::decode(bytes).map_err(|error| self.damaged_in(&source, &error))?;
            found.push((at, Pending { source, number, outgoing }));
        }
        Ok(found)
    }

    pub(super) async fn read_overview(&self) -> Result<Overview, StoreError> {
        let mut overview = Overview::default();
        let mut shelves: BTreeMap<(WorkflowName, u32), u64> = BTreeMap::new();
        let mut workflows: BTreeMap<WorkflowName, u64> = BTreeMap::new();
        for keys in &self.keys {
            let said = self.look(&self.scripts.overview, look::overview(keys)).await?;
            self.read(look::add_counts(&said, &mut overview))?;
            for (workflow, version, count) in self.read(look::read_shelves(&said))? {
                *shelves.entry((workflow, version)).or_default() += count;
            }
            for (workflow, count) in self.read(look::read_workflows(&said))? {
                *workflows.entry(workflow).or_default() += count;
            }
        }
        overview.shelves = Shelf::all(shelves);
        overview.workflows = workflows.into_iter().collect();
        Ok(overview)
    }

    pub(super) async fn read_queue(&self, queue: &QueueName) -> Result<QueueView, StoreError> {
        let mut view = QueueView::default();
        // No name has a zero byte, and the entries of a queue begin with its name and one.
        let bound = |kind: &[u8], end: u8| [kind, queue.as_str().as_bytes(), &[end]].concat();
        for keys in &self.keys {
            let mut pipeline = Pipeline::new();
            pipeline.cmd("ZLEXCOUNT").arg(keys.of(Of::Ready)).arg(bound(b"[", 0)).arg(bound(b"(", 1));
            view.ready += self.read(self.answers(keys, pipeline).await?.natural(0))?;
            let Some(id) = self.first_ready(keys, bound(b"[", 0), &bound(b"(", 1)).await? else { continue };
            let since = self.read_instance(&id).await?.and_then(|snapshot| ready_since(&snapshot.head));
            view.first_since = view.first_since.into_iter().chain(since).min();
        }
        Ok(view)
    }

    /// Of the first entries of each ready list between two bounds, the one that is claimed first.
    async fn first_ready(&self, keys: &Keys, mut from: Vec<u8>, to: &[u8]) -> Result<Option<InstanceId>, StoreError> {
        let mut first: Option<(Vec<u8>, InstanceId)> = None;
        loop {
            let mut pipeline = Pipeline::new();
            pipeline.cmd("ZRANGEBYLEX").arg(keys.of(Of::Ready)).arg(&from).arg(to).arg("LIMIT").arg(0).arg(1);
            let members = self.read(self.answers(keys, pipeline).await?.list(0))?;
            let Ok(member) = members.bytes(0) else { return Ok(first.map(|(_, id)| id)) };
            let (score, id) = self.read(ready_of(member))?;
            let id = self.read(InstanceId::new(id).map_err(|_| misread("what is ready")()))?;
            let found = (member[score..score + 7].to_vec(), id);
            first = Some(first.into_iter().chain([found]).min().expect("there is one"));
            // No score begins with as great a byte.
            from = [b"(", &member[..score], b"\xff".as_slice()].concat();
        }
    }

    pub(super) async fn read_now(&self) -> Result<Timestamp, StoreError> {
        if let Some(clock) = &self.clock {
            return Ok(clock.now());
        }
        let mut pipeline = Pipeline::new();
        pipeline.cmd("TIME");
        // Of a cluster, that of one node: their clocks are to agree.
        let time = self.read(self.answers(&self.keys[0], pipeline).await?.list(0))?;
        let part = |index: usize| self.read(time.bytes(index)).and_then(|bytes| self.number(bytes));
        Ok(Timestamp::from_millis(part(0)? * 1_000 + part(1)? / 1_000))
    }

    // ---- answers

    /// What commands on keys of one partition are answered.
    pub(super) async fn answers(&self, keys: &Keys, pipeline: Pipeline) -> Result<Said, StoreError> {
        let values = self.link.read(keys.slot(), pipeline).await?;
        self.read(Said::read(Value::Array(values)))
    }

    pub(super) fn read<T>(&self, read: Result<T, Misread>) -> Result<T, StoreError> {
        read.map_err(|misread| self.damaged(&misread.0))
    }

    pub(super) fn number(&self, text: &[u8]) -> Result<i64, StoreError> {
        let text = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
        text.ok_or_else(|| self.damaged("a text that is no number"))
    }

    pub(super) fn optional_fields(&self, answers: &Said, index: usize) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let list = self.read(answers.list(index))?;
        Ok((0..list.len()).map(|at| list.bytes(at).ok().map(<[u8]>::to_vec)).collect())
    }

    fn pairs(&self, answers: &Said, index: usize) -> Result<Vec<Pair>, StoreError> {
        let list = self.read(answers.list(index))?;
        (0..list.len() / 2)
            .map(|at| Ok((self.read(list.bytes(2 * at))?.to_vec(), self.read(list.bytes(2 * at + 1))?.to_vec())))
            .collect()
    }
}

pub(super) fn misread(what: &'static str) -> impl Fn() -> Misread {
    move || Misread(format!("{what} in an index"))
}

/// The source and number of an entry of the outbox.
fn source_of(member: &[u8]) -> Result<(InstanceId, u64), Misread> {
    let wrong = misread("an outgoing command");
    let (id, number) = member.split_last_chunk::<7>().ok_or_else(&wrong)?;
    let id = id.strip_suffix(b"\0").and_then(|id| std::str::from_utf8(id).ok()).ok_or_else(&wrong)?;
    let number = number.iter().fold(0_i64, |value, byte| value << 8 | i64::from(*byte)) - SORTABLE_ZERO;
    Ok((InstanceId::new(id).map_err(|_| wrong())?, number.unsigned_abs()))
}
