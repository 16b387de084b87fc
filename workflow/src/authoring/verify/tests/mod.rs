//! Workflows that cheat, and workflows that do not, run to their end in memory and compared with their replays.

mod cheats;
mod forks;
mod groups;
mod honest;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;

use super::{Code, Difference};
use crate::authoring::context::Ctx;
use crate::authoring::durable::{BoxFuture, Durable};
use crate::authoring::step::{Step, step_with_context as step};
use crate::authoring::task::{Action, RunTask};
use crate::definition::{Ended, Registration, ResourceKey, Resources};
use crate::journal::command::{Ending, Granted, InstanceSpec, Then};
use crate::journal::divergence::Traces;
use crate::journal::machine::{Compared, Lived, RunInfo, RunStart};
use crate::journal::record::Record;
use crate::words::failure::{FailureData, FailureKind};
use crate::words::id::{InstanceId, Namespace, QueueName, WorkflowName};
use crate::words::location::Location;
use crate::words::payload::Payload;
use crate::words::time::{Clock, ManualClock, Timestamp};

const AT: Location = Location::new("cheat.rs", 1, 1);
const BEGINNING: Timestamp = Timestamp::from_millis(1_000);

type Outcome = Result<Value, String>;

/// The code of a workflow.
type Workflow = fn(Play) -> BoxFuture<'static, Outcome>;

/// What a workflow is given: its context, and what it should not look at.
#[derive(Clone)]
struct Play {
    cx: Ctx,
    /// How often the code was begun before: 0 for the run, 1 for the first replay of it.
    turn: u32,
    bodies: Arc<AtomicU32>,
}

impl Play {
    /// Whether this is the run, and not a replay of it.
    const fn is_run(&self) -> bool {
        self.turn == 0
    }

    fn within(&self, cx: Ctx) -> Self {
        Self { cx, ..self.clone() }
    }

    /// A step that gives 1.
    fn step(&self, name: &'static str) -> impl Durable<Output = u32> + use<> {
        Unfailing(Worded(self.one(name)))
    }

    fn keyed(&self, name: &'static str, key: &str) -> impl Durable<Output = Result<u32, String>> + use<> {
        Worded(self.one(name).key(key))
    }

    fn one(&self, name: &'static str) -> Step<'static, u32, String> {
        let bodies = self.bodies.clone();
        step(name, AT, move |_| {
            bodies.fetch_add(1, Ordering::SeqCst);
            async { Ok(1) }
        })
    }

    async fn go<D: Durable>(&self, operation: D) -> D::Output {
        operation.run(self.cx.clone()).await
    }
}

/// A step whose body never ends.
fn never(name: &'static str) -> impl Durable<Output = Result<u32, String>> {
    Worded(step(name, AT, |_| std::future::pending::<Result<u32, String>>()))
}

/// An operation whose error is told in words.
struct Worded<D>(D);

impl<T: Send, E: ToString + Send, D: Durable<Output = Result<T, E>> + Send> Durable for Worded<D> {
    type Output = Result<T, String>;

    async fn run(self, cx: Ctx) -> Self::Output {
        self.0.run(cx).await.map_err(|error| error.to_string())
    }
}

/// An operation that does not fail here.
struct Unfailing<D>(D);

impl<T: Send, D: Durable<Output = Result<T, String>> + Send> Durable for Unfailing<D> {
    type Output = T;

    async fn run(self, cx: Ctx) -> T {
        self.0.run(cx).await.expect("the body gives a value")
    }
}

/// The resource through which the one registration below comes to its code.
struct Script {
    workflow: Workflow,
    turns: AtomicU32,
    bodies: Arc<AtomicU32>,
}

static SCRIPTED: Registration = Registration {
    name: "scripted",
    version: 1,
    queue: "default",
    graph: "",
    at: AT,
    resources: || vec![ResourceKey::of::<Script>()],
    start: |start| {
        let script = start.resources.get::<Script>()?;
        let turn = script.turns.fetch_add(1, Ordering::SeqCst);
        let play = Play { cx: start.cx, turn, bodies: script.bodies.clone() };
        Ok(Box::pin(async move {
            let result = match (script.workflow)(play).await {
                Ok(value) => Ok(Payload::encode(&value).expect("encodes")),
                Err(error) => Err(FailureData::new(FailureKind::Failed, "shop::Error", error)),
            };
            Ended(Ending { result })
        }))
    },
};

/// One workflow, and how often it and its bodies ran.
struct Stage {
    code: Code,
    script: Arc<Script>,
}

impl Stage {
    fn new(workflow: Workflow) -> Self {
        let script = Arc::new(Script { workflow, turns: AtomicU32::new(0), bodies: Arc::default() });
        let mut resources = Resources::default();
        resources.insert(script.clone());
        Self { code: Code { registration: &SCRIPTED, resources }, script }
    }

    /// Runs it to its end, from these records on.
    fn run(&self, records: Vec<Record>) -> Option<Lived> {
        let clock = Arc::new(ManualClock::starting_at(records.last().map_or(BEGINNING, |record| record.time)));
        let mut task = self.task(records, &clock);
        loop {
            match task.advance() {
                Action::Write(write) => match write.then {
                    Then::Finish(_) => return task.lived(),
                    Then::Park(reason) => panic!("the run itself is parked: {reason:?}"),
                    Then::Suspend { waits, .. } => {
                        clock.advance_to(waits.iter().filter_map(|wait| wait.due).min().expect("a timer runs"));
                        task.reclaimed(0, granted(&clock));
                    }
                    _ => task.granted(granted(&clock)),
                },
                Action::Idle { until: Some(until) } => clock.advance_to(until),
                Action::Idle { until: None } => panic!("a body that never ends is all there is"),
            }
        }
    }

    fn task(&self, records: Vec<Record>, clock: &Arc<ManualClock>) -> RunTask {
        let start = RunStart {
            info: info(7),
            shift_ms: 0,
            journal_bytes: 0,
            granted: granted(clock),
            short_delay: Duration::from_secs(1),
            holds_results: true,
            compared: Compared::Run,
        };
        RunTask::new(start, records, &SCRIPTED, self.code.resources.clone(), None, clock.clone())
    }

    fn bodies(&self) -> u32 {
        self.script.bodies.load(Ordering::SeqCst)
    }
}

fn info(seed: u128) -> RunInfo {
    let spec = InstanceSpec {
        workflow: WorkflowName::new(SCRIPTED.name).expect("valid"),
        version: 1,
        queue: QueueName::new("default").expect("valid"),
        priority: 0,
        input: Payload::from_bytes(*b"{}"),
        seed,
        start_at: None,
        keep_complete: Duration::ZERO,
        keep_failed: Duration::ZERO,
        parent: None,
    };
    RunInfo {
        namespace: Namespace::new("test").expect("valid"),
        id: InstanceId::new("i").expect("valid"),
        run: 1,
        streams: 1,
        spec: Arc::new(spec),
        created_at: BEGINNING,
        started_at: BEGINNING,
    }
}

fn granted(clock: &ManualClock) -> Granted {
    Granted { v: 1, now: clock.now(), pause: false, messages: Vec::new() }
}

/// Runs a workflow and compares it with its replay; no body may run in that.
fn compare(workflow: Workflow) -> Option<Difference> {
    let stage = Stage::new(workflow);
    let lived = stage.run(Vec::new()).expect("the run is kept");
    let bodies = stage.bodies();
    let difference = stage.code.differs(&lived);
    assert_eq!(stage.bodies(), bodies, "a body ran in a replay");
    difference
}

/// How a workflow that cheats is found out: the message, and both traces.
fn caught(workflow: Workflow) -> (String, Traces) {
    let divergence = compare(workflow).expect("it is found out").divergence;
    (divergence.message, divergence.traces.expect("both traces are shown"))
}

/// The line that is marked as the first difference.
fn marked(lines: &[String]) -> &str {
    let mut marked = lines.iter().filter_map(|line| line.strip_prefix("> "));
    let first = marked.next().expect("a line is marked");
    assert_eq!(marked.next(), None, "one line is marked: {lines:?}");
    first
}
