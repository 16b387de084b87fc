//! The twins of the scripts that only look: `due.lua`, `stuck.lua`, `expired.lua`, `tied.lua`, `hearts.lua`, `overview.lua`.

use std::time::Duration;

use super::{Found, Misread, Said};
use crate::store::redis::keys::{Keys, Of};
use crate::store::redis::link::Request;
use crate::words::id::{InstanceId, SessionId, WorkflowName};
use crate::words::time::millis_rounded_up;

/// No look finds more than this at once.
const FOUND_MAX: usize = 1_000;

fn number(value: usize) -> Vec<u8> {
    value.min(FOUND_MAX).to_string().into_bytes()
}

/// `due.lua`.
pub(in super::super) fn due(keys: &Keys, now: &[u8], limit: usize) -> Request {
    (vec![keys.of(Of::Timers)], vec![now.to_vec(), number(limit)])
}

/// `stuck.lua`.
pub(in super::super) fn stuck(keys: &Keys, now: &[u8], older_than: Duration, limit: usize) -> Request {
    let older_than = millis_rounded_up(older_than).to_string().into_bytes();
    (vec![keys.of(Of::Inbox)], vec![now.to_vec(), older_than, number(limit)])
}

/// `expired.lua`.
pub(in super::super) fn expired(keys: &Keys, now: &[u8], limit: usize) -> Request {
    (vec![keys.of(Of::Done), keys.of(Of::Old)], vec![now.to_vec(), number(limit)])
}

/// `tied.lua`.
pub(in super::super) fn tied(keys: &Keys, session: SessionId, limit: usize) -> Request {
    (vec![keys.of(Of::Held), keys.of(Of::Inbox)], vec![session.0.to_be_bytes().to_vec(), number(limit)])
}

/// `hearts.lua`.
pub(in super::super) fn hearts(keys: &Keys) -> Request {
    (vec![keys.of(Of::Sessions), keys.of(Of::Beats), keys.of(Of::Dead)], Vec::new())
}

/// `overview.lua`.
pub(in super::super) fn overview(keys: &Keys) -> Request {
    let all = [Of::Ready, Of::Timers, Of::Held, Of::Inbox, Of::Paused, Of::Done, Of::Shelf];
    (all.into_iter().map(|which| keys.of(which)).collect(), Vec::new())
}

/// What `overview.lua` counted, in the order of its keys.
pub(in super::super) fn read_counts(said: &Said) -> Result<[u64; 6], Misread> {
    let counts = said.list(0)?;
    let mut read = [0; 6];
    for (index, count) in read.iter_mut().enumerate() {
        *count = counts.natural(index)?;
    }
    Ok(read)
}

/// The shelves that `overview.lua` found: workflow, version, and how many wait there.
pub(in super::super) fn read_shelves(said: &Said) -> Result<Vec<(WorkflowName, u32, u64)>, Misread> {
    let (shelves, sizes) = (said.list(1)?, said.list(2)?);
    (0..shelves.len())
        .map(|index| {
            let damaged = || Misread("a shelf in the index".to_owned());
            let (name, version) = shelves.bytes(index)?.split_last_chunk::<4>().ok_or_else(damaged)?;
            let name = name.strip_suffix(b"\0").and_then(|name| std::str::from_utf8(name).ok()).ok_or_else(damaged)?;
            let name = WorkflowName::new(name).map_err(|_| damaged())?;
            Ok((name, u32::from_be_bytes(*version), sizes.natural(index)?))
        })
        .collect()
}

/// What `stuck.lua` and `tied.lua` found.
pub(in super::super) fn read_found(said: &Said) -> Result<Vec<Found>, Misread> {
    said.found_from(0)
}

/// The old runs that `expired.lua` found.
pub(in super::super) fn read_runs(said: &Said, index: usize) -> Result<Vec<(InstanceId, u32)>, Misread> {
    let list = said.list(index)?;
    (0..list.len())
        .map(|at| {
            let member = list.bytes(at)?;
            let damaged = || Misread("an old run in the index".to_owned());
            let (id, run) = member.split_last_chunk::<4>().ok_or_else(damaged)?;
            let id = id.strip_suffix(b"\0").and_then(|id| std::str::from_utf8(id).ok()).ok_or_else(damaged)?;
            Ok((InstanceId::new(id).map_err(|_| damaged())?, u32::from_be_bytes(*run)))
        })
        .collect()
}
