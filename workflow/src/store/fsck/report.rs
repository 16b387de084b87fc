//! What a check says.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::words::id::InstanceId;

/// Most findings that a report tells one by one: a broken store has more than anyone reads. The others are counted.
pub const FINDINGS_MAX: usize = 1_000;

/// What a check of a store looked at, and what it found to be wrong.
///
/// `{}` says it in lines for people; it is serialisable, with `sound` beside its fields.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Report {
    /// Which store, without secrets.
    pub store: String,
    /// Instances that were looked at, those included that cannot be read.
    pub instances: u64,
    /// Records of their journals.
    pub records: u64,
    /// Messages that are not consumed.
    pub messages: u64,
    /// Commands for other instances that are not acknowledged.
    pub outgoing: u64,
    /// Sessions of workers, those included that were revoked.
    pub sessions: u64,
    /// Limits that sessions have asked for.
    pub limits: u64,
    /// Entries of indexes that were followed to what they lead to.
    pub entries: u64,
    /// What is wrong: at most [`FINDINGS_MAX`], the first ones that were found.
    pub findings: Vec<Finding>,
    /// How many more findings there are.
    pub more: u64,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// What kind of thing.
    pub area: Area,
    /// The instance, where it is about one.
    #[serde(serialize_with = "as_text")]
    pub instance: Option<InstanceId>,
    /// Where it lies: an index, a table, a key, a field.
    pub place: String,
    /// What is wrong with it. Never says what is in a payload.
    pub what: String,
}

/// What kind of thing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Area {
    /// The file itself, or a key that holds something of another kind.
    Storage,
    /// What a store knows of an instance cannot be read, or contradicts itself.
    Head,
    /// A journal has gaps, or is not what its head counts.
    Journal,
    /// One record of a journal cannot be read, or is older than the one before it.
    Record,
    /// A mailbox is not what its head counts, or a message cannot be read.
    Mailbox,
    /// An outbox is not what its head counts, or a command cannot be read.
    Outbox,
    /// An index lacks an entry, or has one that leads to nothing.
    Index,
    /// A session is known in one place and not in another.
    Session,
    /// The tokens of a limit cannot be read, or contradict themselves.
    Limit,
    /// A parent and its child do not know of each other.
    Family,
    /// Something belongs to nothing.
    Stray,
}

impl Area {
    /// The word for it, as it is serialised.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Storage => "storage",
            Self::Head => "head",
            Self::Journal => "journal",
            Self::Record => "record",
            Self::Mailbox => "mailbox",
            Self::Outbox => "outbox",
            Self::Index => "index",
            Self::Session => "session",
            Self::Limit => "limit",
            Self::Family => "family",
            Self::Stray => "stray",
        }
    }
}

impl Report {
    /// One that has looked at nothing yet.
    pub(crate) fn of(store: impl Into<String>) -> Self {
        Self { store: store.into(), ..Self::default() }
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty() && self.more == 0
    }

    pub(crate) fn add(&mut self, finding: Finding) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        } else {
            self.more += 1;
        }
    }
}

impl Finding {
    pub(crate) fn of(
        area: Area,
        instance: Option<&InstanceId>,
        place: impl Into<String>,
        what: impl Into<String>,
    ) -> Self {
        Self { area, instance: instance.cloned(), place: place.into(), what: what.into() }
    }
}

fn as_text<S: Serializer>(id: &Option<InstanceId>, serializer: S) -> Result<S::Ok, S::Error> {
    id.as_ref().map(InstanceId::as_str).serialize(serializer)
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { area, instance, place, what } = self;
        match instance {
            Some(id) => write!(f, "{area}: {id}: {what} [{place}]"),
            None => write!(f, "{area}: {what} [{place}]"),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { store, instances, records, messages, outgoing, sessions, limits, entries, findings, more } = self;
        write!(
            f,
            "{store}: {instances} instances, {records} records, {messages} messages, {outgoing} outgoing commands, \
             {sessions} sessions, {limits} limits, {entries} entries of indexes: "
        )?;
        if self.is_sound() {
            return f.write_str("all is sound");
        }
        write!(f, "{} findings", findings.len() as u64 + more)?;
        findings.iter().try_for_each(|finding| write!(f, "\n  {finding}"))?;
        if *more > 0 {
            write!(f, "\n  and {more} more")?;
        }
        Ok(())
    }
}

/// With what follows from the fields.
impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut fields = serializer.serialize_struct("Report", 11)?;
        fields.serialize_field("sound", &self.is_sound())?;
        fields.serialize_field("store", &self.store)?;
        fields.serialize_field("instances", &self.instances)?;
        fields.serialize_field("records", &self.records)?;
        fields.serialize_field("messages", &self.messages)?;
        fields.serialize_field("outgoing", &self.outgoing)?;
        fields.serialize_field("sessions", &self.sessions)?;
        fields.serialize_field("limits", &self.limits)?;
        fields.serialize_field("entries", &self.entries)?;
        fields.serialize_field("findings", &self.findings)?;
        fields.serialize_field("more", &self.more)?;
        fields.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_and_programs_read_what_is_wrong_and_how_much_more() {
        let mut report = Report::of("memory:");
        report.instances = 2;
        assert!(report.is_sound());
        assert!(report.to_string().ends_with("0 entries of indexes: all is sound"), "{report}");
        let id = InstanceId::new("order-1").expect("valid");
        for _ in 0..FINDINGS_MAX + 2 {
            report.add(Finding::of(Area::Index, Some(&id), "ready", "it is not there"));
        }
        assert_eq!((report.findings.len(), report.more, report.is_sound()), (FINDINGS_MAX, 2, false));
        let told = report.to_string();
        assert!(told.contains("1002 findings\n  index: order-1: it is not there [ready]\n"), "{told}");
        assert!(told.ends_with("\n  and 2 more"), "{told}");
        let read = serde_json::to_value(&report).expect("it is written");
        assert_eq!((&read["sound"], &read["more"]), (&false.into(), &2.into()));
        assert_eq!(read["findings"][0]["instance"], "order-1");
        assert_eq!(read["findings"][0]["area"], "index");
    }
}
