//! What is reported.

use std::time::Duration;

use serde::Serialize;

use crate::AnyError;
use crate::cli::{Results, Scenario, Start};
use crate::gauge::Costs;
use crate::process;
use crate::scenarios::Outcome;
use crate::server::Look;
use crate::stage::Stage;

/// One run. Costs are per workflow; those of idle, in which none ends, per second.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    pub(crate) scenario: Scenario,
    pub(crate) store: String,
    /// What of the store survives: `none`, `everysec`, `always`; for SQLite its `synchronous`.
    pub(crate) durability: String,
    pub(crate) start: Start,
    pub(crate) workflows: usize,
    pub(crate) in_flight: usize,
    /// Threads of each process that works.
    pub(crate) threads: usize,
    pub(crate) results: Results,
    /// Worker processes; 0 where this process does the work.
    pub(crate) processes: u32,
    /// What costs are per: `workflow` or `second`.
    pub(crate) per: &'static str,
    /// Of what is measured, which of some scenarios is a part.
    pub(crate) wall_s: f64,
    /// Workflows per second.
    pub(crate) per_s: Option<f64>,
    /// From creation to result, where the scenario says nothing else.
    pub(crate) p50_ms: Option<f64>,
    pub(crate) p99_ms: Option<f64>,
    /// CPU of the server; of an embedded store it is in that of the worker.
    pub(crate) store_cpu_us: Option<f64>,
    /// CPU of all workers and clients: of this process and of worker processes.
    pub(crate) worker_cpu_us: f64,
    /// The part of it that is this process's, where others do the work.
    pub(crate) client_cpu_us: Option<f64>,
    /// Commands the server carried out, those that scripts call included.
    pub(crate) commands: Option<f64>,
    /// Scripts the server carried out.
    pub(crate) scripts: Option<f64>,
    /// Instances that one script wrote, on average: how many commits were one.
    pub(crate) writes_per_script: Option<f64>,
    /// What the server had from the network, and gave to it.
    pub(crate) bytes_in: Option<f64>,
    pub(crate) bytes_out: Option<f64>,
    /// What an instance keeps in the server's memory: a finished one, where the scenario says nothing else. Of few
    /// instances it is more about the server's buffers.
    pub(crate) store_bytes: Option<f64>,
    /// The most memory that a worker process had: this one, or the largest of others.
    pub(crate) rss_mb: f64,
    /// Steps of each instance, where that is an option.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) steps: Option<u32>,
    /// Bytes of each value, where that is an option.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bytes: Option<usize>,
    /// Others that waited meanwhile.
    pub(crate) waiting: usize,
    /// How late sleepers woke, by the store's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lateness_p50_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lateness_p99_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lateness_max_ms: Option<f64>,
    /// The most by which a sleeper woke before one that was due earlier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) disorder_max_ms: Option<f64>,
    /// Records that were replayed per second, by all together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) records_per_s: Option<f64>,
    /// Of this program and its library.
    pub(crate) version: &'static str,
    /// What keeps the data, with its version.
    pub(crate) server: String,
    /// The processor.
    pub(crate) cpu: Option<String>,
    /// How busy the machine was before: with more than it has processors, figures are worth little.
    pub(crate) load: f64,
}

impl Figures {
    /// Makes them of what a scenario came to, while those that worked are still there.
    ///
    /// # Errors
    /// When the server or a worker process is gone.
    pub(crate) fn of(store: &str, load: f64, stage: &Stage<'_>, mut outcome: Outcome) -> Result<Self, AnyError> {
        let (plan, costs) = (stage.plan, outcome.costs);
        outcome.latencies.sort_unstable();
        let idle = plan.scenario == Scenario::Idle;
        let wall_s = costs.wall.as_secs_f64();
        let each = Each(if idle { wall_s } else { number(plan.workflows) });
        let latency =
            |percent| (!outcome.latencies.is_empty()).then(|| milliseconds(percentile(&outcome.latencies, percent)));
        let lateness =
            |of: fn(&crate::scenarios::Lateness) -> Duration| outcome.lateness.as_ref().map(of).map(milliseconds);
        let server = |of: fn(&Look) -> u64| each.of_server(&costs, of);
        let writes = costs.server.filter(|_| plan.scenario != Scenario::Naive);
        Ok(Self {
            scenario: plan.scenario,
            store: store.to_owned(),
            durability: stage.place.durability()?,
            start: plan.start,
            workflows: plan.workflows,
            in_flight: plan.in_flight,
            threads: plan.threads,
            results: plan.results,
            processes: plan.processes,
            per: if idle { "second" } else { "workflow" },
            wall_s,
            per_s: (!idle).then(|| number(plan.workflows) / wall_s),
            p50_ms: latency(50),
            p99_ms: latency(99),
            store_cpu_us: costs.server.map(|(before, after)| each.micros(after.cpu.saturating_sub(before.cpu))),
            worker_cpu_us: each.micros(costs.own + costs.crew.unwrap_or_default()),
            client_cpu_us: costs.crew.map(|_| each.micros(costs.own)),
            commands: server(|look| look.commands),
            scripts: server(|look| look.scripts),
            writes_per_script: writes.map(|(before, after)| {
                difference(before.writes, after.writes) / difference(before.scripts, after.scripts).max(1.0)
            }),
            bytes_in: server(|look| look.received),
            bytes_out: server(|look| look.sent),
            store_bytes: outcome
                .store_bytes
                .filter(|_| plan.workflows > 0)
                .map(|all| signed(all) / number(plan.workflows)),
            rss_mb: stage.most_memory_mb()?,
            steps: matches!(plan.scenario, Scenario::Fanout | Scenario::Long | Scenario::Replay).then_some(plan.steps),
            bytes: (plan.scenario == Scenario::Payload).then_some(plan.bytes),
            waiting: plan.waiting,
            lateness_p50_ms: lateness(|lateness| lateness.p50),
            lateness_p99_ms: lateness(|lateness| lateness.p99),
            lateness_max_ms: lateness(|lateness| lateness.most),
            disorder_max_ms: lateness(|lateness| lateness.disorder),
            records_per_s: outcome.records.map(|records| number(records) / wall_s),
            version: env!("CARGO_PKG_VERSION"),
            server: stage.server()?,
            cpu: process::processor(),
            load,
        })
    }
}

/// What totals are divided by.
#[derive(Debug, Clone, Copy)]
struct Each(f64);

impl Each {
    fn part(self, total: f64) -> f64 {
        total / self.0
    }

    fn micros(self, total: Duration) -> f64 {
        self.part(total.as_secs_f64() * 1e6)
    }

    fn of_server(self, costs: &Costs, of: fn(&Look) -> u64) -> Option<f64> {
        costs.server.map(|(before, after)| self.part(difference(of(&before), of(&after))))
    }
}

/// The value below which so many percent lie.
pub(crate) fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[expect(clippy::cast_precision_loss, reason = "counts of one run are far below where a float is no longer exact")]
fn number(count: usize) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "as above")]
fn signed(count: i64) -> f64 {
    count as f64
}

fn difference(before: u64, after: u64) -> f64 {
    signed(after.cast_signed() - before.cast_signed())
}
