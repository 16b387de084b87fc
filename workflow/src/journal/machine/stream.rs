//! Randomness, changes and keys that are the same in every replay.
//!
//! Streams are keyed by scope path, so code that is skipped in a replay (a finished group) shifts no other stream.

use super::{Machine, OpId, RunInfo, ScopeId};
use crate::journal::path::{Kind, Path};
use crate::journal::record::{Entry, Record};

/// What `changed` said.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) taken: bool,
    /// How many operations the code had asked for when it first asked.
    pub(super) asked: usize,
}

impl RunInfo {
    /// Whether this run is among a part of all runs, from 0.0 (none) to 1.0 (all): the same on every worker, and by the
    /// run's seed.
    #[must_use]
    pub fn is_among(&self, part: f64) -> bool {
        let bytes = digest(&[b"sample", &self.spec.seed.to_be_bytes(), &self.run.to_be_bytes()]);
        let chance = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        f64::from(chance) / (f64::from(u32::MAX) + 1.0) < part
    }
}

impl Machine {
    /// The next 32 bytes of a scope's stream, from the instance's seed.
    pub fn draw(&mut self, scope: ScopeId) -> [u8; 32] {
        let seed = self.info.spec.seed;
        let run = self.info.streams;
        let scope = &mut self.scopes[scope.index()];
        scope.draws += 1;
        digest(&[
            b"draw",
            &seed.to_be_bytes(),
            &run.to_be_bytes(),
            scope.path.as_str().as_bytes(),
            &scope.draws.to_be_bytes(),
        ])
    }

    /// Whether this run takes the new branch of a change in its code. Recorded when it is first asked live; a run whose
    /// journal had passed this place before the change was made stays on the old branch.
    pub fn changed(&mut self, id: &str) -> bool {
        let path = Path::root().join(Kind::Changed, id, None, 0);
        if let Some(answer) = self.changes.get(&path) {
            return answer.taken;
        }
        let taken = self.replay.has_change(&path) || self.replay.only_changes_remain();
        if taken && !self.replay.has_change(&path) {
            self.hold(&Record { time: self.record_time(), path: path.clone(), entry: Entry::Changed });
        }
        self.changes.insert(path, Answer { taken, asked: self.ops.len() });
        taken
    }

    /// The key a step's body hands to services that deduplicate: the same for every attempt and replay of the run.
    #[must_use]
    pub fn idempotency_key(&self, op: OpId) -> String {
        let bytes = digest(&[
            b"idempotency",
            self.info.namespace.as_str().as_bytes(),
            self.info.id.as_str().as_bytes(),
            &self.info.run.to_be_bytes(),
            &self.info.spec.seed.to_be_bytes(),
            self.op(op).path.as_str().as_bytes(),
        ]);
        bytes[..16].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// A number from 0.0 to 1.0 that decides the jitter of one delay.
    pub(super) fn chance(&self, op: OpId) -> f64 {
        let op = self.op(op);
        let bytes = digest(&[
            b"jitter",
            &self.info.spec.seed.to_be_bytes(),
            &self.info.run.to_be_bytes(),
            op.path.as_str().as_bytes(),
            &op.attempt().to_be_bytes(),
        ]);
        f64::from(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])) / f64::from(u32::MAX)
    }

    /// The seed of a child, from its parent's.
    pub(super) fn child_seed(&self, op: OpId) -> u128 {
        let op = self.op(op);
        let bytes = digest(&[
            b"child",
            &self.info.spec.seed.to_be_bytes(),
            &self.info.run.to_be_bytes(),
            op.path.as_str().as_bytes(),
            &op.turn.to_be_bytes(),
        ]);
        u128::from_be_bytes(bytes[..16].try_into().expect("sixteen bytes"))
    }
}

/// A hash of parts that cannot run into each other.
fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = blake3::Hasher::new();
    for part in parts {
        hash.update(&(part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}
