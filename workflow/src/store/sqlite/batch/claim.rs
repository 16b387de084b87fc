//! Claims: which instances a session gets, in the order the table asks for.

use std::collections::{BTreeSet, VecDeque};

use super::super::fault::Fault;
use super::super::spot::{self, NOTICED, Placement};
use super::super::tables::{Shelf, Stored};
use super::{Batch, with_messages};
use crate::journal::command::{Claim, ClaimReply, Claimed};
use crate::journal::table::claim::{Allowance, Taken, again, noticed, take};
use crate::journal::table::session::{ClaimMemory, Earlier, Session};
use crate::words::id::{InstanceId, QueueName, WorkflowName};
use crate::words::limits::SHELVED_MAX;

/// Most candidates read at a time.
const PAGE: usize = 256;

/// What a claim has given so far.
struct Giving<'a> {
    claim: &'a Claim,
    given: Vec<Claimed>,
    put_away: usize,
    allowed: Allowance,
}

impl Giving<'_> {
    fn wants(&self) -> usize {
        if self.put_away >= SHELVED_MAX { 0 } else { self.claim.limit - self.given.len() }
    }
}

/// The ready instances of one workflow in one queue that have begun, or that have not, as far as they were read.
struct List {
    queue: QueueName,
    workflow: WorkflowName,
    begun: bool,
    spot: Vec<u8>,
    page: VecDeque<(i64, InstanceId)>,
    /// The last that was read.
    after: Option<(i64, InstanceId)>,
    /// There is no more to read, or it may not be given.
    ended: bool,
}

impl Batch<'_> {
    pub(super) fn claim(&mut self, claim: &Claim) -> Result<ClaimReply, Fault> {
        let Some(mut session) = self.session(claim.session)?.filter(Session::alive) else {
            return Ok(ClaimReply::Fenced);
        };
        let mut told = (Vec::new(), Vec::new());
        let (instances, notices) = match session.earlier(claim.number) {
            Earlier::Late => (Vec::new(), Vec::new()),
            // Nothing changes, so nothing has to be written.
            Earlier::Repeated(memory) => self.give_again(claim, memory)?,
            Earlier::Nothing => {
                let Giving { given: instances, allowed, .. } = self.give_new(claim)?;
                told = allowed.told();
                let mut notices: BTreeSet<InstanceId> = session.lost.iter().cloned().collect();
                notices.extend(self.take_notices(claim)?);
                let notices: Vec<InstanceId> = notices.into_iter().collect();
                // What is not remembered has not to be written.
                if session.claimed(claim, &instances, &notices) {
                    self.save_session(claim.session, session)?;
                }
                (instances, notices)
            }
        };
        let (short, started) = told;
        Ok(ClaimReply::Given {
            now: self.now,
            instances,
            notices,
            next_due: self.next_due()?,
            short,
            started,
            raced: false,
        })
    }

    fn give_new<'c>(&mut self, claim: &'c Claim) -> Result<Giving<'c>, Fault> {
        let mut giving = Giving { claim, given: Vec::new(), put_away: 0, allowed: Allowance::of(claim) };
        self.give_inbox(&mut giving)?;
        self.give_shelved(&mut giving)?;
        self.give_ready(&mut giving)?;
        Ok(giving)
    }

    /// What a claim gave whose answer was lost; a notice for what cannot be given again.
    fn give_again(&mut self, claim: &Claim, memory: &ClaimMemory) -> Result<(Vec<Claimed>, Vec<InstanceId>), Fault> {
        let mut instances = Vec::new();
        let mut notices: BTreeSet<InstanceId> = memory.notices.iter().cloned().collect();
        for (id, v) in &memory.given {
            let stored = self.take_candidate(id)?;
            let transition = again(id, stored.as_ref().map(|stored| &stored.head), claim, *v, self.now);
            match self.settle(id, stored, transition)? {
                (Taken::Given(claimed), messages) => instances.push(with_messages(*claimed, messages)),
                _ => drop(notices.insert(id.clone())),
            }
        }
        Ok((instances, notices.into_iter().collect()))
    }

    fn give_inbox(&mut self, giving: &mut Giving<'_>) -> Result<(), Fault> {
        let inbox = spot::inbox(giving.claim.session);
        self.give_all(giving, |batch, limit| batch.tables.at_spot(&inbox, limit))
    }

    fn give_shelved(&mut self, giving: &mut Giving<'_>) -> Result<(), Fault> {
        if giving.wants() == 0 {
            return Ok(());
        }
        let claim = giving.claim;
        let known = |shelf: &Shelf| {
            claim.queues.contains(&shelf.queue)
                && claim.known.iter().any(|(name, version)| *name == shelf.workflow && *version == shelf.version)
        };
        let shelves: Vec<Shelf> = self.tables.shelves()?.into_iter().filter(known).collect();
        let mut ids = Vec::new();
        // Of each no more than is wanted: what is refused of one is all that follows on it.
        for shelf in &shelves {
            ids.extend(self.tables.at_spot(&shelf.spot, giving.wants())?.into_iter().map(|id| (id, shelf)));
        }
        ids.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        for (id, shelf) in ids {
            if giving.wants() == 0 {
                return Ok(());
            }
            if giving.allowed.admits(&shelf.queue, &shelf.workflow, shelf.begun) {
                self.give(&id, giving)?;
            }
        }
        Ok(())
    }

    fn give_ready(&mut self, giving: &mut Giving<'_>) -> Result<(), Fault> {
        if giving.wants() == 0 {
            return Ok(());
        }
        let mut lists = Vec::new();
        for queue in giving.claim.queues.iter() {
            let (from, to) = spot::all_ready(queue);
            let read = |spot: Vec<u8>| {
                let (begun, workflow) = spot::read_ready(&spot, queue)?;
                let (page, queue) = (VecDeque::new(), queue.clone());
                Some(List { queue, workflow, begun, spot, page, after: None, ended: false })
            };
            lists.extend(self.tables.spots_between(&from, &to)?.into_iter().filter_map(read));
        }
        let claim = giving.claim;
        for (queue, quota) in claim.queues.iter().zip(&claim.quotas) {
            let enough = giving.given.len() + *quota;
            self.give_from(&mut lists, giving, |list| list.queue == *queue, enough)?;
        }
        self.give_from(&mut lists, giving, |_| true, usize::MAX)
    }

    /// Takes the first of the lists that are `wanted`, again and again, until the claim has enough or there are no more.
    fn give_from(
        &mut self,
        lists: &mut [List],
        giving: &mut Giving<'_>,
        wanted: impl Fn(&List) -> bool,
        enough: usize,
    ) -> Result<(), Fault> {
        while giving.wants() > 0 && giving.given.len() < enough {
            for list in lists.iter_mut().filter(|list| wanted(list) && list.page.is_empty() && !list.ended) {
                let limit = giving.wants().min(PAGE);
                list.page = self.tables.at_spot_after(&list.spot, list.after.as_ref(), limit)?.into();
                list.ended = list.page.len() < limit;
                list.after = list.page.back().cloned().or(list.after.take());
            }
            let first = lists.iter_mut().filter(|list| wanted(list) && !list.page.is_empty());
            let Some(list) = first.min_by(|one, other| one.page.front().cmp(&other.page.front())) else {
                return Ok(());
            };
            if !giving.allowed.admits(&list.queue, &list.workflow, list.begun) {
                list.page.clear();
                list.ended = true;
                continue;
            }
            if let Some((_, id)) = list.page.pop_front() {
                self.give(&id, giving)?;
            }
        }
        Ok(())
    }

    /// Takes candidates, a page at a time, until the claim has enough or there are no more. Every candidate leaves the
    /// place it was found in, so the next page is always the first.
    fn give_all(
        &mut self,
        giving: &mut Giving<'_>,
        page: impl Fn(&Self, usize) -> Result<Vec<InstanceId>, Fault>,
    ) -> Result<(), Fault> {
        loop {
            let limit = giving.wants().min(PAGE);
            if limit == 0 {
                return Ok(());
            }
            let candidates = page(self, limit)?;
            let last = candidates.len() < limit;
            let mut moved = 0;
            for id in candidates {
                if giving.wants() == 0 {
                    return Ok(());
                }
                moved += usize::from(self.give(&id, giving)?);
            }
            if last || moved == 0 {
                return Ok(());
            }
        }
    }

    /// Returns whether the candidate left its place.
    fn give(&mut self, id: &InstanceId, giving: &mut Giving<'_>) -> Result<bool, Fault> {
        let Some(stored) = self.take_candidate(id)? else { return Ok(true) };
        let transition = take(id, &stored.head, giving.claim, &mut giving.allowed, self.now);
        match self.settle(id, Some(stored), transition)? {
            (Taken::Given(claimed), messages) => giving.given.push(with_messages(*claimed, messages)),
            (Taken::Shelved | Taken::SetAside, _) => giving.put_away += 1,
            (Taken::Left, _) => return Ok(false),
        }
        Ok(true)
    }

    /// The instances the session holds that something happened to; each is told once.
    fn take_notices(&mut self, claim: &Claim) -> Result<Vec<InstanceId>, Fault> {
        let mut notices = Vec::new();
        for id in self.tables.at_spot_from(&spot::held(claim.session), NOTICED)? {
            let Some(stored) = self.take_candidate(&id)? else { continue };
            let Stored { key, head: before } = &stored;
            let Some(head) = noticed(before) else {
                self.cache.put(id, stored);
                continue;
            };
            self.tables.update(*key, &Placement::of(before), &head)?;
            self.cache.put(id.clone(), Stored { key: *key, head });
            notices.push(id);
        }
        Ok(notices)
    }
}
