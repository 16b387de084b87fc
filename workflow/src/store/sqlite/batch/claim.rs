//! Claims: which instances a session gets, in the order the table asks for.

use std::collections::BTreeSet;

use super::super::fault::Fault;
use super::super::spot::{self, NOTICED, Placement};
use super::super::tables::{Shelf, Stored};
use super::{Batch, with_messages};
use crate::journal::command::{Claim, ClaimReply, Claimed};
use crate::journal::table::claim::{Taken, again, noticed, take};
use crate::journal::table::session::{ClaimMemory, Earlier, Session};
use crate::words::id::InstanceId;
use crate::words::limits::SHELVED_MAX;

/// Most candidates read at a time.
const PAGE: usize = 256;

/// What a claim has given so far.
struct Giving<'a> {
    claim: &'a Claim,
    given: Vec<Claimed>,
    shelved: usize,
}

impl Giving<'_> {
    fn wants(&self) -> usize {
        if self.shelved >= SHELVED_MAX { 0 } else { self.claim.limit - self.given.len() }
    }
}

impl Batch<'_> {
    pub(super) fn claim(&mut self, claim: &Claim) -> Result<ClaimReply, Fault> {
        let Some(mut session) = self.session(claim.session)?.filter(Session::alive) else {
            return Ok(ClaimReply::Fenced);
        };
        let (instances, notices) = match session.earlier(claim.number) {
            Earlier::Late => (Vec::new(), Vec::new()),
            // Nothing changes, so nothing has to be written.
            Earlier::Repeated(memory) => self.give_again(claim, memory)?,
            Earlier::Nothing => {
                let instances = self.give_new(claim)?;
                let mut notices: BTreeSet<InstanceId> = session.lost.iter().cloned().collect();
                notices.extend(self.take_notices(claim)?);
                let notices: Vec<InstanceId> = notices.into_iter().collect();
                // A claim that gave nothing is not remembered, and then nothing has to be written.
                if !instances.is_empty() || !notices.is_empty() {
                    session.claimed(claim.number, &instances, &notices);
                    self.save_session(claim.session, session)?;
                }
                (instances, notices)
            }
        };
        Ok(ClaimReply::Given { now: self.now, instances, notices, next_due: self.next_due()? })
    }

    fn give_new(&mut self, claim: &Claim) -> Result<Vec<Claimed>, Fault> {
        let mut giving = Giving { claim, given: Vec::new(), shelved: 0 };
        self.give_inbox(&mut giving)?;
        self.give_shelved(&mut giving)?;
        self.give_ready(&mut giving)?;
        Ok(giving.given)
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
        if shelves.is_empty() {
            return Ok(());
        }
        self.give_all(giving, |batch, limit| {
            let mut ids = Vec::new();
            for shelf in &shelves {
                ids.extend(batch.tables.at_spot(&shelf.spot, limit)?);
            }
            ids.sort_unstable();
            ids.truncate(limit);
            Ok(ids)
        })
    }

    fn give_ready(&mut self, giving: &mut Giving<'_>) -> Result<(), Fault> {
        let lists: Vec<Vec<u8>> = giving.claim.queues.iter().map(spot::ready).collect();
        self.give_all(giving, |batch, limit| {
            if let [only] = lists.as_slice() {
                return batch.tables.at_spot(only, limit);
            }
            let mut ranked = Vec::new();
            for list in &lists {
                ranked.extend(batch.tables.ranked_at_spot(list, limit)?);
            }
            ranked.sort_unstable();
            ranked.truncate(limit);
            Ok(ranked.into_iter().map(|(_, id)| id).collect())
        })
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
        let transition = take(id, &stored.head, giving.claim, self.now);
        match self.settle(id, Some(stored), transition)? {
            (Taken::Given(claimed), messages) => giving.given.push(with_messages(*claimed, messages)),
            (Taken::Shelved, _) => giving.shelved += 1,
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
