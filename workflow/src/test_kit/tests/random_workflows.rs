//! Random workflows, driven in random order through random crashes, must always do again what their journals say.
//!
//! A workflow is a random tree of operations, run by an interpreter as real futures of the authoring layer. Bodies end,
//! time passes and events come in random order; workers crash before and after any write. At the end the journal of
//! every instance is replayed, cut at each record: the replay must see what the run saw, in the same order.

use std::collections::{BTreeSet, HashMap};
use std::future::poll_fn;
use std::sync::{Arc, Mutex, Weak};
use std::task::{Poll, Waker};
use std::time::Duration;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::flow;
use crate::__private::{Block, Ctx, Durable, Location, Raced2, group, part, race, step_with_context};
use crate::authoring::durable::BoxFuture;
use crate::authoring::facts::{changed, info, now};
use crate::authoring::join::{join_all, try_join_all};
use crate::authoring::random::random;
use crate::authoring::sleep::sleep;
use crate::authoring::step::StepContext;
use crate::authoring::timeout::timeout;
use crate::authoring::wait::wait_for_type;
use crate::definition::{Definition, Resources};
use crate::error::BlockError;
use crate::journal::head::{End, Head, Place};
use crate::journal::machine::Stand;
use crate::journal::path::{Kind, Path};
use crate::journal::record::{Entry, Record};
use crate::test_kit::world::{BEGINNING, Item, World};
use crate::words::id::InstanceId;
use crate::words::payload::Payload;

/// One operation of a random workflow. Times are in half seconds, so that some delays are short ones.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Node {
    Step { name: u8, key: Option<u8>, fails: u32, retries: u32, delay: u32, limit: Option<u32> },
    Group { name: u8, retries: u32, delay: u32, limit: Option<u32>, nodes: Vec<Self> },
    Part { name: u8, nodes: Vec<Self> },
    Join(Vec<Self>),
    TryJoin(Vec<Self>),
    Race(Box<Self>, Box<Self>),
    Timeout(u32, Box<Self>),
    Catch(Vec<Self>),
    Sleep(u32),
    Wait { key: u8, limit: Option<u32> },
    Child(Vec<Self>),
    Chance,
    Time,
    Changed(u8),
    Fail,
}

const NAMES: [&str; 4] = ["a", "b", "c", "d"];
const HERE: Location = Location::new(file!(), line!(), column!());

fn halves(count: u32) -> Duration {
    Duration::from_millis(500) * count
}

/// What the code of one run has seen, in order.
type Trace = Arc<Mutex<Vec<String>>>;

fn saw(trace: &Trace, what: String) {
    trace.lock().expect("nothing panics under the lock").push(what);
}

/// What an interpreter needs.
#[derive(Debug, Clone)]
struct Env {
    gates: Arc<Gates>,
    trace: Trace,
}

impl Env {
    /// The inside of a group is not seen again once it has ended, so it is told apart.
    fn inside(&self) -> Self {
        Self { gates: self.gates.clone(), trace: Trace::default() }
    }
}

async fn go<D: Durable>(cx: &Ctx, operation: D) -> D::Output {
    operation.run(cx.clone()).await
}

fn sequence(cx: Ctx, nodes: Vec<Node>, env: Env) -> BoxFuture<'static, Result<u64, String>> {
    Box::pin(async move {
        let mut sum = 0_u64;
        for node in nodes {
            let result = interpret(cx.clone(), node, env.clone()).await;
            sum = sum.wrapping_mul(31).wrapping_add(result?);
        }
        Ok(sum)
    })
}

fn interpret(cx: Ctx, node: Node, env: Env) -> BoxFuture<'static, Result<u64, String>> {
    Box::pin(async move {
        let label = label(&node);
        let trace = env.trace.clone();
        let result = operation(&cx, node, env).await;
        saw(&trace, format!("{label} gave {result:?}"));
        result
    })
}

fn label(node: &Node) -> String {
    match node {
        Node::Step { name, key, .. } => format!("step {name} {key:?}"),
        Node::Group { name, .. } => format!("group {name}"),
        other => format!("{other:?}").chars().take_while(|c| c.is_alphanumeric()).collect(),
    }
}

async fn operation(cx: &Ctx, node: Node, env: Env) -> Result<u64, String> {
    let blocks = |nodes: Vec<Node>| {
        let env = env.clone();
        nodes.into_iter().map(move |node| Block(interpret(cx.clone(), node, env.clone())))
    };
    match node {
        Node::Step { name, key, fails, retries, delay, limit } => {
            let body = |attempt: StepContext| body(env.gates.clone(), fails, attempt);
            let mut step =
                step_with_context(NAMES[usize::from(name)], HERE, body).retries(retries).delay(halves(delay));
            if let Some(key) = key {
                step = step.key(key);
            }
            if let Some(limit) = limit {
                step = step.timeout(halves(limit));
            }
            go(cx, step).await.map_err(|error| error.to_string())
        }
        Node::Group { name, retries, delay, limit, nodes } => {
            let block = |cx: Ctx| {
                let (nodes, env) = (nodes.clone(), env.inside());
                async move {
                    let result = sequence(cx, nodes, env.clone()).await;
                    let seen = env.trace.lock().expect("nothing panics under the lock").join(", ");
                    Ok::<_, BlockError>((result?, seen))
                }
            };
            let mut group = group(NAMES[usize::from(name)], HERE, block).retries(retries).delay(halves(delay));
            if let Some(limit) = limit {
                group = group.timeout(halves(limit));
            }
            let (sum, seen) = go(cx, group).await.map_err(|error| error.to_string())?;
            saw(&env.trace, seen);
            Ok(sum)
        }
        Node::Part { name, nodes } => {
            let part = part(NAMES[usize::from(name)], HERE, |cx| sequence(cx, nodes, env.clone()));
            go(cx, part).await
        }
        Node::Join(nodes) => {
            Ok(go(cx, join_all(blocks(nodes))).await.into_iter().filter_map(Result::ok).fold(0, u64::wrapping_add))
        }
        Node::TryJoin(nodes) => Ok(go(cx, try_join_all(blocks(nodes))).await?.into_iter().fold(0, u64::wrapping_add)),
        Node::Race(one, other) => {
            let (one, other) = (interpret(cx.clone(), *one, env.clone()), interpret(cx.clone(), *other, env.clone()));
            match go(cx, race((Block(one), Block(other)))).await {
                Raced2::A(result) => result,
                Raced2::B(result) => result.map(|value| value.wrapping_add(1)),
            }
        }
        Node::Timeout(limit, node) => {
            let inner = Block(interpret(cx.clone(), *node, env.clone()));
            go(cx, timeout(halves(limit), inner)).await.unwrap_or(Ok(7))
        }
        Node::Catch(nodes) => Ok(sequence(cx.clone(), nodes, env.clone()).await.unwrap_or(13)),
        Node::Sleep(length) => {
            go(cx, sleep(halves(length))).await;
            Ok(1)
        }
        Node::Wait { key, limit } => {
            let wait = wait_for_type::<u64>("wait", "event").key(key);
            match limit {
                Some(limit) => Ok(go(cx, wait.timeout(halves(limit))).await.unwrap_or(0)),
                None => Ok(go(cx, wait).await),
            }
        }
        Node::Child(nodes) => go(cx, Random::call(nodes)).await.map_err(|error| error.to_string()),
        Node::Chance => Ok(go(cx, random::<u64>()).await),
        Node::Time => {
            let since = go(cx, now()).await.duration_since(BEGINNING.to_system_time());
            Ok(since.map_err(|error| error.to_string())?.as_millis() as u64)
        }
        Node::Changed(name) => Ok(u64::from(go(cx, changed(NAMES[usize::from(name)])).await)),
        Node::Fail => Err("failed".to_owned()),
    }
}

async fn body(gates: Arc<Gates>, fails: u32, attempt: StepContext) -> Result<u64, String> {
    gates.pass().await;
    if attempt.attempt() <= fails {
        Err(format!("attempt {}", attempt.attempt()))
    } else {
        Ok(attempt.path().len() as u64)
    }
}

flow!(Random(nodes: Vec<Node>) -> u64, |cx, resources| {
    let shared = resources.get::<Shared>().map_err(|error| crate::Error::msg(error.to_string()))?;
    let id = go(&cx, info()).await.id;
    let env = Env { gates: shared.gates.clone(), trace: Trace::default() };
    shared.traces.lock().expect("nothing panics under the lock").insert(id, env.trace.clone());
    Ok(sequence(cx, nodes, env).await?)
});

/// What all interpreters of one case share with the one who drives them.
#[derive(Debug, Default)]
pub(super) struct Shared {
    gates: Arc<Gates>,
    /// The newest trace of each instance.
    traces: Mutex<HashMap<String, Trace>>,
}

impl Shared {
    pub(super) fn trace(&self, id: &InstanceId) -> Vec<String> {
        let traces = self.traces.lock().expect("nothing panics under the lock");
        traces
            .get(id.as_str())
            .map(|trace| trace.lock().expect("nothing panics under the lock").clone())
            .unwrap_or_default()
    }
}

/// Where bodies wait until they are let through.
#[derive(Debug, Default)]
struct Gates(Mutex<Vec<Weak<Gate>>>);

#[derive(Debug, Default)]
struct Gate(Mutex<(bool, Option<Waker>)>);

impl Gates {
    async fn pass(&self) {
        let gate = Arc::new(Gate::default());
        self.0.lock().expect("nothing panics under the lock").push(Arc::downgrade(&gate));
        poll_fn(|task| {
            let mut state = gate.0.lock().expect("nothing panics under the lock");
            state.1 = Some(task.waker().clone());
            if state.0 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Lets one of the waiting bodies through.
    fn open_one(&self, dice: &mut Dice) -> bool {
        let mut gates = self.0.lock().expect("nothing panics under the lock");
        gates.retain(|gate| gate.strong_count() > 0);
        if gates.is_empty() {
            return false;
        }
        let index = dice.below(gates.len());
        let Some(gate) = gates.swap_remove(index).upgrade() else { return true };
        let waker = {
            let mut state = gate.0.lock().expect("nothing panics under the lock");
            state.0 = true;
            state.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }
}

/// Chance, from one number.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, sides: usize) -> usize {
        // SplitMix64: every seed is a good one.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % sides as u64) as usize
    }

    fn one_in(&mut self, sides: usize) -> bool {
        self.below(sides) == 0
    }
}

/// A case: a workflow, and everything that is left to chance.
pub(super) fn drive(nodes: &[Node], seed: u64, crashes: bool) -> Result<(World, Arc<Shared>), TestCaseError> {
    let shared = Arc::new(Shared::default());
    let mut resources = Resources::default();
    resources.insert(shared.clone());
    let mut world = World::new(resources, None, Vec::new());
    let input =
        Random::inputs(nodes.to_vec()).into_payload().map_err(|error| TestCaseError::fail(error.to_string()))?;
    world.create(Random::registration(), input, u128::from(seed)).map_err(TestCaseError::fail)?;
    let mut dice = Dice(seed);
    for _ in 0..5_000 {
        world.sticky = dice.one_in(2);
        settle(&mut world, &mut dice, crashes);
        if world.is_over() {
            return Ok((world, shared));
        }
        something(&mut world, &shared, &mut dice);
    }
    Err(TestCaseError::fail(format!("it did not end: {:?}", world.head().map(|head| &head.place))))
}

/// As `World::settle`, with crashes before and after writes.
fn settle(world: &mut World, dice: &mut Dice, crashes: bool) {
    loop {
        for id in world.held() {
            while let Some(write) = world.advance(&id) {
                let fate = if crashes { dice.below(40) } else { usize::MAX };
                if fate != 0 {
                    world.write(&id, write);
                }
                if fate <= 1 {
                    world.crash();
                }
            }
        }
        if !world.exchange() {
            return;
        }
    }
}

/// A body ends, time passes or an event comes.
fn something(world: &mut World, shared: &Shared, dice: &mut Dice) {
    let event = dice.one_in(6);
    if !event && dice.one_in(3) && world.next_due().is_some() {
        world.happen();
    } else if !event && shared.gates.open_one(dice) {
        // One body goes on.
    } else if event || world.next_due().is_none() {
        let payload = Payload::encode(&(dice.below(1_000) as u64)).expect("a number can be written");
        if let Item::Event(message) = Item::event("event", &dice.below(3).to_string(), payload) {
            let instances = world.instances();
            world.send(instances[dice.below(instances.len())].clone(), message);
        }
    } else {
        world.happen();
    }
}

/// Replays every cut of every instance's journal, and compares what its code sees.
fn check(world: &World, shared: &Shared) -> Result<(), TestCaseError> {
    for id in world.instances().into_iter().filter(|id| world.begun(id)) {
        let records = world.journal(&id).map_err(TestCaseError::fail)?;
        let lived = shared.trace(&id);
        let mut before = 0;
        for cut in 0..=records.len() {
            let (info, code) = world.code(&id).expect("the instance exists");
            if let Stand::Parked(reason) = code.replay(info, records[..cut].to_vec(), usize::MAX).stand {
                return Err(TestCaseError::fail(format!("{id} parked at {cut} of {}: {reason:?}", records.len())));
            }
            let seen = shared.trace(&id);
            prop_assert_eq!(&seen[..], &lived[..seen.len().min(lived.len())], "{} cut at {}", id, cut);
            prop_assert!(seen.len() >= before, "a longer journal shows no less");
            before = seen.len();
        }
        prop_assert_eq!(before, lived.len(), "the whole journal of {} shows all that was seen", id);
    }
    Ok(())
}

/// Restarts every instance from each of its operations: what is kept has nothing of that operation, replays, and is all
/// that is kept when it is restarted from there once more.
fn forks(world: &World) -> Result<(), TestCaseError> {
    for id in world.instances().into_iter().filter(|id| world.begun(id)) {
        let records = world.journal(&id).map_err(TestCaseError::fail)?;
        let is_operation = |path: &Path| path.last().is_some_and(|last| last.kind != Kind::Changed);
        let paths: BTreeSet<Path> = records.iter().map(|record| record.path.clone()).filter(is_operation).collect();
        for path in paths {
            let kept = fork(world, &id, &records, &path)?;
            let inside = |record: &Record| record.path == path || record.path.enclosing().any(|at| at == path.as_str());
            prop_assert!(!kept.iter().any(inside), "{} keeps something of {}", id, path);
            let (info, code) = world.code(&id).expect("the instance exists");
            if let Stand::Parked(reason) = code.replay(info, kept.clone(), usize::MAX).stand {
                return Err(TestCaseError::fail(format!("{id} forked at {path} parked: {reason:?}\n{kept:#?}")));
            }
            prop_assert_eq!(&fork(world, &id, &kept, &path)?, &kept, "{} forked at {} twice", id, path);
        }
    }
    Ok(())
}

/// What is kept, but for the time that has passed.
fn fork(world: &World, id: &InstanceId, records: &[Record], path: &Path) -> Result<Vec<Record>, TestCaseError> {
    let (info, code) = world.code(id).expect("the instance exists");
    let now = records.last().map_or(info.started_at, |last| last.time.shifted(1_000));
    let kept = code.fork(info, records.to_vec(), path.clone(), now);
    let mut kept =
        kept.map_err(|reason| TestCaseError::fail(format!("{id} cannot be forked at {path}: {reason:?}")))?;
    if matches!(kept.last(), Some(Record { time, entry: Entry::Shifted { .. }, .. }) if *time == now) {
        kept.pop();
    }
    Ok(kept)
}

/// Compares every run that ended with its replay, as an engine does.
fn compare(world: &World) -> Result<(), TestCaseError> {
    for id in world.instances().into_iter().filter(|id| returned(world, id)) {
        let lived = world.lived(&id).ok_or_else(|| TestCaseError::fail(format!("{id} was not kept")))?;
        let (_, code) = world.code(&id).expect("the instance exists");
        if let Some(difference) = code.differs(lived) {
            return Err(TestCaseError::fail(format!("{id}: {}", difference.divergence)));
        }
    }
    Ok(())
}

fn returned(world: &World, id: &InstanceId) -> bool {
    matches!(world.head_of(id).map(|head| &head.place), Some(Place::Done { end: End::Returned(_), .. }))
}

fn leaf() -> impl Strategy<Value = Node> {
    let limit = || prop::option::weighted(0.3, 1_u32..20);
    prop_oneof![
        6 => (0_u8..4, prop::option::of(0_u8..2), 0_u32..3, 0_u32..3, 0_u32..8, limit())
            .prop_map(|(name, key, fails, retries, delay, limit)| Node::Step { name, key, fails, retries, delay, limit }),
        2 => (1_u32..20).prop_map(Node::Sleep),
        2 => (0_u8..3, prop::option::weighted(0.8, 1_u32..20)).prop_map(|(key, limit)| Node::Wait { key, limit }),
        1 => Just(Node::Chance),
        1 => Just(Node::Time),
        1 => (0_u8..4).prop_map(Node::Changed),
        1 => Just(Node::Fail),
    ]
}

pub(super) fn node() -> impl Strategy<Value = Node> {
    leaf().prop_recursive(4, 24, 4, |node| {
        let nodes = || prop::collection::vec(node.clone(), 1..4);
        let limit = prop::option::weighted(0.3, 1_u32..30);
        prop_oneof![
            3 => (0_u8..4, 0_u32..3, 0_u32..8, limit, nodes())
                .prop_map(|(name, retries, delay, limit, nodes)| Node::Group { name, retries, delay, limit, nodes }),
            2 => nodes().prop_map(Node::Join),
            1 => nodes().prop_map(Node::TryJoin),
            2 => (node.clone(), node.clone()).prop_map(|(one, other)| Node::Race(Box::new(one), Box::new(other))),
            1 => (1_u32..30, node.clone()).prop_map(|(limit, node)| Node::Timeout(limit, Box::new(node))),
            2 => nodes().prop_map(Node::Catch),
            1 => (0_u8..4, nodes()).prop_map(|(name, nodes)| Node::Part { name, nodes }),
            1 => nodes().prop_map(Node::Child),
        ]
    })
}

fn ended(head: Option<&Head>) -> bool {
    matches!(head.map(|head| &head.place), Some(Place::Done { .. }))
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_cut_of_every_journal_replays_to_the_same_trace(
        nodes in prop::collection::vec(node(), 1..5),
        seed: u64,
        crashes: bool,
    ) {
        let (world, shared) = drive(&nodes, seed, crashes)?;
        prop_assert_eq!(world.broken(), None);
        prop_assert!(ended(world.head()), "{:?}", world.head().map(|head| &head.place));
        check(&world, &shared)?;
        compare(&world)?;
        forks(&world)?;
    }
}
