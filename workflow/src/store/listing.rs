//! What is asked of many instances at once: pages of them, and how many there are.
//!
//! Owns the words of the questions and of the answers; every store answers in the same. Called by the stores and by the
//! client's lists.

use serde::{Serialize, Serializer};

use crate::journal::head::State;
use crate::words::id::{InstanceId, WorkflowName};
use crate::words::time::Timestamp;

/// Instances that wait because no worker so far knew their workflow and version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shelf {
    /// The workflow.
    #[serde(serialize_with = "as_text")]
    pub workflow: WorkflowName,
    /// The version.
    pub version: u32,
    /// How many.
    pub instances: u64,
}

impl Shelf {
    /// The shelves of counts by workflow and version.
    pub(super) fn all(counts: impl IntoIterator<Item = ((WorkflowName, u32), u64)>) -> Vec<Self> {
        counts.into_iter().map(|((workflow, version), instances)| Self { workflow, version, instances }).collect()
    }
}

fn as_map<S: Serializer>(counts: &[(WorkflowName, u64)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(counts.iter().map(|(name, count)| (name.as_str(), count)))
}

fn as_text<S: Serializer>(name: &WorkflowName, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(name.as_str())
}

/// How much there is of what.
///
/// What is counted are the entries of indexes, not the instances themselves. Each transition writes them with the
/// instance, so they are exact, with one exception: an instance that was found damaged may be missing from the number of
/// its place, and on SQLite counts as `delayed` if it was queued. Numbers that are read together are of one moment; on
/// Redis, of one moment in each partition.
///
/// # Cost
/// On Redis a few commands of logarithmic time for each partition, workflow and shelf. On SQLite the entries are read
/// one by one, without the instances: some sixty milliseconds for a million.
///
/// Serialisable: the workflows as a map from names to numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Overview {
    /// Instances that wait for a worker.
    pub ready: u64,
    /// Instances that wait for their start time.
    pub delayed: u64,
    /// Instances that have begun and wait: for a time, an event or a child.
    pub asleep: u64,
    /// Instances held by workers, or woken for them.
    pub held: u64,
    /// Paused instances.
    pub paused: u64,
    /// Instances that completed and are still kept.
    pub complete: u64,
    /// Instances that failed and are still kept.
    pub errored: u64,
    /// Instances that were terminated and are still kept.
    pub terminated: u64,
    /// Instances on shelves: workflows and versions that no worker knew so far, and how many wait there.
    pub shelves: Vec<Shelf>,
    /// How many instances there are of each workflow, whatever their state, by name. None is zero.
    #[serde(serialize_with = "as_map")]
    pub workflows: Vec<(WorkflowName, u64)>,
}

impl Overview {
    /// Instances that no worker can run so far: those on shelves.
    #[must_use]
    pub fn shelved(&self) -> u64 {
        self.shelves.iter().map(|shelf| shelf.instances).sum()
    }

    /// Instances that have ended and are still kept.
    #[must_use]
    pub const fn done(&self) -> u64 {
        self.complete + self.errored + self.terminated
    }

    /// Instances in a state. What waits on shelves is queued.
    #[must_use]
    pub fn of_state(&self, state: State) -> u64 {
        match state {
            State::Queued => self.ready + self.delayed + self.shelved(),
            State::Running => self.held,
            State::Waiting => self.asleep,
            State::Paused => self.paused,
            State::Complete => self.complete,
            State::Errored => self.errored,
            State::Terminated => self.terminated,
        }
    }

    /// All instances.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.workflows.iter().map(|(_, count)| count).sum()
    }
}

/// Which instances to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListQuery {
    /// Of one workflow only.
    pub workflow: Option<WorkflowName>,
    /// In one state only.
    pub state: Option<State>,
    /// Created at or after this time.
    pub created_from: Option<Timestamp>,
    /// Created before this time.
    pub created_to: Option<Timestamp>,
    /// Whose ids begin so: then they come by id, the smallest first. Valid as the beginning of an id. Only for stores that
    /// say [`Store::lists_by_id`](super::Store::lists_by_id).
    pub id_prefix: Option<InstanceId>,
    /// At most how many, up to 1,000.
    pub limit: usize,
    /// Where the page before ended.
    pub after: Option<Cursor>,
}

impl ListQuery {
    /// All instances, newest first, at most so many a page.
    #[must_use]
    pub const fn newest(limit: usize) -> Self {
        Self { workflow: None, state: None, created_from: None, created_to: None, id_prefix: None, limit, after: None }
    }
}

/// Where a page ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// When the last instance of the page was created.
    pub created_at: Timestamp,
    /// Its id.
    pub id: InstanceId,
}

/// A page of instances.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// The instances, in the order of the list.
    pub rows: Vec<Row>,
    /// Instances of this part of the list that cannot be read, in its order. With `rows` no more than the limit.
    pub damaged: Vec<DamagedRow>,
    /// Where to go on; `None` at the end. A page that is not full may have it: see [`Store::list`](super::Store::list).
    pub next: Option<Cursor>,
}

/// One line of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The instance.
    pub id: InstanceId,
    /// Its workflow.
    pub workflow: WorkflowName,
    /// Its version.
    pub version: u32,
    /// Its state.
    pub state: State,
    /// It is on a shelf: no worker so far knew its workflow in its version.
    pub shelved: bool,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// A line of a list that cannot be read. Whether it is of the state asked for is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedRow {
    /// The instance.
    pub id: InstanceId,
    /// What is wrong.
    pub damage: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overview_is_json() {
        let name = || WorkflowName::new("order").expect("valid");
        let shelf = Shelf { workflow: name(), version: 2, instances: 3 };
        let overview = Overview { ready: 1, shelves: vec![shelf], workflows: vec![(name(), 4)], ..Overview::default() };
        let json = serde_json::to_value(&overview).expect("encodes");
        assert_eq!(json["workflows"]["order"], 4);
        assert_eq!(json["shelves"][0], serde_json::json!({ "workflow": "order", "version": 2, "instances": 3 }));
    }
}
