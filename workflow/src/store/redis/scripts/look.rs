//! The twins of the scripts that only look: `due.lua`, `stuck.lua`, `expired.lua`, `tied.lua`, `hearts.lua`, `overview.lua`,
//! `sets.lua`.

use std::time::Duration;

use super::{Found, Misread, Said};
use crate::store::Overview;
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
    let of = [Of::Complete, Of::Errored, Of::Terminated, Of::Old];
    (of.map(|which| keys.of(which)).to_vec(), vec![now.to_vec(), number(limit)])
}

/// `tied.lua`.
pub(in super::super) fn tied(keys: &Keys, session: SessionId, limit: usize) -> Request {
    (vec![keys.of(Of::Held), keys.of(Of::Inbox)], vec![session.0.to_be_bytes().to_vec(), number(limit)])
}

/// `hearts.lua`.
pub(in super::super) fn hearts(keys: &Keys) -> Request {
    (vec![keys.of(Of::Sessions), keys.of(Of::Beats), keys.of(Of::Dead)], Vec::new())
}

/// The sets that an overview counts, in order.
const COUNTED: [Of; 9] =
    [Of::Ready, Of::Timers, Of::Later, Of::Held, Of::Inbox, Of::Paused, Of::Complete, Of::Errored, Of::Terminated];

/// `overview.lua`.
pub(in super::super) fn overview(keys: &Keys) -> Request {
    let all = [Of::Shelf, Of::All].into_iter().chain(COUNTED);
    (all.map(|which| keys.of(which)).collect(), Vec::new())
}

/// `sets.lua`.
pub(in super::super) fn sets(keys: &Keys, which: &[Of], last: usize) -> Request {
    (which.iter().map(|which| keys.of(*which)).collect(), vec![last.to_string().into_bytes()])
}

/// Adds what `overview.lua` counted in one partition, without shelves and workflows.
pub(in super::super) fn add_counts(said: &Said, to: &mut Overview) -> Result<(), Misread> {
    let counts = said.list(0)?;
    let mut read = [0; COUNTED.len()];
    for (index, count) in read.iter_mut().enumerate() {
        *count = counts.natural(index)?;
    }
    let [ready, timers, later, held, inbox, paused, complete, errored, terminated] = read;
    to.ready += ready;
    to.delayed += later;
    to.asleep += timers.saturating_sub(later);
    to.held += held + inbox;
    to.paused += paused;
    to.complete += complete;
    to.errored += errored;
    to.terminated += terminated;
    Ok(())
}

/// The workflows that `overview.lua` found, and how many instances each has.
pub(in super::super) fn read_workflows(said: &Said) -> Result<Vec<(WorkflowName, u64)>, Misread> {
    let (names, sizes) = (said.list(3)?, said.list(4)?);
    (0..names.len())
        .map(|index| {
            let damaged = || Misread("a workflow in the index".to_owned());
            let name = names.text(index)?.strip_suffix('\0').ok_or_else(damaged)?;
            Ok((WorkflowName::new(name).map_err(|_| damaged())?, sizes.natural(index)?))
        })
        .collect()
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
