//! A store, engines on it, and a few workflows whose bodies are in the hands of the test.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, mpsc, oneshot};

use super::faults::Faulty;
use crate::authoring::child::child;
use crate::authoring::durable::Durable;
use crate::authoring::join::join;
use crate::authoring::part::part;
use crate::authoring::sleep::sleep;
use crate::authoring::step::{StepContext, step_with_context};
use crate::authoring::wait::wait_for_type;
use crate::definition::{
    Definition, EncodedInputs, Ended, InputError, Registration, ResourceKey, Resources, RunFuture, Start,
};
use crate::engine::{Config, Core, Host, Mode, VerifyReplay};
use crate::journal::command::{
    Action, Command, Control, ControlReply, Create, CreateReply, Ending, InstanceSpec, Reply, Send, SendReply,
};
use crate::journal::head::{End, Head, Place, State};
use crate::journal::message::{Channel, NewMessage};
use crate::store::model::ModelStore;
use crate::words::failure::{FailureData, FailureKind};
use crate::words::id::{InstanceId, Namespace, QueueName, RequestId, WorkflowName, random_u128};
use crate::words::location::Location;
use crate::words::payload::Payload;

/// The lease of tests in which a worker is lost.
pub(super) const SHORT_LEASE: Duration = Duration::from_millis(300);
/// The lease of all others: nothing may be waiting for it to run out.
pub(super) const LONG_LEASE: Duration = Duration::from_secs(600);
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(20);
const AT: Location = Location::new("stage.rs", 1, 1);

/// A step body that runs and waits for the test.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) step: &'static str,
    pub(super) instance: String,
    end: oneshot::Sender<u32>,
}

impl Body {
    /// Ends it with this value.
    pub(super) fn end(self, value: u32) {
        self.end.send(value).expect("the body waits");
    }

    /// Waits until it is dropped by its engine.
    pub(super) async fn dropped(mut self) {
        soon(self.end.closed()).await;
    }

    pub(super) fn is_dropped(&self) -> bool {
        self.end.is_closed()
    }
}

/// The resource through which bodies reach the test.
#[derive(Debug)]
pub(super) struct Bodies(mpsc::UnboundedSender<Body>);

impl Bodies {
    async fn run(&self, step: &'static str, cx: StepContext) -> Result<u32, String> {
        let (end, ended) = oneshot::channel();
        let body = Body { step, instance: cx.instance_id().to_owned(), end };
        // Where the test is over, the body just never ends.
        let _ = self.0.send(body);
        ended.await.map_err(|_| "the test let go of it".to_owned())
    }
}

/// The store and everything that happens on it.
pub(super) struct Stage {
    pub(super) store: ModelStore,
    started: mpsc::UnboundedSender<Body>,
    bodies: Mutex<mpsc::UnboundedReceiver<Body>>,
    /// The resource through which workflows that cheat remember what they should not.
    pub(super) memory: Arc<Memory>,
}

/// What workflow code remembers from one pass to the next.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// How often the code of any such workflow was begun.
    pub(super) passes: AtomicU32,
    /// From here on they behave.
    pub(super) corrected: AtomicBool,
}

impl Memory {
    /// Which pass this is, from 0; 0 for ever once they behave.
    fn pass(&self) -> u32 {
        let pass = self.passes.fetch_add(1, Ordering::SeqCst);
        if self.corrected.load(Ordering::SeqCst) { 0 } else { pass }
    }
}

/// An engine and its way to the store.
pub(super) struct Engine {
    pub(super) core: Arc<Core>,
    pub(super) way: Arc<Faulty>,
}

/// What waits at most as long as anything may take.
pub(super) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it happens in time")
}

/// Waits until something holds that nobody tells of.
pub(super) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let asking = async {
        let mut look = tokio::time::interval(Duration::from_millis(2));
        while !holds() {
            look.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("in time: {what}"));
}

pub(super) fn id(text: &str) -> InstanceId {
    InstanceId::new(text).expect("valid")
}

impl Stage {
    pub(super) fn new() -> Self {
        Self::on(ModelStore::default())
    }

    /// On a store that is there.
    pub(super) fn on(store: ModelStore) -> Self {
        let (started, bodies) = mpsc::unbounded_channel();
        Self { store, started, bodies: Mutex::new(bodies), memory: Arc::default() }
    }

    /// An engine that serves every workflow below.
    pub(super) async fn engine(&self, mode: Mode, lease: Duration) -> Engine {
        self.engine_of(mode, lease, WORKFLOWS.to_vec()).await
    }

    /// An engine that does everything, and has its session.
    pub(super) async fn worker(&self) -> Engine {
        let engine = self.engine(Mode::All, LONG_LEASE).await;
        engine.ready().await;
        engine
    }

    pub(super) async fn engine_of(&self, mode: Mode, lease: Duration, workflows: Vec<&'static Registration>) -> Engine {
        self.engine_verifying(VerifyReplay::default(), mode, lease, workflows).await
    }

    /// An engine that compares these runs with their replays.
    pub(super) async fn engine_verifying(
        &self,
        verify_replay: VerifyReplay,
        mode: Mode,
        lease: Duration,
        workflows: Vec<&'static Registration>,
    ) -> Engine {
        self.engine_with(mode, lease, workflows, |config| config.verify_replay = verify_replay).await
    }

    /// An engine that is not quite like the others.
    pub(super) async fn engine_with(
        &self,
        mode: Mode,
        lease: Duration,
        workflows: Vec<&'static Registration>,
        change: impl FnOnce(&mut Config),
    ) -> Engine {
        let way = Arc::new(Faulty::new(&self.store));
        let mut resources = Resources::default();
        resources.insert(Bodies(self.started.clone()));
        resources.insert(self.memory.clone());
        let mut config = Config {
            store: way.clone(),
            mode,
            namespace: Namespace::new("test").expect("valid"),
            concurrency: 16,
            queues: vec![QueueName::new("default").expect("valid")],
            weights: Vec::new(),
            limits: Vec::new(),
            lease,
            resources,
            workflows,
            sticky: 16,
            verify_replay: VerifyReplay::default(),
            holds_results: true,
            host: Host::here(),
        };
        change(&mut config);
        Engine { core: Core::start(config).await.expect("it starts"), way }
    }

    /// The next body that starts, wherever.
    pub(super) async fn body(&self) -> Body {
        soon(async { self.bodies.lock().await.recv().await.expect("the stage sends") }).await
    }

    /// That no body has started that was not taken.
    pub(super) async fn no_body(&self) {
        assert!(self.bodies.lock().await.try_recv().is_err(), "a body started");
    }

    pub(super) fn head(&self, instance: &str) -> Option<Head> {
        self.store.dump().instances.get(&id(instance)).map(|instance| instance.head.clone())
    }

    pub(super) async fn until(&self, instance: &str, what: &str, holds: impl Fn(&Head) -> bool) -> Head {
        eventually(&format!("{instance} {what}"), || self.head(instance).is_some_and(|head| holds(&head))).await;
        self.head(instance).expect("it was there")
    }

    pub(super) async fn until_state(&self, instance: &str, state: State) -> Head {
        self.until(instance, &format!("is {state:?}"), |head| head.state() == state).await
    }

    /// Carries a command out and tells nobody, also not the owner of what it is about.
    pub(super) fn unheard(&self, command: &Command) -> Reply {
        let store = ModelStore::default();
        store.restore(self.store.dump());
        let reply = store.apply(command);
        let mut data = store.dump();
        for instance in data.instances.values_mut() {
            if let Place::Held { notice, .. } = &mut instance.head.place {
                *notice = false;
            }
        }
        self.store.restore(data);
        reply
    }

    /// What a run returned.
    pub(super) async fn output(&self, instance: &str) -> u32 {
        let head = self.until_state(instance, State::Complete).await;
        let Place::Done { end: End::Returned(Ending { result: Ok(output) }), .. } = head.place else {
            panic!("it is complete");
        };
        output.decode().expect("a number")
    }

    /// What a run failed with.
    pub(super) async fn failure(&self, instance: &str) -> FailureData {
        let head = self.until_state(instance, State::Errored).await;
        let Place::Done { end: End::Returned(Ending { result: Err(failure) }), .. } = head.place else {
            panic!("it is errored");
        };
        failure
    }

    /// Puts an instance into the ready list, past every engine.
    pub(super) fn put(&self, workflow: &str, instance: &str) {
        let reply = self.store.apply(&Command::Create(create(workflow, instance)));
        assert_eq!(reply, Reply::Create(CreateReply::Created { claimed: None }));
    }
}

impl Engine {
    pub(super) async fn create(&self, workflow: &str, instance: &str) {
        let reply = soon(self.core.create(create(workflow, instance))).await.expect("the store answers");
        assert_eq!(reply, CreateReply::Created { claimed: None });
    }

    pub(super) async fn send(&self, instance: &str, value: u32) {
        let reply = soon(self.core.commands().send(send(instance, value))).await.expect("the store answers");
        assert_eq!(reply, Reply::Send(SendReply::Accepted));
    }

    pub(super) async fn control(&self, instance: &str, action: Action) -> ControlReply {
        match soon(self.core.commands().send(control(instance, action))).await.expect("the store answers") {
            Reply::Control(reply) => reply,
            other => panic!("{other:?}"),
        }
    }

    /// Waits for its session: before it, it takes nothing.
    pub(super) async fn ready(&self) {
        eventually("a session", || self.session_age().is_some()).await;
    }

    pub(super) fn session_age(&self) -> Option<Duration> {
        self.core.health().worker.and_then(|worker| worker.session_age)
    }

    pub(super) fn lost_sessions(&self) -> u64 {
        self.core.health().worker.map_or(0, |worker| worker.lost_sessions)
    }

    pub(super) fn driving(&self) -> usize {
        self.core.health().worker.map_or(0, |worker| worker.driving)
    }

    pub(super) fn journals_read(&self) -> usize {
        self.way.journals_read.load(Ordering::SeqCst)
    }

    /// As a crash: no write is made any more, and nobody is told.
    pub(super) fn crash(self) {
        self.way.isolate();
        drop(self.core);
    }
}

pub(super) fn create(workflow: &str, instance: &str) -> Create {
    let spec = InstanceSpec {
        workflow: WorkflowName::new(workflow).expect("valid"),
        version: 1,
        queue: QueueName::new("default").expect("valid"),
        priority: 0,
        input: Payload::encode(&serde_json::json!({})).expect("encodes"),
        seed: random_u128(),
        start_at: None,
        keep_complete: Duration::from_secs(3_600),
        keep_failed: Duration::from_secs(3_600),
        parent: None,
    };
    Create { request: RequestId::generate(), id: id(instance), spec: Arc::new(spec), local: None, message: None }
}

pub(super) fn send(instance: &str, value: u32) -> Command {
    let message = NewMessage {
        channel: Channel::event("number", ""),
        event_id: format!("{:x}", random_u128()).into(),
        payload: Payload::encode(&value).expect("encodes"),
    };
    Command::Send(Send { id: id(instance), run: None, message })
}

pub(super) fn control(instance: &str, action: Action) -> Command {
    Command::Control(Control { request: RequestId::generate(), id: id(instance), run: None, action })
}

/// Every workflow of the stage.
pub(super) const WORKFLOWS: [&Registration; 8] = [&ONE, &TWO, &PAIR, &BRANCHES, &WAITS, &SLEEPS, &PARENT, &FAMILY];

/// One step.
pub(super) static ONE: Registration = workflow("one", |start| {
    let (bodies, cx) = (start.resources.get::<Bodies>()?, start.cx);
    Ok(Box::pin(async move { ended(step_with_context("a", AT, |at| bodies.run("a", at)).run(cx).await) }))
});

/// Two steps, one after the other.
pub(super) static TWO: Registration = workflow("two", |start| {
    let (bodies, cx) = (start.resources.get::<Bodies>()?, start.cx);
    Ok(Box::pin(async move {
        let first = step_with_context("a", AT, |at| bodies.run("a", at)).run(cx.clone()).await;
        let second = step_with_context("b", AT, |at| bodies.run("b", at)).run(cx).await;
        ended(first.and_then(|first| second.map(|second| first + second)))
    }))
});

/// A step beside a wait.
pub(super) static PAIR: Registration = workflow("pair", |start| {
    let (bodies, cx) = (start.resources.get::<Bodies>()?, start.cx);
    Ok(Box::pin(async move {
        let body = step_with_context("a", AT, |at| bodies.run("a", at));
        let (value, event) = join((body, wait_for_type::<u32>("number", "number"))).run(cx).await;
        ended(value.map(|value| value + event))
    }))
});

/// A step beside two that follow each other.
pub(super) static BRANCHES: Registration = workflow("branches", |start| {
    let (bodies, cx) = (start.resources.get::<Bodies>()?, start.cx);
    Ok(Box::pin(async move {
        let one = step_with_context("a", AT, |at| bodies.run("a", at));
        let two = part("two", AT, async |cx| {
            let first = step_with_context("b", AT, |at| bodies.run("b", at)).run(cx.clone()).await;
            let second = step_with_context("c", AT, |at| bodies.run("c", at)).run(cx).await;
            first.and_then(|first| second.map(|second| first + second))
        });
        let (one, two) = join((one, two)).run(cx).await;
        ended(one.and_then(|one| two.map(|two| one + two)))
    }))
});

/// Two waits, one after the other.
pub(super) static WAITS: Registration = workflow("waits", |start| {
    let cx = start.cx;
    Ok(Box::pin(async move {
        let first = wait_for_type::<u32>("first", "number").run(cx.clone()).await;
        let second = wait_for_type::<u32>("second", "number").run(cx).await;
        ended(Ok::<_, String>(first * 10 + second))
    }))
});

/// A sleep.
pub(super) static SLEEPS: Registration = workflow("sleeps", |start| {
    let cx = start.cx;
    Ok(Box::pin(async move {
        sleep(Duration::from_millis(150)).run(cx).await;
        ended(Ok::<_, String>(1))
    }))
});

/// A step beside a sleep of a day.
pub(super) static NAPS: Registration = workflow("naps", |start| {
    let (bodies, cx) = (start.resources.get::<Bodies>()?, start.cx);
    Ok(Box::pin(async move {
        let nap = sleep(Duration::from_secs(24 * 60 * 60));
        let ((), value) = join((nap, step_with_context("a", AT, |at| bodies.run("a", at)))).run(cx).await;
        ended(value)
    }))
});

/// A child of one step.
pub(super) static PARENT: Registration = workflow("parent", |start| {
    let cx = start.cx;
    Ok(Box::pin(async move { ended(child::<One>(EncodedInputs::new()).run(cx).await) }))
});

/// A child of one step, and then a wait.
pub(super) static FAMILY: Registration = workflow("family", |start| {
    let cx = start.cx;
    Ok(Box::pin(async move {
        let value = child::<One>(EncodedInputs::new()).run(cx.clone()).await;
        let event = wait_for_type::<u32>("number", "number").run(cx).await;
        ended(value.map(|value| value + event))
    }))
});

/// One step, whose name depends on how often the code was begun.
pub(super) static FLIPS: Registration = workflow("flips", |start| {
    let (bodies, memory, cx) = (start.resources.get::<Bodies>()?, start.resources.get::<Memory>()?, start.cx);
    Ok(Box::pin(async move {
        let name = if memory.pass().is_multiple_of(2) { "a" } else { "b" };
        ended(step_with_context(name, AT, |at| bodies.run(name, at)).run(cx).await)
    }))
});

/// Two steps; the output says how often the code was begun, from the third time on.
pub(super) static COUNTS: Registration = workflow("counts", |start| {
    let (bodies, memory, cx) = (start.resources.get::<Bodies>()?, start.resources.get::<Memory>()?, start.cx);
    Ok(Box::pin(async move {
        let pass = memory.pass();
        let first = step_with_context("a", AT, |at| bodies.run("a", at)).run(cx.clone()).await;
        let second = step_with_context("b", AT, |at| bodies.run("b", at)).run(cx).await;
        let told = if pass < 2 { 0 } else { pass };
        ended(first.and_then(|first| second.map(|second| first + second + told)))
    }))
});

/// [`ONE`] as a child.
struct One;

impl Definition for One {
    const NAME: &'static str = "one";
    const VERSION: u32 = 1;
    const QUEUE: &'static str = "default";
    const GRAPH: &'static str = "";
    type Output = u32;
    type Error = String;

    fn registration() -> &'static Registration {
        &ONE
    }
}

const fn workflow(name: &'static str, start: fn(Start) -> Result<RunFuture, InputError>) -> Registration {
    Registration {
        name,
        version: 1,
        queue: "default",
        graph: "",
        at: AT,
        resources: || vec![ResourceKey::of::<Bodies>()],
        start,
    }
}

fn ended<E: ToString>(result: Result<u32, E>) -> Ended {
    let result = match result {
        Ok(value) => Ok(Payload::encode(&value).expect("encodes")),
        Err(error) => Err(FailureData::new(FailureKind::Failed, "", error.to_string())),
    };
    Ended(Ending { result })
}
