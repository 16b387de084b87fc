//! One instance: its fields, its other keys, and what it must have in the indexes.

use std::collections::BTreeMap;

use redis::{Pipeline, Value};

use super::entries::{self, Entry, Facts};
use super::{LOOK_AGAIN_AFTER, LOOKS_MAX, index_name, list_of, optional_list_of, score_of, shown};
use crate::journal::command::Outgoing;
use crate::journal::head::{End, Head, Place};
use crate::store::StoreError;
use crate::store::fsck::{
    Archived, Area, Finding, Journal, Kept, Mailbox, Relative, Report, check_instance, check_session, children_missed,
    is_cared_for, is_missed, parent_wanted,
};
use crate::store::redis::RedisStore;
use crate::store::redis::keys::Of;
use crate::store::redis::stored::{self, OldRun};
use crate::store::redis::topology::Slot;
use crate::words::id::{InstanceId, SessionId};

/// Fields of which one changes with every write of the instance: when they are the same before and after a look,
/// nothing was written meanwhile.
const STAMP: [&str; 6] = ["h", "t", "q", "k", "a", "f"];
/// Records read at once.
const RECORDS_A_READ: usize = 500;
/// Messages read at once: each may have a megabyte.
const MESSAGES_A_READ: usize = 16;

type Field = Option<Vec<u8>>;

/// What one look found.
#[derive(Default)]
struct Look {
    findings: Vec<Finding>,
    /// The instance as it was first.
    stamp: Vec<Field>,
    records: u64,
    messages: u64,
    outgoing: u64,
}

/// An instance as it was read.
struct Raw {
    stamp: Vec<Field>,
    /// [`stored::FIELDS`].
    fields: Vec<Field>,
    /// [`entries::FIELDS`].
    places: Vec<Field>,
    /// The names of all its fields.
    names: Vec<Vec<u8>>,
    /// Of its messages.
    positions: Vec<Vec<u8>>,
    event_ids: u64,
    children: Vec<Vec<u8>>,
}

impl Raw {
    /// Its head, and where it must stand; `None` when it cannot be read, and then that is said, or was gone.
    fn decode(&self, id: &InstanceId, look: &mut Look) -> Option<(Head, Facts)> {
        let Some(children) = self.children.iter().map(|child| id_of(child)).collect() else {
            look.complain(Area::Head, id, "children", "a child that is to be closed has no id");
            return None;
        };
        let head = stored::read_head(&self.fields, children).map(|(head, _)| head);
        match (head, Facts::read(&self.places)) {
            (Ok(head), Ok(facts)) => Some((head, facts?)),
            (Err(error), _) | (Ok(_), Err(error)) => {
                look.complain(Area::Head, id, "fields", &error.to_string());
                None
            }
        }
    }
}

/// The names of the fields of an instance, sorted by what they are.
#[derive(Default)]
struct Names {
    records: BTreeMap<u32, Vec<u32>>,
    outgoing: Vec<u64>,
    unknown: Vec<Vec<u8>>,
}

impl Names {
    fn read(fields: &[Vec<u8>]) -> Self {
        let mut names = Self::default();
        for field in fields {
            match std::str::from_utf8(field).ok() {
                Some(text) if stored::FIELDS.contains(&text) => {}
                Some(text) if names.take(text) => {}
                _ => names.unknown.push(field.clone()),
            }
        }
        names.records.values_mut().for_each(|numbers| numbers.sort_unstable());
        names.outgoing.sort_unstable();
        names
    }

    /// A record or a command, spelled as the store spells it.
    fn take(&mut self, text: &str) -> bool {
        let (run, number) = text.split_once(':').unwrap_or(("1", text));
        if let (Ok(run), Ok(number)) = (run.parse(), number.parse())
            && stored::record_field(run, number) == text
        {
            self.records.entry(run).or_default().push(number);
            return true;
        }
        match text.strip_prefix('x').and_then(|number| number.parse().ok()) {
            Some(number) if format!("x{number}") == text => {
                self.outgoing.push(number);
                true
            }
            _ => false,
        }
    }
}

impl RedisStore {
    /// Looks at an instance until nothing is wrong, or nothing was written while something was.
    pub(super) async fn check_instance(
        &self,
        partition: usize,
        id: &InstanceId,
        report: &mut Report,
    ) -> Result<(), StoreError> {
        let mut told: Option<Vec<Finding>> = None;
        let mut look = Look::default();
        for _ in 0..LOOKS_MAX {
            look = self.look_over(partition, id).await?;
            if look.findings.is_empty() {
                told = None;
                break;
            }
            let still = self.stamp(partition, id).await?;
            // What was found each time is not due to a change, whatever else changes.
            let again = |finding: &Finding| told.as_ref().is_none_or(|told| told.contains(finding));
            let both: Vec<Finding> = look.findings.iter().filter(|finding| again(finding)).cloned().collect();
            if still == look.stamp {
                told = Some(look.findings.clone());
                break;
            }
            told = Some(both);
            self.link.pause(LOOK_AGAIN_AFTER).await;
        }
        told.into_iter().flatten().for_each(|finding| report.add(finding));
        report.instances += 1;
        report.records += look.records;
        report.messages += look.messages;
        report.outgoing += look.outgoing;
        Ok(())
    }

    async fn stamp(&self, partition: usize, id: &InstanceId) -> Result<Vec<Field>, StoreError> {
        let mut pipeline = Pipeline::new();
        let keys = &self.keys[partition];
        pipeline.cmd("HMGET").arg(keys.instance(id)).arg(&STAMP);
        Ok(self.asked(keys.slot(), pipeline).await?.first().map(optional_list_of).unwrap_or_default())
    }

    async fn look_over(&self, partition: usize, id: &InstanceId) -> Result<Look, StoreError> {
        let raw = self.everything_of(partition, id).await?;
        let mut look = Look { stamp: raw.stamp.clone(), ..Look::default() };
        if raw.names.is_empty() {
            // It is gone since.
            return Ok(look);
        }
        let names = Names::read(&raw.names);
        for field in &names.unknown {
            look.complain(Area::Stray, id, &format!("field {}", shown(field)), "no field of the store has this name");
        }
        let Some((head, facts)) = raw.decode(id, &mut look) else { return Ok(look) };
        fields_of_place(id, &head, &facts, &raw.fields, &mut look);
        let [key, mailbox, events, _] = self.keys[partition].of_instance(id);
        let (mailbox, unknown_ids) = self.mailbox(&mailbox, &events, &raw.positions, id, &mut look).await?;
        let archived = |old: &OldRun| (old.run, Archived { expires_at: old.expires_at, records: Some(old.records) });
        let kept = Kept {
            id,
            head: &head,
            journals: self.journals(&key, &names.records).await?,
            archives: facts.old.iter().map(archived).collect(),
            mailbox,
            event_ids: raw.event_ids,
            unknown_ids,
            outbox: self.outgoing(&key, &names.outgoing).await?,
        };
        let (counted, unsent) = (facts.numbers.unsent, kept.outbox.len());
        if u64::from(counted) != unsent as u64 {
            let what = format!("the head counts {counted} unsent commands, and there are {unsent}");
            look.complain(Area::Outbox, id, "field t", &what);
        }
        look.findings.extend(check_instance(&kept));
        self.family(&kept, &mut look).await?;
        let mut wanted = facts.entries(id, self.keeps_ids);
        wanted.extend(names.outgoing.iter().map(|number| Entry::of_outbox(id, *number)));
        self.places(partition, id, &head, &wanted, &mut look).await?;
        look.records = kept.journals.values().map(|journal| u64::from(journal.count())).sum();
        (look.messages, look.outgoing) = (kept.mailbox.len() as u64, unsent as u64);
        Ok(look)
    }

    /// Everything of an instance but its records, messages and commands, which are read page by page.
    async fn everything_of(&self, partition: usize, id: &InstanceId) -> Result<Raw, StoreError> {
        let [key, mailbox, events, children] = self.keys[partition].of_instance(id);
        let mut pipeline = Pipeline::new();
        pipeline.cmd("HMGET").arg(&key).arg(&STAMP);
        pipeline.cmd("HMGET").arg(&key).arg(&stored::FIELDS);
        pipeline.cmd("HMGET").arg(&key).arg(&entries::FIELDS);
        pipeline.cmd("HKEYS").arg(&key).cmd("HKEYS").arg(&mailbox).cmd("SCARD").arg(&events);
        pipeline.cmd("ZRANGE").arg(&children).arg(0).arg(-1);
        let answers = self.asked(Slot::of(&key), pipeline).await?;
        let [stamp, fields, places, names, positions, event_ids, children] = answers.as_slice() else {
            return Err(self.damaged("a question was answered otherwise"));
        };
        Ok(Raw {
            stamp: optional_list_of(stamp),
            fields: optional_list_of(fields),
            places: optional_list_of(places),
            names: list_of(names),
            positions: list_of(positions),
            event_ids: if let Value::Int(count) = event_ids { count.unsigned_abs() } else { 0 },
            children: list_of(children),
        })
    }

    async fn journals(
        &self,
        key: &[u8],
        names: &BTreeMap<u32, Vec<u32>>,
    ) -> Result<BTreeMap<u32, Journal>, StoreError> {
        let mut journals = BTreeMap::new();
        for (run, numbers) in names {
            let mut journal = Journal::default();
            for page in numbers.chunks(RECORDS_A_READ) {
                let mut pipeline = Pipeline::new();
                let fields: Vec<String> = page.iter().map(|number| stored::record_field(*run, *number)).collect();
                pipeline.cmd("HMGET").arg(key).arg(fields);
                let found =
                    self.asked(Slot::of(key), pipeline).await?.first().map(optional_list_of).unwrap_or_default();
                for (number, record) in page.iter().zip(found) {
                    record.into_iter().for_each(|bytes| journal.add(*number, &bytes));
                }
            }
            journals.insert(*run, journal);
        }
        Ok(journals)
    }

    /// Its messages, and the positions of those whose id is not known.
    async fn mailbox(
        &self,
        mailbox: &[u8],
        events: &[u8],
        positions: &[Vec<u8>],
        id: &InstanceId,
        look: &mut Look,
    ) -> Result<(Mailbox, Vec<u64>), StoreError> {
        let (mut messages, mut unknown) = (BTreeMap::new(), Vec::new());
        for page in positions.chunks(MESSAGES_A_READ) {
            let mut pipeline = Pipeline::new();
            pipeline.cmd("HMGET").arg(mailbox).arg(page);
            let found =
                self.asked(Slot::of(mailbox), pipeline).await?.first().map(optional_list_of).unwrap_or_default();
            let mut ask = Pipeline::new();
            let mut asked = Vec::new();
            for (position, bytes) in page.iter().zip(found) {
                let number = std::str::from_utf8(position).ok().and_then(|text| text.parse::<u64>().ok());
                let (Some(number), Some(bytes)) = (number, bytes) else {
                    look.complain(Area::Mailbox, id, "messages", "a message has no position");
                    continue;
                };
                let message = stored::read_message(number, &bytes).ok();
                if let Some(message) = &message {
                    ask.cmd("SISMEMBER").arg(events).arg(message.message.event_id.as_bytes());
                    asked.push(number);
                }
                messages.insert(number, message);
            }
            if !asked.is_empty() {
                let known = self.asked(Slot::of(events), ask).await?;
                unknown.extend(asked.iter().zip(known).filter(|(_, known)| *known != Value::Int(1)).map(|(at, _)| *at));
            }
        }
        Ok((messages, unknown))
    }

    async fn outgoing(&self, key: &[u8], numbers: &[u64]) -> Result<BTreeMap<u64, Option<Outgoing>>, StoreError> {
        let mut outbox = BTreeMap::new();
        for page in numbers.chunks(MESSAGES_A_READ) {
            let mut pipeline = Pipeline::new();
            let fields: Vec<String> = page.iter().map(|number| format!("x{number}")).collect();
            pipeline.cmd("HMGET").arg(key).arg(fields);
            let found = self.asked(Slot::of(key), pipeline).await?.first().map(optional_list_of).unwrap_or_default();
            // What was acknowledged meanwhile is nothing.
            let one = |(number, bytes): (&u64, Field)| Some((*number, Outgoing::decode(&bytes?).ok()));
            outbox.extend(page.iter().zip(found).filter_map(one));
        }
        Ok(outbox)
    }

    /// That it stands in the indexes where it must, and that its session is known.
    async fn places(
        &self,
        partition: usize,
        id: &InstanceId,
        head: &Head,
        wanted: &[Entry],
        look: &mut Look,
    ) -> Result<(), StoreError> {
        let keys = &self.keys[partition];
        let mut pipeline = Pipeline::new();
        for entry in wanted {
            pipeline.cmd("ZSCORE").arg(keys.of(entry.index)).arg(&entry.member);
        }
        let session = head.session().unwrap_or(SessionId(0)).0.to_be_bytes();
        pipeline.cmd("ZSCORE").arg(keys.of(Of::Sessions)).arg(&session);
        pipeline.cmd("HEXISTS").arg(keys.of(Of::Dead)).arg(&session);
        let answers = self.asked(keys.slot(), pipeline).await?;
        for (entry, answer) in wanted.iter().zip(&answers) {
            let what = match (score_of(answer), entry.score) {
                (None, _) => "it is not in the index in which it must be found",
                (Some(found), Some(score)) if found.total_cmp(&score).is_ne() => {
                    "its place in the index is not its head's"
                }
                _ => continue,
            };
            look.complain(Area::Index, id, &index_name(entry.index), what);
        }
        let [.., lives, dead] = answers.as_slice() else { return Ok(()) };
        let is_known = score_of(lives).is_some() || *dead == Value::Int(1);
        look.findings.extend(check_session(id, head, |_| is_known));
        Ok(())
    }

    async fn family(&self, kept: &Kept<'_>, look: &mut Look) -> Result<(), StoreError> {
        for child in children_missed(kept) {
            let mut pipeline = Pipeline::new();
            let keys = self.keys_of(&child);
            pipeline.cmd("EXISTS").arg(keys.instance(&child));
            if self.asked(keys.slot(), pipeline).await?.first() == Some(&Value::Int(0)) {
                look.findings.push(is_missed(kept.id, &child));
            }
        }
        let Some(parent) = parent_wanted(kept.head) else { return Ok(()) };
        let [key, _, _, children] = self.keys_of(&parent.id).of_instance(&parent.id);
        let mut pipeline = Pipeline::new();
        // What is to be closed leaves the first for the second: so it is met in one of them.
        pipeline.cmd("ZRANGE").arg(&children).arg(0).arg(-1).cmd("HKEYS").arg(&key);
        let answers = self.asked(Slot::of(&key), pipeline).await?;
        let [children, names] = answers.as_slice() else { return Ok(()) };
        let names = list_of(names);
        let found = if names.is_empty() {
            None
        } else {
            let outbox = self.outgoing(&key, &Names::read(&names).outgoing).await?;
            let children = list_of(children);
            Some(Relative::of(children.iter().filter_map(|child| id_of(child)), outbox.values().flatten()))
        };
        look.findings.extend(is_cared_for(kept.id, &parent.id, found.as_ref()));
        Ok(())
    }
}

impl Look {
    fn complain(&mut self, area: Area, id: &InstanceId, place: &str, what: &str) {
        self.findings.push(Finding::of(area, Some(id), place, what));
    }
}

/// Fields that only some places have.
fn fields_of_place(id: &InstanceId, head: &Head, facts: &Facts, fields: &[Field], look: &mut Look) {
    let has = |name: &str| {
        let at = stored::FIELDS.iter().position(|known| *known == name).expect("a field of the table");
        fields.get(at).is_some_and(Option::is_some)
    };
    let place = &head.place;
    let (asleep, inbox) = (matches!(place, Place::Asleep { .. }), matches!(place, Place::Inbox { .. }));
    let (paused, done) = (matches!(place, Place::Paused { .. }), matches!(place, Place::Done { .. }));
    let ending = match place {
        Place::Done { end: End::Returned(ending), .. } if ending.result.is_ok() => 1,
        Place::Done { end: End::Returned(_), .. } => 2,
        Place::Done { end: End::Terminated { .. }, .. } => 3,
        _ => 0,
    };
    let wrong = [
        ("w", has("w") && !(asleep || inbox || paused), "what it waits for is kept, and it does not wait"),
        ("w", (asleep || inbox) && !has("w"), "what it waits for is not kept"),
        ("p", has("p") && !paused, "why it is paused is kept, and it is not paused"),
        ("o", has("o") && !done, "how it ended is kept, and it has not ended"),
        ("h", ending != facts.numbers.ending, "how it ended is not how its head says"),
        ("t", has("t") != facts.numbers.has_traffic, "its head speaks of other traffic than there is"),
    ];
    for (field, _, what) in wrong.iter().filter(|(_, wrong, _)| *wrong) {
        look.complain(Area::Head, id, &format!("field {field}"), what);
    }
}

fn id_of(bytes: &[u8]) -> Option<InstanceId> {
    InstanceId::new(std::str::from_utf8(bytes).ok()?).ok()
}
