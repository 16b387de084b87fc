//! Comparing a run with its replay when it ends, before its end is written.
//!
//! Owns which runs are compared and how loudly a difference is told; what is compared is
//! [`crate::authoring::verify`]'s. Called by the drive.

use super::worker::Worker;
use crate::authoring::task::RunTask;
use crate::authoring::verify::Code;
use crate::journal::command::PauseReason;
use crate::journal::machine::{Compared, RunInfo};

/// Which runs are replayed from their journal when they end, and compared with what they did: what a workflow asks for
/// and how it ends may depend on nothing but its inputs and the outcomes of its operations, and what breaks that rule
/// behind a call (a clock, chance, a static, the order of a hash map) is seen by no compiler.
///
/// A run that does the same ends as if nothing had been asked. One that does not is parked instead of ended: its state
/// is `Paused`, the reason a [`Divergence`](crate::journal::divergence::Divergence) with both traces; an error with both
/// is logged (without a `tracing` subscriber it goes to stderr), and whoever waits for the result gets
/// [`ResultError::Differs`](crate::ResultError::Differs). No result that a replay would not give reaches anybody. It
/// stays parked until it is resumed, and is then replayed and compared again: with code that is corrected it ends.
///
/// # Cost
/// No step body runs and nothing is written or read. The workflow's own code runs once more per run, or twice when a
/// group has ended in it, at the speed of a replay: microseconds a record, in one piece and before the end is written.
/// Until then the worker keeps the run's journal in memory. `Never` costs nothing.
///
/// # Crashes
/// A crash during the comparison is one before the end: nothing of the end was written, and the worker that takes over
/// replays, ends and compares the run by its own setting.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum VerifyReplay {
    /// Every run. The default where this crate is compiled with debug assertions: in tests and in debug builds.
    Always,
    /// A part of all runs, from 0.0 for none to 1.0 for all. Which ones is decided by the run's seed, so that every worker
    /// decides the same.
    Sampled(f64),
    /// None. The default without debug assertions: in release builds.
    Never,
}

impl Default for VerifyReplay {
    fn default() -> Self {
        if cfg!(debug_assertions) { Self::Always } else { Self::Never }
    }
}

impl VerifyReplay {
    /// Whether its part is one.
    pub(crate) fn is_valid(self) -> bool {
        match self {
            Self::Sampled(part) => (0.0..=1.0).contains(&part),
            Self::Always | Self::Never => true,
        }
    }

    /// What the machine of a run is told of it.
    pub(super) fn of(self, info: &RunInfo) -> Compared {
        let compared = match self {
            Self::Always => true,
            Self::Sampled(part) => info.is_among(part),
            Self::Never => false,
        };
        if compared { Compared::Run } else { Compared::No }
    }
}

/// Compares a run that has ended with its replay, if it is to be; why it is parked, if they differ.
pub(super) fn verify(worker: &Worker, task: &RunTask) -> Option<PauseReason> {
    if worker.verify_replay == VerifyReplay::Never {
        return None;
    }
    let lived = task.lived()?;
    let spec = &lived.info.spec;
    let registration = worker.registry.get(&(spec.workflow.clone(), spec.version)).copied()?;
    let code = Code { registration, resources: worker.resources.clone() };
    let difference = code.differs(&lived)?;
    worker.counts.replay_differences.add();
    tell(&lived.info, &difference.said);
    Some(PauseReason::Divergence(Box::new(difference.divergence)))
}

/// Says it where it is heard.
#[expect(
    clippy::print_stderr,
    reason = "without a subscriber, a developer would see only an instance that stands still"
)]
fn tell(info: &RunInfo, said: &str) {
    let RunInfo { id, run, spec, .. } = info;
    tracing::error!(instance = %id, run, workflow = %spec.workflow, "the instance is parked: {said}");
    if !tracing::dispatcher::has_been_set() {
        eprintln!("the instance {id} of `{}` (run {run}) is parked: {said}", spec.workflow);
    }
}
