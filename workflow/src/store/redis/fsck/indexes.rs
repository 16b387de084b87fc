//! Every entry of every index, followed to what it must lead to.

use redis::{Pipeline, Value};

use super::entries::{self, Entry, Facts, led_to, outgoing_number};
use super::{LOOK_AGAIN_AFTER, LOOKS_MAX, PAGE, index_name, optional_list_of, scanned, score_of, shown};
use crate::store::StoreError;
use crate::store::fsck::{Area, Finding, Report};
use crate::store::redis::RedisStore;
use crate::store::redis::keys::Of;
use crate::store::redis::topology::Slot;
use crate::words::id::InstanceId;

/// The indexes whose entries follow from an instance.
const INDEXES: [Of; 16] = [
    Of::Ready,
    Of::Timers,
    Of::Paused,
    Of::Complete,
    Of::Held,
    Of::Inbox,
    Of::Notes,
    Of::Shelf,
    Of::All,
    Of::Out,
    Of::Old,
    Of::Errored,
    Of::Terminated,
    Of::Later,
    Of::Ids,
    Of::Lost,
];

/// Where an entry leads, at one moment or over one.
#[derive(Debug, PartialEq, Eq)]
enum Leads {
    /// To an instance that says so; or it is gone.
    Well,
    /// Something was written while it was looked at.
    Unsettled,
    /// Nowhere.
    Astray(&'static str),
}

impl RedisStore {
    pub(super) async fn check_indexes(&self, partition: usize, report: &mut Report) -> Result<(), StoreError> {
        for index in INDEXES.into_iter().filter(|index| *index != Of::Lost) {
            self.each_page(partition, index, report).await?;
        }
        Ok(())
    }

    /// What sessions lost: the instance may be gone, but not the session.
    pub(super) async fn check_lost(&self, partition: usize, report: &mut Report) -> Result<(), StoreError> {
        self.each_page(partition, Of::Lost, report).await
    }

    async fn each_page(&self, partition: usize, index: Of, report: &mut Report) -> Result<(), StoreError> {
        let key = self.keys[partition].of(index);
        let mut from = b"0".to_vec();
        loop {
            let mut pipeline = Pipeline::new();
            pipeline.cmd("ZSCAN").arg(&key).arg(&from).arg("COUNT").arg(PAGE);
            let page = scanned(self.asked(Slot::of(&key), pipeline).await?);
            // A small set comes whole, whatever was asked for.
            let members: Vec<&Vec<u8>> = page.items.iter().step_by(2).collect();
            report.entries += members.len() as u64;
            for members in members.chunks(PAGE as usize) {
                self.check_members(partition, index, members, report).await?;
            }
            if page.next == b"0" {
                return Ok(());
            }
            from = page.next;
        }
    }

    async fn check_members(
        &self,
        partition: usize,
        index: Of,
        members: &[&Vec<u8>],
        report: &mut Report,
    ) -> Result<(), StoreError> {
        let mut pipeline = Pipeline::new();
        let mut led = Vec::new();
        for member in members {
            match led_to(index, member) {
                Some(id) => {
                    self.ask_of(partition, index, member, &id, &mut pipeline);
                    led.push((*member, id));
                }
                None => {
                    let what = format!("what cannot be read stands in it: {}", shown(member));
                    report.add(Finding::of(Area::Index, None, index_name(index), what));
                }
            }
        }
        if led.is_empty() {
            return Ok(());
        }
        let answers = self.asked(self.keys[partition].slot(), pipeline).await?;
        for ((member, id), answers) in led.into_iter().zip(answers.chunks(ANSWERS)) {
            if self.judged(index, member, &id, answers) != Leads::Well {
                self.settle(partition, index, member, &id, report).await?;
            }
        }
        Ok(())
    }

    /// Looks at one entry alone until it leads somewhere, or nothing is written while it does not.
    async fn settle(
        &self,
        partition: usize,
        index: Of,
        member: &[u8],
        id: &InstanceId,
        report: &mut Report,
    ) -> Result<(), StoreError> {
        for _ in 0..LOOKS_MAX {
            let mut pipeline = Pipeline::new();
            self.ask_of(partition, index, member, id, &mut pipeline);
            let answers = self.asked(self.keys[partition].slot(), pipeline).await?;
            match self.judged(index, member, id, &answers) {
                Leads::Well => return Ok(()),
                Leads::Astray(what) => {
                    report.add(Finding::of(Area::Index, Some(id), index_name(index), what));
                    return Ok(());
                }
                Leads::Unsettled => self.link.pause(LOOK_AGAIN_AFTER).await,
            }
        }
        Ok(())
    }

    /// The questions about one entry: what it leads to, before and after the entry itself.
    fn ask_of(&self, partition: usize, index: Of, member: &[u8], id: &InstanceId, pipeline: &mut Pipeline) {
        let keys = &self.keys[partition];
        let key = keys.instance(id);
        let ask = |pipeline: &mut Pipeline| {
            if index == Of::Lost {
                let session = member.get(..16).unwrap_or_default();
                pipeline.cmd("ZSCORE").arg(keys.of(Of::Sessions)).arg(session);
                pipeline.cmd("HEXISTS").arg(keys.of(Of::Dead)).arg(session);
            } else {
                let outgoing = format!("x{}", outgoing_number(member).unwrap_or(0));
                pipeline.cmd("HMGET").arg(&key).arg(&entries::FIELDS);
                pipeline.cmd("HEXISTS").arg(&key).arg(outgoing);
            }
        };
        ask(pipeline);
        pipeline.cmd("ZSCORE").arg(keys.of(index)).arg(member);
        ask(pipeline);
    }

    fn judged(&self, index: Of, member: &[u8], id: &InstanceId, answers: &[Value]) -> Leads {
        let [before, beside, entry, after, beside_after] = answers else { return Leads::Unsettled };
        if score_of(entry).is_none() {
            return Leads::Well;
        }
        if before != after || beside != beside_after {
            return Leads::Unsettled;
        }
        if index == Of::Lost {
            let known = score_of(before).is_some() || *beside == Value::Int(1);
            return if known {
                Leads::Well
            } else {
                Leads::Astray("it stands in the index for a session that is not known")
            };
        }
        let facts = match Facts::read(&optional_list_of(before)) {
            Ok(Some(facts)) => facts,
            Ok(None) => return Leads::Astray("the index leads to it, and it does not exist"),
            // It has its own finding.
            Err(_) => return Leads::Well,
        };
        let stands = match index {
            Of::Out => {
                *beside == Value::Int(1) && Entry::of_outbox(id, outgoing_number(member).unwrap_or(0)).member == member
            }
            _ => facts.entries(id, self.keeps_ids).iter().any(|own| own.index == index && own.member == member),
        };
        if stands { Leads::Well } else { Leads::Astray("it stands in the index, and its head does not say so") }
    }
}

/// Answers to the questions about one entry.
const ANSWERS: usize = 5;
