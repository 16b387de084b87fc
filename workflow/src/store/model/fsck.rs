//! The check of the model store: what every store has in common, for it has nothing else.

use std::collections::BTreeMap;

use super::data::{Data, Instance};
use crate::store::fsck::{
    Archived, Journal, Kept, Relative, Report, check_instance, check_limit, check_session, children_missed,
    is_cared_for, is_missed, parent_wanted,
};
use crate::words::id::InstanceId;

impl Data {
    pub(super) fn fsck(&self, shown: &str) -> Report {
        let mut report = Report::of(shown);
        for (id, instance) in &self.instances {
            let kept = instance.kept(id);
            report.instances += 1;
            report.records += kept.journals.values().map(|journal| u64::from(journal.count())).sum::<u64>();
            report.messages += kept.mailbox.len() as u64;
            report.outgoing += kept.outbox.len() as u64;
            let mut wrong = check_instance(&kept);
            wrong.extend(check_session(id, kept.head, |session| self.sessions.contains_key(&session)));
            let missed = children_missed(&kept).into_iter().filter(|child| !self.instances.contains_key(child));
            wrong.extend(missed.map(|child| is_missed(id, &child)));
            if let Some(parent) = parent_wanted(kept.head) {
                let found = self.instances.get(&parent.id).map(|parent| {
                    Relative::of(parent.head.children.iter().cloned(), parent.outbox.values().map(|(_, sent)| sent))
                });
                wrong.extend(is_cared_for(id, &parent.id, found.as_ref()));
            }
            wrong.into_iter().for_each(|finding| report.add(finding));
        }
        report.sessions = self.sessions.len() as u64;
        report.limits = self.limits.len() as u64;
        let wrong = self.limits.iter().flat_map(|(name, limit)| check_limit(name, limit, "limits"));
        wrong.for_each(|finding| report.add(finding));
        report
    }
}

impl Instance {
    fn kept<'a>(&'a self, id: &'a InstanceId) -> Kept<'a> {
        let mut journals: BTreeMap<u32, Journal> = BTreeMap::new();
        for (run, records) in self.journals.iter().filter(|(_, records)| !records.is_empty()) {
            let journal = journals.entry(*run).or_default();
            (0..).zip(records).for_each(|(number, record)| journal.add(number, record.as_bytes()));
        }
        let knows = |position: &u64| self.event_ids.contains(&self.mailbox[position].message.event_id);
        let archived = |(run, at): (&u32, &_)| (*run, Archived { expires_at: *at, records: None });
        Kept {
            id,
            head: &self.head,
            journals,
            archives: self.archives.iter().map(archived).collect(),
            mailbox: self.mailbox.iter().map(|(position, message)| (*position, Some(message.clone()))).collect(),
            event_ids: self.event_ids.len() as u64,
            unknown_ids: self.mailbox.keys().filter(|position| !knows(position)).copied().collect(),
            outbox: self.outbox.iter().map(|(number, (_, sent))| (*number, Some(sent.clone()))).collect(),
        }
    }
}
