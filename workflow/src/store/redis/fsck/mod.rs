//! Checks that what is stored is consistent: every key, every index against the fields of instances, and back.
//!
//! Owns how a namespace is looked through: once by its keys, of which each instance is looked at with everything it must
//! have elsewhere ([`instance`]); then by its indexes, of which each entry is followed to what it must lead to
//! ([`indexes`]); then what sessions and limits are ([`sessions`]). What is true of an instance in every store is
//! [`crate::store::fsck`]'s. Changes nothing, blocks the server for no longer than a page of something takes, and may run
//! beside workers: reads are many, so what seems wrong is read again, and told only when nothing was written meanwhile.
//! Called by the store.

use redis::{Pipeline, RedisError, Value};

use super::RedisStore;
use super::fault::{Doing, store_error};
use super::keys::{Key, Keys, Kind, Of};
use super::places::Address;
use super::topology::Slot;
use crate::store::StoreError;
use crate::store::fsck::{Area, Finding, Report};
use crate::words::id::InstanceId;

mod entries;
mod indexes;
mod instance;
mod sessions;

/// Keys or members of one page, roughly.
const PAGE: u32 = 200;
/// How often something is looked at that changes while it is looked at.
const LOOKS_MAX: u32 = 8;
/// Between two looks at it.
const LOOK_AGAIN_AFTER: std::time::Duration = std::time::Duration::from_millis(5);

/// A page of a scan, and where the next one begins; 0: nowhere.
struct Scanned {
    next: Vec<u8>,
    items: Vec<Vec<u8>>,
}

impl RedisStore {
    /// Checks everything of the namespace.
    pub(super) async fn check(&self) -> Result<Report, StoreError> {
        let mut report = Report::of(self.target.shown());
        for server in self.link.primaries() {
            self.check_keys(&server, &mut report).await?;
        }
        let mut known = std::collections::BTreeSet::new();
        for partition in 0..self.keys.len() {
            self.check_indexes(partition, &mut report).await?;
            self.check_lost(partition, &mut report).await?;
            known.extend(self.check_sessions(partition, &mut report).await?);
            self.check_limits(partition, &mut report).await?;
        }
        report.sessions = known.len() as u64;
        Ok(report)
    }

    /// Every key of the namespace on one server.
    async fn check_keys(&self, server: &Address, report: &mut Report) -> Result<(), StoreError> {
        let pattern = Keys::pattern(&self.namespace);
        let mut from = b"0".to_vec();
        loop {
            let mut pipeline = Pipeline::new();
            pipeline.cmd("SCAN").arg(&from).arg("MATCH").arg(&pattern).arg("COUNT").arg(PAGE);
            let page = scanned(self.link.read_at(server, pipeline).await?);
            self.check_page(server, &page.items, report).await?;
            if page.next == b"0" {
                return Ok(());
            }
            from = page.next;
        }
    }

    async fn check_page(&self, server: &Address, page: &[Vec<u8>], report: &mut Report) -> Result<(), StoreError> {
        if page.is_empty() {
            return Ok(());
        }
        let mut pipeline = Pipeline::new();
        for key in page {
            pipeline.cmd("TYPE").arg(key);
        }
        for (key, kind) in page.iter().zip(self.link.read_at(server, pipeline).await?) {
            // A later partition's prefix never begins with an earlier one's: both end with a brace.
            let found = self.keys.iter().enumerate().find_map(|(at, keys)| keys.read(key).map(|read| (at, read)));
            match found {
                Some((partition, read)) => self.check_key(partition, (key, &text_of(&kind)), read, report).await?,
                None if Keys::is_beyond(&self.namespace, key) => {
                    let what = "the namespace has no such partition";
                    report.add(Finding::of(Area::Stray, None, shown(key), what));
                }
                // Of a namespace whose name begins as this one's.
                None => {}
            }
        }
        Ok(())
    }

    async fn check_key(
        &self,
        partition: usize,
        (key, found): (&[u8], &str),
        read: Key<'_>,
        report: &mut Report,
    ) -> Result<(), StoreError> {
        let (kind, wanted, name) = match read {
            Key::OfPartition(wanted) => (None, wanted, None),
            Key::OfInstance(kind, name) => (Some(kind), kind.kept_as(), Some(name)),
            Key::Unknown => {
                report.add(Finding::of(Area::Stray, None, shown(key), "no key of the store has this name"));
                return Ok(());
            }
        };
        // It is gone since.
        if found == "none" {
            return Ok(());
        }
        let id = name.and_then(|name| InstanceId::new(std::str::from_utf8(name).ok()?).ok());
        if found != wanted {
            let what = format!("the key is a {found}, and not a {wanted}");
            report.add(Finding::of(Area::Storage, id.as_ref(), shown(key), what));
            return Ok(());
        }
        let Some(kind) = kind else { return Ok(()) };
        let Some(id) = id else {
            report.add(Finding::of(Area::Stray, None, shown(key), "what the key is named after is no id"));
            return Ok(());
        };
        if self.partition_of_text(id.as_str()) != partition {
            report.add(Finding::of(Area::Stray, Some(&id), shown(key), "it belongs to another partition"));
            return Ok(());
        }
        match kind {
            Kind::Instance => self.check_instance(partition, &id, report).await,
            _ => self.check_belongs(partition, &id, key, report).await,
        }
    }

    /// That a key of an instance beside its hash has an instance.
    async fn check_belongs(
        &self,
        partition: usize,
        id: &InstanceId,
        key: &[u8],
        report: &mut Report,
    ) -> Result<(), StoreError> {
        let mut pipeline = Pipeline::new();
        let keys = &self.keys[partition];
        let instance = keys.instance(id);
        // By turns: it may end and be deleted, or be made, between two questions.
        for _ in 0..2 {
            pipeline.cmd("EXISTS").arg(key).cmd("EXISTS").arg(&instance);
        }
        if self.asked(keys.slot(), pipeline).await? == [Value::Int(1), Value::Int(0), Value::Int(1), Value::Int(0)] {
            report.add(Finding::of(Area::Stray, Some(id), shown(key), "it belongs to no instance"));
        }
        Ok(())
    }

    /// Asks who has a slot; what is of another type than was asked of is answered with nothing, and has its own finding.
    async fn asked(&self, slot: Slot, pipeline: Pipeline) -> Result<Vec<Value>, StoreError> {
        let answers = self.link.read_each(slot, pipeline).await?;
        let one = |value: Value| match value {
            Value::ServerError(error) if error.code() == "WRONGTYPE" => Ok(Value::Nil),
            Value::ServerError(error) => Err(store_error(self.target.shown(), Doing::Asking, &RedisError::from(error))),
            value => Ok(value),
        };
        answers.into_iter().map(one).collect()
    }
}

fn scanned(answers: Vec<Value>) -> Scanned {
    match answers.first() {
        Some(Value::Array(parts)) if parts.len() == 2 => {
            Scanned { next: bytes_of(&parts[0]).unwrap_or(b"0").to_vec(), items: list_of(&parts[1]) }
        }
        // It is of another type.
        _ => Scanned { next: b"0".to_vec(), items: Vec::new() },
    }
}

fn bytes_of(value: &Value) -> Option<&[u8]> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) => Some(text.as_bytes()),
        _ => None,
    }
}

fn text_of(value: &Value) -> String {
    bytes_of(value).map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default()
}

/// What a list has, without what is nothing.
fn list_of(value: &Value) -> Vec<Vec<u8>> {
    optional_list_of(value).into_iter().flatten().collect()
}

fn optional_list_of(value: &Value) -> Vec<Option<Vec<u8>>> {
    match value {
        Value::Array(values) => values.iter().map(|value| bytes_of(value).map(<[u8]>::to_vec)).collect(),
        _ => Vec::new(),
    }
}

/// A score, as the server tells it; `None` when there is no such member.
fn score_of(value: &Value) -> Option<f64> {
    match value {
        Value::Double(score) => Some(*score),
        value => std::str::from_utf8(bytes_of(value)?).ok()?.parse().ok(),
    }
}

/// A key or member for people: what cannot be read of it is shown as bytes.
fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

/// What an index is called in findings.
fn index_name(index: Of) -> String {
    format!("index {}", index.name())
}
