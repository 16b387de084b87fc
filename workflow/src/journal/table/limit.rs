//! [`Command::Lease`](crate::journal::command::Command::Lease): the tokens of one limit, and who has them.
//!
//! A token of a session counts as long as the session is known: one that is revoked keeps its share until everything it
//! held has been taken from it, so that what it held and what others are given are never more than the limit. For a rate a
//! spent token counts until its time is over, from the moment at which the store is told of it: that is later than its
//! use, so that in no span of that length more are used than there are.

use std::time::Duration;

use super::Hint;
use crate::journal::lease::{Lease, LeaseReply};
use crate::words::id::SessionId;
use crate::words::time::{Timestamp, millis_rounded_up};

/// In how many parts the time of a rate is counted: what was spent in one part counts until the end of it.
pub(crate) const RATE_PARTS: i64 = 100;

/// What a store keeps of one limit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Limit {
    /// The shares, in no order: at most one of each session.
    pub shares: Vec<Share>,
    /// For rates: how many tokens were spent, and from when on their time is counted; oldest first.
    pub spent: Vec<(Timestamp, u32)>,
}

/// The tokens of one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Share {
    /// The session.
    pub session: SessionId,
    /// Its newest request.
    pub number: u64,
    /// How many it has.
    pub tokens: u32,
}

/// What a request does to a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a share that is not kept is given twice"]
pub struct Leased {
    /// What to keep; `None` when it stays as it is.
    pub limit: Option<Limit>,
    /// The answer.
    pub reply: LeaseReply,
    /// What to tell.
    pub hint: Option<Hint>,
}

/// Decides a request. `alive`: its session lives (known and not revoked); `known`: whether the store still knows a session
/// that has a share, a revoked one included.
pub fn lease(
    limit: Option<&Limit>,
    request: &Lease,
    alive: bool,
    known: &dyn Fn(SessionId) -> bool,
    now: Timestamp,
) -> Leased {
    let refuse = |reply| Leased { limit: None, reply, hint: None };
    if !alive {
        return refuse(LeaseReply::Fenced);
    }
    let mut next = limit.cloned().unwrap_or_default();
    let before = next.shares.iter().find(|share| share.session == request.session).copied();
    match before {
        Some(share) if share.number > request.number => return refuse(LeaseReply::Late),
        Some(share) if share.number == request.number => {
            return refuse(granted(&next, request, share.tokens));
        }
        _ => {}
    }
    let gone = next.drop_unknown(request, known);
    next.shares.retain(|share| share.session != request.session);
    let corrected = match request.per {
        // What one that is gone had may have been used up to now.
        Some(per) => next.spend(request.spent.saturating_add(gone), per, now),
        None => {
            next.spent.clear();
            false
        }
    };
    let others = sum(next.shares.iter().map(|share| share.tokens));
    let counted = others.saturating_add(sum(next.spent.iter().map(|(_, count)| *count)));
    let tokens = request.want.min(request.limit.saturating_sub(counted)).max(request.held);
    let had = before.map_or(0, |share| share.tokens);
    next.shares.push(Share { session: request.session, number: request.number, tokens });
    if tokens == had && tokens == request.held && request.spent == 0 && gone == 0 && !corrected {
        // In vain. It is not remembered, so that asking again and again writes nothing: a late copy of it may be given
        // something, until its session asks again, but takes nothing from what the session has.
        return refuse(granted(&next, request, tokens));
    }
    let given_back = had.saturating_sub(request.spent) > tokens || gone > 0;
    let left = request.limit > counted.saturating_add(tokens);
    Leased {
        reply: granted(&next, request, tokens),
        limit: Some(next),
        hint: (given_back && left).then(|| Hint::Limit(request.name.clone())),
    }
}

fn granted(limit: &Limit, request: &Lease, tokens: u32) -> LeaseReply {
    let first = limit.spent.first().filter(|_| tokens < request.want);
    let free_at = request.per.and_then(|per| first.map(|(since, _)| since.after(per)));
    LeaseReply::Granted { tokens, free_at }
}

impl Limit {
    /// Drops the shares of others that the store does not know any more. Returns how many tokens they had.
    fn drop_unknown(&mut self, request: &Lease, known: &dyn Fn(SessionId) -> bool) -> u32 {
        let mut gone = 0_u32;
        self.shares.retain(|share| {
            let stays = share.session == request.session || known(share.session);
            gone = gone.saturating_add(if stays { 0 } else { share.tokens });
            stays
        });
        gone
    }

    /// Counts tokens as spent now, and forgets those whose time is over. True when some were counted from a time that is
    /// still to come, as the clock was set back: they were spent by now, and would hold up everyone until then.
    fn spend(&mut self, tokens: u32, per: Duration, now: Timestamp) -> bool {
        let width = (millis_rounded_up(per) / RATE_PARTS).max(1);
        let since = Timestamp::from_millis((now.as_millis().div_euclid(width) + 1) * width);
        let (mut kept, mut newest, mut corrected) = (Vec::new(), tokens, false);
        for (counted, tokens) in self.spent.drain(..) {
            corrected |= counted > since;
            if counted >= since {
                newest = newest.saturating_add(tokens);
            } else if counted.after(per) > now {
                kept.push((counted, tokens));
            }
        }
        if newest > 0 {
            kept.push((since, newest));
        }
        self.spent = kept;
        corrected
    }
}

fn sum(counts: impl Iterator<Item = u32>) -> u32 {
    counts.fold(0, u32::saturating_add)
}
