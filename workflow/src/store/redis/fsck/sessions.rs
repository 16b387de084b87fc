//! Sessions and limits: what is kept of each in one place against what is kept in the others.

use std::collections::{BTreeMap, BTreeSet};

use redis::{Pipeline, Value};

use super::{LOOK_AGAIN_AFTER, LOOKS_MAX, list_of, shown};
use crate::journal::lease::LimitName;
use crate::journal::table::limit::{Limit, Share};
use crate::journal::wire::Damaged;
use crate::store::StoreError;
use crate::store::fsck::{Area, Finding, Report, check_limit};
use crate::store::redis::RedisStore;
use crate::store::redis::keys::Of;
use crate::store::redis::pack::Unpacker;
use crate::words::id::{InstanceId, SessionId};
use crate::words::time::Timestamp;

type Pairs = BTreeMap<Vec<u8>, Vec<u8>>;

/// What is kept of sessions, by their ids.
struct Sessions {
    living: Pairs,
    dead: Pairs,
    beats: Pairs,
    claims: Pairs,
}

impl RedisStore {
    /// The sessions of a partition, those that live and those that were revoked.
    pub(super) async fn check_sessions(
        &self,
        partition: usize,
        report: &mut Report,
    ) -> Result<BTreeSet<Vec<u8>>, StoreError> {
        for _ in 0..LOOKS_MAX {
            if let Some(found) = self.sessions_at_once(partition).await? {
                return Ok(judge(&found, report));
            }
            self.link.pause(LOOK_AGAIN_AFTER).await;
        }
        Ok(BTreeSet::new())
    }

    /// What is kept of sessions, if none came or went while it was read. Not in a transaction: a server without memory
    /// takes none.
    async fn sessions_at_once(&self, partition: usize) -> Result<Option<Sessions>, StoreError> {
        let keys = &self.keys[partition];
        let mut pipeline = Pipeline::new();
        for again in [false, true] {
            pipeline.cmd("ZRANGE").arg(keys.of(Of::Sessions)).arg(0).arg(-1).arg("WITHSCORES");
            pipeline.cmd("HGETALL").arg(keys.of(Of::Dead));
            if !again {
                pipeline.cmd("HGETALL").arg(keys.of(Of::Beats)).cmd("HGETALL").arg(keys.of(Of::Claims));
            }
        }
        let answers: Vec<Pairs> = self.asked(keys.slot(), pipeline).await?.iter().map(pairs).collect();
        let [living, dead, beats, claims, living_after, dead_after] =
            <[Pairs; 6]>::try_from(answers).map_err(|_| self.damaged("a question was answered otherwise"))?;
        let same = living.keys().eq(living_after.keys()) && dead.keys().eq(dead_after.keys());
        Ok(same.then_some(Sessions { living, dead, beats, claims }))
    }

    pub(super) async fn check_limits(&self, partition: usize, report: &mut Report) -> Result<(), StoreError> {
        let keys = &self.keys[partition];
        let mut pipeline = Pipeline::new();
        pipeline.cmd("HGETALL").arg(keys.limits());
        let limits = self.asked(keys.slot(), pipeline).await?.first().map(pairs).unwrap_or_default();
        for (key, packed) in limits {
            report.limits += 1;
            let name = std::str::from_utf8(&key).ok().and_then(|key| LimitName::of_key(key).ok());
            let Some(name) = name else {
                let what = format!("{} is nothing that can be limited", shown(&key));
                report.add(Finding::of(Area::Limit, None, "limits", what));
                continue;
            };
            if self.partition_of_text(&name.key()) != partition {
                let what = format!("the limit of {name} belongs to another partition");
                report.add(Finding::of(Area::Stray, None, "limits", what));
            }
            match read_limit(&packed) {
                Ok(limit) => check_limit(&name, &limit, "limits").into_iter().for_each(|finding| report.add(finding)),
                Err(error) => {
                    let what = format!("the limit of {name} cannot be read: {error}");
                    report.add(Finding::of(Area::Limit, None, "limits", what));
                }
            }
        }
        Ok(())
    }
}

/// Says what is kept of a session in one place and not in another; gives all that are known.
fn judge(found: &Sessions, report: &mut Report) -> BTreeSet<Vec<u8>> {
    let Sessions { living, dead, beats, claims } = found;
    let known: BTreeSet<Vec<u8>> = living.keys().chain(dead.keys()).cloned().collect();
    let mut complain = |place: &str, session: &[u8], what: &str| {
        let what = format!("{}: {what}", named(session));
        report.add(Finding::of(Area::Session, None, place, what));
    };
    for session in &known {
        if session.len() != 16 {
            complain("sessions", session, "a session has no such id");
        }
        if living.contains_key(session) && dead.contains_key(session) {
            complain("dead", session, "the session lives and is revoked");
        }
        if !beats.contains_key(session) {
            complain("beats", session, "its beats are not counted");
        }
    }
    for (place, of) in [("beats", beats), ("claims", claims)] {
        of.keys().filter(|session| !known.contains(*session)).for_each(|session| {
            complain(place, session, "the session does not exist");
        });
    }
    for (place, of) in [("beats", beats), ("dead", dead)] {
        of.iter().filter(|(_, number)| !is_number(number)).for_each(|(session, _)| {
            complain(place, session, "what is kept of it is no number");
        });
    }
    for (session, claim) in claims {
        if let Err(error) = read_claim(claim) {
            complain("claims", session, &format!("its newest claim cannot be read: {error}"));
        }
    }
    known
}

fn pairs(value: &Value) -> Pairs {
    list_of(value).chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
}

/// A session as it is named everywhere else.
fn named(session: &[u8]) -> String {
    match <[u8; 16]>::try_from(session) {
        Ok(id) => format!("session {}", SessionId(u128::from_be_bytes(id))),
        Err(_) => shown(session),
    }
}

fn is_number(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| text.parse::<u64>().is_ok())
}

/// A claim as `claim.lua` remembers it: number 6, given 3 and each id (1 byte count) and version 6, notices 3 and each id.
fn read_claim(packed: &[u8]) -> Result<(), Damaged> {
    let mut from = Unpacker::new(packed);
    from.six()?;
    for versions in [true, false] {
        for _ in 0..from.small(3)? {
            let length = usize::from(from.byte()?);
            let id = std::str::from_utf8(from.raw(length, "an id")?).ok().and_then(|id| InstanceId::new(id).ok());
            id.ok_or_else(|| from.damaged("an instance id"))?;
            if versions {
                from.six()?;
            }
        }
    }
    if from.is_at_end() { Ok(()) } else { Err(from.damaged("the end of a claim")) }
}

/// A limit as `limit.lua` keeps it.
fn read_limit(packed: &[u8]) -> Result<Limit, Damaged> {
    let mut from = Unpacker::new(packed);
    let mut limit = Limit::default();
    for _ in 0..from.small(3)? {
        let (session, number, tokens) = (SessionId(from.wide()?), from.six()?, from.small(4)?);
        limit.shares.push(Share { session, number, tokens });
    }
    for _ in 0..from.small(3)? {
        limit.spent.push((Timestamp::from_millis(from.signed_six()?), from.small(4)?));
    }
    if from.is_at_end() { Ok(limit) } else { Err(from.damaged("the end of a limit")) }
}
