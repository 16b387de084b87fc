//! What one run is to do: the command line with everything that it left open decided, and what cannot be, refused.

use std::num::NonZero;
use std::time::Duration;

use crate::cli::{Arguments, Results, Scenario, Start};
use crate::server::Place;

/// How many are created in one call.
const BATCH: usize = 100;
/// How many bytes of inputs are created in one call.
const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// Branches of one join at most.
const FANOUT_STEPS_MAX: u32 = 10_000;

/// One run.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) scenario: Scenario,
    pub(crate) start: Start,
    pub(crate) results: Results,
    /// Of each process that works.
    pub(crate) threads: usize,
    pub(crate) workflows: usize,
    pub(crate) in_flight: usize,
    pub(crate) processes: u32,
    pub(crate) steps: u32,
    pub(crate) bytes: usize,
    pub(crate) window: Duration,
    pub(crate) looks_for: Duration,
    /// How many others wait meanwhile.
    pub(crate) waiting: usize,
}

impl Plan {
    /// Decides what the command line left open.
    ///
    /// # Errors
    /// When it asks for what cannot be, in words.
    pub(crate) fn of(arguments: &Arguments, place: &Place) -> Result<Self, String> {
        let Arguments { scenario, processes, steps, .. } = *arguments;
        let count = |number: u32| usize::try_from(number).map_err(|_| format!("{number} is too many for this machine"));
        let workflows = count(arguments.workflows.unwrap_or_else(|| usual(scenario)))?;
        let idle = scenario == Scenario::Idle;
        if workflows == 0 && !idle {
            return Err("--workflows must be at least 1: only idle has none".to_owned());
        }
        if scenario == Scenario::Naive && !place.on_server() {
            return Err("naive needs Redis: --store 'redis:spawn?appendfsync=everysec' starts one".to_owned());
        }
        if processes > 0 && !place.can_be_shared() {
            return Err("worker processes need a store that processes can share: a file, or a server".to_owned());
        }
        if processes > 0 && matches!(scenario, Scenario::Create | Scenario::Naive) {
            return Err("--processes has no meaning here: create has no workers, and naive is one process".to_owned());
        }
        if arguments.waiting > 0
            && matches!(scenario, Scenario::Create | Scenario::Drain | Scenario::Naive | Scenario::Idle)
        {
            return Err("--waiting has no meaning here: nobody works meanwhile, or --workflows says it".to_owned());
        }
        if scenario == Scenario::Fanout && steps > FANOUT_STEPS_MAX {
            return Err(format!(
                "--steps of fanout is at most {FANOUT_STEPS_MAX}: no run may have more branches at once"
            ));
        }
        let queued = processes > 0 || matches!(scenario, Scenario::Drain | Scenario::Create);
        Ok(Self {
            scenario,
            results: arguments.results,
            threads: arguments.threads.unwrap_or_else(|| usual_threads(place)),
            start: if queued { Start::Queued } else { arguments.start },
            workflows,
            in_flight: if scenario == Scenario::Alone { 1 } else { arguments.in_flight },
            processes,
            steps,
            bytes: count(arguments.bytes)?,
            window: arguments.window,
            looks_for: Duration::from_secs_f64(arguments.seconds),
            waiting: if idle { workflows } else { count(arguments.waiting)? },
        })
    }

    /// How many instances are created in one call.
    pub(crate) fn batch(&self) -> usize {
        let fit = if self.scenario == Scenario::Payload { BATCH_BYTES / self.bytes.max(1) } else { BATCH };
        fit.clamp(1, BATCH).min(self.in_flight)
    }
}

/// A server beside it needs a processor too: more threads than that leaves only wait for each other.
fn usual_threads(place: &Place) -> usize {
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    processors.saturating_sub(usize::from(place.shares_machine())).max(1)
}

/// So many that it takes some seconds.
fn usual(scenario: Scenario) -> u32 {
    match scenario {
        Scenario::Idle => 0,
        Scenario::Fanout | Scenario::Long => 50,
        Scenario::Replay => 200,
        _ => 10_000,
    }
}
