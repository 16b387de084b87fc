//! What an engine counts and measures, for whoever collects metrics: the only file that names a metric.
//!
//! Each function is called where the thing happens. Without the cargo feature `metrics` all of them are empty. With it they
//! go to the recorder of the `metrics` crate that the program has installed; where there is none they do little. Labels
//! are bounded by the program's own text: workflows, steps, queues, words; never an id, a key or a value. The table of
//! `docs/OBSERVING.md` is about these, and a test holds the two together.

use std::time::Duration;

use crate::authoring::observed::Measured;
use crate::journal::command::{
    Action, Claimed, Command, ControlReply, CreateReply, OwnReply, PauseReason, Reply, SendReply,
};
use crate::journal::head::State;
use crate::store::{Overview, Shelf, StoreError};
use crate::words::failure::FailureKind;
use crate::words::id::{QueueName, WorkflowName};
use crate::words::time::Timestamp;

/// Whether anything is measured.
pub(super) const ON: bool = cfg!(feature = "metrics");

/// A label and its value.
type Label<'a> = (&'static str, &'a str);

#[cfg(feature = "metrics")]
fn labels(labels: &[Label<'_>]) -> Vec<metrics::Label> {
    labels.iter().map(|(name, value)| metrics::Label::new(*name, (*value).to_owned())).collect()
}

/// Raises a counter.
#[inline]
fn count(name: &'static str, by: u64, of: &[Label<'_>]) {
    #[cfg(feature = "metrics")]
    metrics::counter!(name, labels(of)).increment(by);
    let _ = (name, by, of);
}

/// Adds a value to a histogram.
#[inline]
fn observe(name: &'static str, value: f64, of: &[Label<'_>]) {
    #[cfg(feature = "metrics")]
    metrics::histogram!(name, labels(of)).record(value);
    let _ = (name, value, of);
}

/// Sets a gauge.
#[inline]
fn set(name: &'static str, value: f64, of: &[Label<'_>]) {
    #[cfg(feature = "metrics")]
    metrics::gauge!(name, labels(of)).set(value);
    let _ = (name, value, of);
}

/// Moves a gauge, so that several engines of a process add up.
#[inline]
fn shift(name: &'static str, more: usize, fewer: usize) {
    #[cfg(feature = "metrics")]
    if more != fewer {
        metrics::gauge!(name).increment(float(more as u64) - float(fewer as u64));
    }
    let _ = (name, more, fewer);
}

#[expect(clippy::cast_precision_loss, reason = "a metric is a float, and exact to 2^53")]
const fn float(number: u64) -> f64 {
    number as f64
}

/// Tells the recorder what there is, for those who read it there.
pub(super) fn describe() {
    #[cfg(feature = "metrics")]
    described();
}

#[cfg(feature = "metrics")]
fn described() {
    use metrics::Unit;

    metrics::describe_counter!("workflow_instances_created_total", Unit::Count, "Instances created by this process.");
    metrics::describe_counter!(
        "workflow_instances_claimed_total",
        Unit::Count,
        "Instances that came to be driven here."
    );
    metrics::describe_counter!("workflow_instances_finished_total", Unit::Count, "Runs that ended here.");
    metrics::describe_histogram!(
        "workflow_run_duration_seconds",
        Unit::Seconds,
        "From the start of a run to its end, waits included."
    );
    metrics::describe_counter!(
        "workflow_controls_total",
        Unit::Count,
        "Pauses, resumes, terminations and restarts asked for by this process."
    );
    metrics::describe_counter!("workflow_events_sent_total", Unit::Count, "Events sent by this process.");
    metrics::describe_counter!("workflow_steps_total", Unit::Count, "Steps that ended for good here.");
    metrics::describe_histogram!("workflow_attempt_duration_seconds", Unit::Seconds, "One run of a step body.");
    metrics::describe_counter!("workflow_attempts_failed_total", Unit::Count, "Attempts of steps that failed here.");
    metrics::describe_histogram!(
        "workflow_timer_lateness_seconds",
        Unit::Seconds,
        "From when a timer was due to when its workflow was told."
    );
    metrics::describe_counter!("workflow_replays_total", Unit::Count, "Runs replayed from their journal here.");
    metrics::describe_counter!(
        "workflow_replayed_records_total",
        Unit::Count,
        "Records of the runs that were replayed here."
    );
    metrics::describe_counter!("workflow_parks_total", Unit::Count, "Runs parked here.");
    metrics::describe_gauge!("workflow_instances", Unit::Count, "Instances in the store.");
    metrics::describe_gauge!(
        "workflow_instances_shelved",
        Unit::Count,
        "Instances that wait because no worker knows their workflow."
    );
    metrics::describe_gauge!("workflow_instances_driving", Unit::Count, "Instances that are being driven.");
    metrics::describe_gauge!(
        "workflow_instances_in_memory",
        Unit::Count,
        "Suspended instances that are kept in memory."
    );
    metrics::describe_gauge!("workflow_slots", Unit::Count, "How many instances can be driven at once.");
    metrics::describe_gauge!("workflow_queue_ready", Unit::Count, "Instances that are ready and not claimed.");
    metrics::describe_gauge!(
        "workflow_queue_oldest_ready_seconds",
        Unit::Seconds,
        "How long the instance that is claimed next has been ready."
    );
    metrics::describe_counter!(
        "workflow_sessions_lost_total",
        Unit::Count,
        "Sessions of this worker that were fenced."
    );
    metrics::describe_counter!("workflow_writes_refused_total", Unit::Count, "Writes of owners that changed nothing.");
    metrics::describe_histogram!("workflow_batch_commands", Unit::Count, "Commands sent to the store at once.");
    metrics::describe_histogram!("workflow_store_call_duration_seconds", Unit::Seconds, "Calls of the store.");
    metrics::describe_counter!("workflow_store_errors_total", Unit::Count, "Calls of the store that gave an error.");
    metrics::describe_counter!(
        "workflow_store_resends_total",
        Unit::Count,
        "Batches sent again, as their outcome was not known."
    );
    metrics::describe_counter!(
        "workflow_store_lost_calls_total",
        Unit::Count,
        "Calls that the store had acknowledged and lost, at least."
    );
    metrics::describe_counter!(
        "workflow_loop_restarts_total",
        Unit::Count,
        "Background loops that failed and were started again."
    );
}

/// A command was answered, whatever sent it.
pub(super) fn answered(command: &Command, reply: &Reply) {
    match (command, reply) {
        (Command::Create(create), Reply::Create(CreateReply::Created { .. })) => {
            count("workflow_instances_created_total", 1, &[("workflow", create.spec.workflow.as_str())]);
        }
        (Command::Send(send), Reply::Send(reply)) if send.message.channel.as_event().is_some() => {
            let outcome = match reply {
                SendReply::Accepted => "accepted",
                SendReply::Unknown => "unknown",
                SendReply::Finished => "finished",
                SendReply::Full => "full",
            };
            count("workflow_events_sent_total", 1, &[("outcome", outcome)]);
        }
        (Command::Control(control), Reply::Control(reply)) => {
            let outcome = match reply {
                ControlReply::Done(_) => "done",
                ControlReply::Unknown => "unknown",
                ControlReply::Refused(_) => "refused",
            };
            count("workflow_controls_total", 1, &[("action", word_of(&control.action)), ("outcome", outcome)]);
        }
        (Command::Own(_), Reply::Own(reply)) => {
            if let Some(reason) = refusal(reply) {
                count("workflow_writes_refused_total", 1, &[("reason", reason)]);
            }
        }
        _ => {}
    }
}

const fn word_of(action: &Action) -> &'static str {
    match action {
        Action::Pause => "pause",
        Action::Resume => "resume",
        Action::Terminate { .. } => "terminate",
        Action::Restart => "restart",
        Action::RestartFrom { .. } => "restart from",
        Action::Delete => "delete",
    }
}

/// Why an owner's write changed nothing.
const fn refusal(reply: &OwnReply) -> Option<&'static str> {
    match reply {
        OwnReply::Ok(_) | OwnReply::Continue(_) => None,
        OwnReply::Fenced => Some("fenced"),
        OwnReply::Stale => Some("stale"),
        OwnReply::Behind => Some("behind"),
        OwnReply::Gone => Some("gone"),
        OwnReply::Full => Some("full"),
    }
}

/// A batch of commands is sent.
pub(super) fn batch(commands: usize) {
    observe("workflow_batch_commands", float(commands as u64), &[]);
}

/// A batch is sent again, as its outcome is not known.
pub(super) fn resent() {
    count("workflow_store_resends_total", 1, &[]);
}

/// The store was found to have lost so many calls more that it had acknowledged.
pub(super) fn lost(calls: u64) {
    if calls > 0 {
        count("workflow_store_lost_calls_total", calls, &[]);
    }
}

/// The store answered a call, or did not.
pub(super) fn called<T>(call: &'static str, took: Duration, outcome: &Result<T, StoreError>) {
    observe("workflow_store_call_duration_seconds", took.as_secs_f64(), &[("call", call)]);
    if outcome.is_err() {
        count("workflow_store_errors_total", 1, &[("call", call)]);
    }
}

/// Where an instance came from that is to be driven.
#[derive(Debug, Clone, Copy)]
pub(super) enum Origin {
    /// The ready list, or this session's inbox.
    Claim,
    /// Its create, which handed it over.
    Create,
}

/// An instance came to be driven here.
pub(super) fn given(claimed: &Claimed, from: Origin) {
    let from = match from {
        Origin::Claim => "claim",
        Origin::Create => "create",
    };
    count("workflow_instances_claimed_total", 1, &[("workflow", claimed.spec.workflow.as_str()), ("from", from)]);
}

/// Drives began, or ended.
pub(super) fn driving(more: usize, fewer: usize) {
    shift("workflow_instances_driving", more, fewer);
}

/// Slots came, or went.
pub(super) fn slots(more: usize, fewer: usize) {
    shift("workflow_slots", more, fewer);
}

/// Suspended runs came into memory, or went.
pub(super) fn in_memory(more: usize, fewer: usize) {
    shift("workflow_instances_in_memory", more, fewer);
}

/// A run is replayed from its journal.
pub(super) fn replays(workflow: &WorkflowName, records: usize) {
    if records > 0 {
        count("workflow_replays_total", 1, &[("workflow", workflow.as_str())]);
        count("workflow_replayed_records_total", records as u64, &[("workflow", workflow.as_str())]);
    }
}

/// A run ended.
pub(super) fn finished(workflow: &WorkflowName, complete: bool, began: Timestamp, ended: Timestamp) {
    let labels = [("workflow", workflow.as_str()), ("outcome", if complete { "complete" } else { "errored" })];
    count("workflow_instances_finished_total", 1, &labels);
    observe("workflow_run_duration_seconds", ended.until(began).as_secs_f64(), &labels);
}

/// A run was parked.
pub(super) fn parked(workflow: &WorkflowName, why: &PauseReason) {
    count("workflow_parks_total", 1, &[("workflow", workflow.as_str()), ("reason", reason(why))]);
}

/// Why a run was parked, in a word.
pub(super) fn reason(why: &PauseReason) -> &'static str {
    match why {
        PauseReason::Divergence(divergence) if divergence.traces.is_some() => "replay_differs",
        PauseReason::Divergence(_) => "divergence",
        PauseReason::Panic { .. } => "panic",
        PauseReason::Unreadable { .. } => "unreadable",
        // No worker parks for these: the store pauses.
        PauseReason::Operator => "operator",
        PauseReason::Quarantined { .. } => "quarantined",
    }
}

/// What a run did since it was last asked.
pub(super) fn ran(workflow: &WorkflowName, measured: &[Measured]) {
    for measured in measured {
        match *measured {
            Measured::Attempt { step, took, failure } => {
                let outcome = failure.map_or("ok", FailureKind::word);
                let labels = [("workflow", workflow.as_str()), ("step", step), ("outcome", outcome)];
                observe("workflow_attempt_duration_seconds", took.as_secs_f64(), &labels);
                if failure.is_some() {
                    count("workflow_attempts_failed_total", 1, &labels);
                }
            }
            Measured::Step { step, done } => {
                let outcome = if done { "ok" } else { "failed" };
                let labels = [("workflow", workflow.as_str()), ("step", step), ("outcome", outcome)];
                count("workflow_steps_total", 1, &labels);
            }
            Measured::Timer { late } => {
                let labels = [("workflow", workflow.as_str())];
                observe("workflow_timer_lateness_seconds", late.as_secs_f64(), &labels);
            }
        }
    }
}

/// A session was fenced.
pub(super) fn session_lost() {
    count("workflow_sessions_lost_total", 1, &[]);
}

/// A background loop failed and is started again.
pub(super) fn loop_restarted(name: &str) {
    // Loops of partitions are told apart by a number, which says nothing to a graph.
    let name = name.split(' ').next().unwrap_or_default();
    count("workflow_loop_restarts_total", 1, &[("loop", name)]);
}

/// How many instances are where, as the store says.
pub(super) fn states(overview: &Overview) {
    for state in State::ALL {
        set("workflow_instances", float(overview.of_state(state)), &[("state", state.word())]);
    }
}

/// How many instances no worker knows, of each workflow; those it knew before are at zero.
pub(super) fn shelved(before: &[Shelf], now: &[Shelf]) {
    for Shelf { workflow, .. } in before {
        set("workflow_instances_shelved", 0.0, &[("workflow", workflow.as_str())]);
    }
    for Shelf { workflow, .. } in now {
        let instances = now.iter().filter(|shelf| shelf.workflow == *workflow).map(|shelf| shelf.instances).sum();
        set("workflow_instances_shelved", float(instances), &[("workflow", workflow.as_str())]);
    }
}

/// How much waits in a queue, and since when the first of it does.
pub(super) fn queue(queue: &QueueName, ready: u64, oldest: Duration) {
    set("workflow_queue_ready", float(ready), &[("queue", queue.as_str())]);
    set("workflow_queue_oldest_ready_seconds", oldest.as_secs_f64(), &[("queue", queue.as_str())]);
}
