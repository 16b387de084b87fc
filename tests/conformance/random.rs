//! Random commands, carried out on a store and on the model: every answer and everything that can be seen agrees.
//!
//! A failure prints the shortest sequence that still fails, and the seed; `SEED=<n>` repeats it.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use support::chance;
use support::size::Amount;
use workflow::journal::command::{
    Action, Claim, ClaimReply, Claimed, Command, Control, Create, CreateReply, Ending, InstanceSpec, Outgoing,
    OwnReply, Owner, OwnerWrite, Parent, ParentClose, PauseReason, Reply, Send, Then, Write,
};
use workflow::journal::head::State;
use workflow::journal::lease::{Lease, LimitName};
use workflow::journal::message::{Channel, NewMessage};
use workflow::journal::path::{Kind, Path};
use workflow::journal::table::outbox::command;
use workflow::store::ListQuery;
use workflow::store::SessionView;
use workflow::store::fsck::Area;
use workflow::words::failure::{FailureData, FailureKind};
use workflow::words::id::{InstanceId, RequestId, SessionId};

use crate::stores;
use crate::world::{LEASE, World, id, payload, queue, sleep_until, spec, wait_for, workflow_name};

on_every_other_store!(agrees_with_the_model);

/// Few names, so that commands meet.
const NAMES: [&str; 4] = ["a", "b", "c", "p"];
const STATES: [State; 7] =
    [State::Queued, State::Running, State::Waiting, State::Paused, State::Complete, State::Errored, State::Terminated];

/// One thing to do, in numbers that mean something only together with what was answered before.
#[derive(Debug, Clone)]
enum Step {
    Create {
        name: usize,
        local: Option<u128>,
        version: u32,
        refund: bool,
        queue: bool,
        priority: u8,
        start: Option<i64>,
        keep: u64,
        event: Option<u8>,
    },
    Send {
        name: usize,
        channel: bool,
        event: u8,
        run: Option<u32>,
    },
    Control {
        name: usize,
        action: u8,
        run: Option<u32>,
    },
    Open {
        session: u128,
    },
    Close {
        session: u128,
    },
    Beat {
        session: u128,
    },
    Fence {
        session: u128,
        wrong: bool,
    },
    Recover {
        session: u128,
        limit: usize,
    },
    Claim {
        session: u128,
        limit: usize,
        versions: u32,
        queues: u8,
        late: u64,
        quotas: Option<(usize, usize)>,
        limits: (Option<u32>, Option<u32>),
    },
    Lease {
        session: u128,
        rate: bool,
        late: u64,
        limit: u32,
        per: u64,
        spent: u32,
        held: u32,
        want: u32,
    },
    Own {
        owner: usize,
        write: OwnStep,
    },
    WakeDue {
        limit: usize,
    },
    Unstick {
        older_than: u64,
        limit: usize,
    },
    SendOn {
        pending: usize,
        acknowledge: bool,
    },
    Expire {
        limit: usize,
    },
    Advance {
        millis: u64,
    },
    /// The clock of the store is corrected.
    SetBack {
        millis: u64,
    },
    /// Several in one call, after a call that was cut between two of them.
    Batch {
        steps: Vec<Self>,
        cut: Option<usize>,
    },
    /// One of the last commands again, word for word.
    Repeat {
        back: usize,
    },
}

#[derive(Debug, Clone)]
struct OwnStep {
    records: u8,
    consume: usize,
    blind: bool,
    child: Option<bool>,
    then: u8,
    due: i64,
    paused: bool,
    wrong: u8,
}

fn own_step() -> impl Strategy<Value = OwnStep> {
    let child = prop::option::weighted(0.15, any::<bool>());
    (0..3_u8, 0..3_usize, any::<bool>(), child, 0..14_u8, 0..400_i64, any::<bool>(), 0..12_u8).prop_map(
        |(records, consume, blind, child, then, due, paused, wrong)| OwnStep {
            records,
            consume,
            blind,
            child,
            then,
            due,
            paused,
            wrong,
        },
    )
}

/// One step, or several in one call.
fn call() -> impl Strategy<Value = Step> {
    let cut = prop::option::weighted(0.3, 0..6_usize);
    prop_oneof![
        5 => step(),
        1 => (prop::collection::vec(step(), 2..7), cut).prop_map(|(steps, cut)| Step::Batch { steps, cut }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let name = 0..NAMES.len();
    let session = 1..4_u128;
    let run = prop::option::weighted(0.2, 1..3_u32);
    let local = prop::option::weighted(0.4, session.clone());
    let start = prop::option::weighted(0.2, -100..500_i64);
    let event = prop::option::weighted(0.2, 0..4_u8);
    let quotas = prop::option::weighted(0.3, (0..3_usize, 0..3_usize));
    let tokens = || prop::option::weighted(0.4, 0..3_u32);
    let limits = (tokens(), tokens());
    prop_oneof![
        8 => (name.clone(), local, 1..3_u32, any::<(bool, bool)>(), 0..3_u8, start, 0..3_u64, event).prop_map(
            |(name, local, version, (queue, refund), priority, start, keep, event)| Step::Create {
                name, local, version, refund, queue, priority, start, keep, event
            }
        ),
        10 => (name.clone(), any::<bool>(), 0..4_u8, run.clone()).prop_map(
            |(name, channel, event, run)| Step::Send { name, channel, event, run }
        ),
        8 => (name, 0..10_u8, run).prop_map(|(name, action, run)| Step::Control { name, action, run }),
        3 => session.clone().prop_map(|session| Step::Open { session }),
        1 => session.clone().prop_map(|session| Step::Close { session }),
        2 => session.clone().prop_map(|session| Step::Beat { session }),
        3 => (session.clone(), prop::bool::weighted(0.2)).prop_map(|(session, wrong)| Step::Fence { session, wrong }),
        3 => (session.clone(), 0..3_usize).prop_map(|(session, limit)| Step::Recover { session, limit }),
        14 => (session.clone(), 0..4_usize, 1..4_u32, 1..4_u8, 0..4_u64, quotas, limits).prop_map(
            |(session, limit, versions, queues, late, quotas, limits)| Step::Claim {
                session, limit, versions, queues, late, quotas, limits
            }
        ),
        6 => (session, any::<bool>(), 0..3_u64, 0..5_u32, 1..400_u64, 0..3_u32, 0..2_u32, 0..4_u32).prop_map(
            |(session, rate, late, limit, per, spent, held, want)| Step::Lease {
                session, rate, late, limit, per, spent, held, want
            }
        ),
        24 => (0..6_usize, own_step()).prop_map(|(owner, write)| Step::Own { owner, write }),
        4 => (0..4_usize).prop_map(|limit| Step::WakeDue { limit }),
        3 => (0..300_u64, 0..4_usize).prop_map(|(older_than, limit)| Step::Unstick { older_than, limit }),
        6 => (0..4_usize, any::<bool>()).prop_map(|(pending, acknowledge)| Step::SendOn { pending, acknowledge }),
        2 => (0..4_usize).prop_map(|limit| Step::Expire { limit }),
        8 => prop_oneof![0..200_u64, Just(10_000_u64), Just(700_000_u64)].prop_map(|millis| Step::Advance { millis }),
        1 => (1..2_000_u64).prop_map(|millis| Step::SetBack { millis }),
        6 => (1..6_usize).prop_map(|back| Step::Repeat { back }),
    ]
}

fn message(channel: bool, event: u8) -> NewMessage {
    let channel = Channel::event(if channel { "x" } else { "y" }, "");
    let event_id = format!("e{event}");
    NewMessage { channel, payload: payload(&event_id), event_id: event_id.into() }
}

/// What one owner was told last.
#[derive(Debug, Clone)]
struct Known {
    owner: Owner,
    seen: u64,
    unread: Vec<u64>,
    shift_ms: i64,
}

/// Both stores, and what the answers told.
struct Pair {
    store: World,
    model: World,
    owners: Vec<Known>,
    done: Vec<Command>,
}

impl Pair {
    /// The run that a restart from an operation would come from.
    fn source(&self, name: &str) -> u32 {
        let Some(found) = self.store.inspect(name) else { return 1 };
        found.head.fork.filter(|fork| fork.open).map_or(found.head.run, |fork| fork.source)
    }

    fn request(&self) -> RequestId {
        self.store.request()
    }

    fn both<T: PartialEq + std::fmt::Debug>(&self, look: impl Fn(&World) -> T) -> Result<T, TestCaseError> {
        let (found, expected) = (look(&self.store), look(&self.model));
        prop_assert_eq!(&found, &expected);
        Ok(found)
    }

    fn apply(&mut self, command: Command) -> Result<(), TestCaseError> {
        self.execute(vec![command])
    }

    fn execute(&mut self, batch: Vec<Command>) -> Result<(), TestCaseError> {
        let replies = self.both(|world| world.execute(batch.clone()))?;
        for (command, reply) in batch.into_iter().zip(replies) {
            self.learn(&command, &reply);
            self.done.push(command);
        }
        Ok(())
    }

    fn learn(&mut self, command: &Command, reply: &Reply) {
        match (command, reply) {
            (Command::Claim(claim), Reply::Claim(ClaimReply::Given { instances, .. })) => {
                for claimed in instances {
                    self.claimed(claim.session, claimed);
                }
            }
            (
                Command::Create(Create { local: Some(session), .. }),
                Reply::Create(CreateReply::Created { claimed: Some(claimed) }),
            ) => self.claimed(*session, claimed),
            (Command::Own(request), Reply::Own(OwnReply::Ok(granted) | OwnReply::Continue(granted))) => {
                let known = self.owners.iter_mut().find(|known| known.owner == request.owner);
                if let Some(known) = known {
                    known.owner.v = granted.v;
                    known.unread.retain(|seq| !request.write.consumed.contains(seq));
                    known.seen = known.seen.max(request.write.seen);
                    for message in &granted.messages {
                        known.seen = message.seq;
                        // Who was blind is told again what it knows.
                        if !known.unread.contains(&message.seq) {
                            known.unread.push(message.seq);
                        }
                    }
                    known.shift_ms -= request.write.shifted_ms;
                }
            }
            _ => {}
        }
    }

    fn claimed(&mut self, session: SessionId, claimed: &Claimed) {
        let owner = Owner { id: claimed.id.clone(), session, run: claimed.run, v: claimed.v };
        let unread: Vec<u64> = claimed.granted.messages.iter().map(|message| message.seq).collect();
        // The newest are the likeliest to be alive; the older ones stay, as stale owners.
        self.owners.insert(0, Known { owner, seen: claimed.arrivals, unread, shift_ms: claimed.shift_ms });
    }

    fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match step {
            Step::Advance { millis } => {
                // One clock of each world, moved alike.
                self.store.advance(*millis);
                self.model.advance(*millis);
            }
            Step::Beat { session } => {
                let session = SessionId(*session);
                self.both(|world| world.store().heart().expect("a heart").beat(session, LEASE).expect("works"))?;
            }
            Step::SetBack { millis } => {
                self.store.set_back(*millis);
                self.model.set_back(*millis);
            }
            Step::SendOn { pending, acknowledge } => self.send_on(*pending, *acknowledge)?,
            Step::Batch { steps, cut } => {
                let batch: Vec<Command> = steps.iter().filter_map(|step| self.command(step)).collect();
                if let Some(begun) = cut.and_then(|cut| batch.get(..cut)) {
                    // Its answer is lost, and learnt all the same: both stores are at one there too.
                    self.execute(begun.to_vec())?;
                }
                self.execute(batch)?;
            }
            other => {
                if let Some(command) = self.command(other) {
                    self.apply(command)?;
                }
            }
        }
        Ok(())
    }

    fn send_on(&mut self, pending: usize, acknowledge: bool) -> Result<(), TestCaseError> {
        let outbox = self.both(World::outbox)?;
        let Some(pending) = outbox.into_iter().nth(pending) else { return Ok(()) };
        self.apply(command(&pending.source, pending.number, &pending.outgoing))?;
        if acknowledge {
            self.apply(Command::Sent { source: pending.source, numbers: vec![pending.number] })?;
        }
        Ok(())
    }

    fn command(&self, step: &Step) -> Option<Command> {
        Some(match step {
            Step::Create { name, local, version, refund, queue: other, priority, start, keep, event } => {
                let spec = InstanceSpec {
                    workflow: workflow_name(if *refund { "refund" } else { "order" }),
                    version: *version,
                    queue: queue(if *other { "r" } else { "q" }),
                    priority: *priority,
                    start_at: start.map(|millis| self.store.in_ms(millis)),
                    keep_complete: Duration::from_secs(*keep),
                    keep_failed: Duration::from_secs(2 * *keep),
                    ..spec()
                };
                Command::Create(Create {
                    request: self.request(),
                    id: id(NAMES[*name]),
                    spec: Arc::new(spec),
                    local: local.map(SessionId),
                    message: event.map(|event| message(true, event)),
                })
            }
            Step::Send { name, channel, event, run } => {
                Command::Send(Send { id: id(NAMES[*name]), run: *run, message: message(*channel, *event) })
            }
            Step::Control { name, action, run } => Command::Control(Control {
                request: self.request(),
                id: id(NAMES[*name]),
                run: *run,
                action: match action {
                    0 | 1 => Action::Pause,
                    2 => Action::Resume,
                    3 => Action::Terminate { reason: "no".to_owned() },
                    4 => Action::Restart,
                    5 => Action::Delete,
                    other => Action::RestartFrom {
                        path: Path::root().join(Kind::Step, &other.to_string(), None, 0),
                        source: if *other < 9 { self.source(NAMES[*name]) } else { 1 },
                    },
                },
            }),
            Step::Open { session } => Command::OpenSession { session: SessionId(*session), lease: LEASE },
            Step::Close { session } => Command::CloseSession { session: SessionId(*session) },
            Step::Fence { session, wrong } => {
                let session = SessionId(*session);
                let beats = self.store.session(session).map_or(0, |view| view.beats).saturating_sub(u64::from(*wrong));
                Command::Fence { session, beats }
            }
            Step::Recover { session, limit } => Command::Recover { session: SessionId(*session), limit: *limit },
            Step::Claim { session, limit, versions, queues, late, quotas, limits } => {
                let number = u64::try_from(self.request().0).expect("small").saturating_sub(*late);
                let known = (1..3).filter(|version| versions & version != 0);
                let known = known.flat_map(|v| ["order", "refund"].map(|name| (workflow_name(name), v)));
                let of_order = limits.0.map(|tokens| (LimitName::Workflow(workflow_name("order")), tokens));
                let of_queue = limits.1.map(|tokens| (LimitName::Queue(queue("q")), tokens));
                let queues = [(1, "q"), (2, "r")].into_iter().filter(|(bit, _)| queues & bit != 0);
                Command::Claim(Claim {
                    number,
                    session: SessionId(*session),
                    limit: *limit,
                    queues: queues.map(|(_, name)| queue(name)).collect(),
                    known: known.collect(),
                    quotas: quotas.map_or_else(Vec::new, |(one, other)| vec![one, other]),
                    limits: of_order.into_iter().chain(of_queue).collect(),
                })
            }
            Step::Lease { session, rate, late, limit, per, spent, held, want } => Command::Lease(Lease {
                session: SessionId(*session),
                name: limit_name(*rate),
                number: u64::try_from(self.request().0).expect("small").saturating_sub(*late),
                limit: *limit,
                per: rate.then(|| Duration::from_millis(*per)),
                spent: *spent,
                held: *held,
                want: *want,
            }),
            Step::Own { owner, write } => self.own(*owner, write)?,
            Step::WakeDue { limit } => Command::WakeDue { limit: *limit },
            Step::Unstick { older_than, limit } => {
                Command::Unstick { older_than: Duration::from_millis(*older_than), limit: *limit }
            }
            Step::Expire { limit } => Command::Expire { limit: *limit },
            Step::Repeat { back } => self.done.get(self.done.len().checked_sub(*back)?)?.clone(),
            Step::Advance { .. }
            | Step::SetBack { .. }
            | Step::Beat { .. }
            | Step::SendOn { .. }
            | Step::Batch { .. } => return None,
        })
    }

    fn own(&self, owner: usize, step: &OwnStep) -> Option<Command> {
        let known = self.owners.get(owner)?;
        let mut owner = known.owner.clone();
        match step.wrong {
            0 => owner.v += 1,
            1 => owner.v -= 1,
            2 => owner.run += 1,
            3 => owner.session = SessionId(3),
            _ => {}
        }
        let outgoing = step.child.map(|abandon| self.child(&owner, abandon)).into_iter().collect();
        let write = Write {
            records: (0..step.records).map(|n| payload(&format!("r{n}"))).collect(),
            // Who has guessed the version does not know what was consumed to come to it; no message is consumed twice.
            consumed: known.unread.iter().take(if step.wrong == 0 { 0 } else { step.consume }).copied().collect(),
            seen: if step.blind { 0 } else { known.seen },
            outgoing,
            shifted_ms: if step.paused { known.shift_ms } else { 0 },
            then: self.then(step),
        };
        Some(Command::Own(OwnerWrite { request: self.request(), owner, write }))
    }

    fn child(&self, owner: &Owner, abandon: bool) -> Outgoing {
        let on_close = if abandon { ParentClose::Abandon } else { ParentClose::Terminate };
        let parent = Parent { id: owner.id.clone(), run: owner.run, on_close };
        let seed = self.request().0;
        Outgoing::CreateChild {
            // Of one run no two operations have the same path, and so no two children the same id.
            id: id(&format!("{}.{}.{}", owner.id, owner.run, owner.v)),
            spec: Arc::new(InstanceSpec { parent: Some(parent), seed, keep_complete: Duration::ZERO, ..spec() }),
        }
    }

    fn then(&self, step: &OwnStep) -> Then {
        let failure = FailureData::new(FailureKind::Failed, "E", "no");
        match step.then {
            0..=3 => Then::Hold,
            4..=6 => Then::Suspend {
                waits: vec![wait_for("x"), sleep_until(self.store.in_ms(step.due))],
                paused: step.paused,
            },
            7 => Then::Finish(Ending { result: if step.paused { Err(failure) } else { Ok(payload("1")) } }),
            8 => Then::Park(PauseReason::Panic { message: "p".to_owned() }),
            9 => Then::Release,
            10 => Then::Clear,
            11 => Then::Mark,
            _ => Then::Forked,
        }
    }

    /// Everything that can be looked at.
    fn compare(&self) -> Result<(), TestCaseError> {
        let page = self.both(|world| world.wait(world.store().list(every(1_000))).expect("works"))?;
        let ids: Vec<InstanceId> = page.rows.into_iter().map(|row| row.id).collect();
        for id in &ids {
            let found = self.both(|world| world.inspect(id.as_str()))?;
            for run in found.map(|found| found.runs).unwrap_or_default() {
                self.both(|world| world.journal(id.as_str(), run))?;
            }
        }
        self.both(|world| {
            let mut sessions = world.wait(world.store().sessions()).expect("works");
            sessions.sort_by_key(|view| view.session);
            let held = |view: &SessionView| {
                let mut held = world.wait(world.store().held(view.session, 1_000)).expect("works");
                held.sort();
                held
            };
            sessions.iter().map(|view| (view.clone(), held(view))).collect::<Vec<_>>()
        })?;
        self.both(World::outbox)?;
        self.both(|world| world.wait(world.store().overview()).expect("works"))?;
        for name in ["q", "r"] {
            self.both(|world| world.wait(world.store().queue(queue(name))).expect("works"))?;
        }
        self.both(|world| world.wait(world.store().list(every(2))).expect("works"))?;
        Ok(())
    }

    /// Everything that is kept agrees with everything else. Not so parents and children: outgoing commands are sent in any
    /// order here, and repeated long after.
    fn is_sound(&self) -> Result<(), TestCaseError> {
        for world in [&self.store, &self.model] {
            let mut findings = world.findings();
            findings.retain(|finding| finding.area != Area::Family);
            prop_assert!(findings.is_empty(), "{}: {:#?}", world.store().describe(), findings);
        }
        Ok(())
    }

    /// All pages of what is in a state, and by id.
    fn compare_lists(&self, state: State) -> Result<(), TestCaseError> {
        let of_state = ListQuery { state: Some(state), ..every(2) };
        let by_id = |prefix| ListQuery { id_prefix: Some(id(prefix)), ..every(2) };
        for mut query in [of_state, by_id("p"), by_id(NAMES[0]), ListQuery { state: Some(state), ..by_id("p") }] {
            loop {
                let page = self.both(|world| world.wait(world.store().list(query.clone())).expect("works"))?;
                match page.next {
                    Some(next) => query.after = Some(next),
                    None => break,
                }
            }
        }
        Ok(())
    }
}

fn limit_name(rate: bool) -> LimitName {
    if rate { LimitName::Queue(queue("q")) } else { LimitName::Workflow(workflow_name("order")) }
}

fn every(limit: usize) -> ListQuery {
    ListQuery::newest(limit)
}

/// How many sequences: more where the transitions are written a second time, in another language.
fn cases(open: fn() -> World) -> u32 {
    let amount = match open().store().describe().starts_with("sqlite:") {
        true => Amount::of(60, 2_000, 10_000),
        false => Amount::of(500, 20_000, 100_000),
    };
    amount.wanted().try_into().expect("no test tries so much")
}

fn agrees_with_the_model(open: fn() -> World) {
    let seed = chance::seed("conformance::random");
    let mut bytes = [0_u8; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config { cases: cases(open), failure_persistence: None, max_shrink_iters: 500, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let outcome = runner.run(&prop::collection::vec(call(), 1..120), |steps| {
        let mut pair = Pair { store: open(), model: stores::model(), owners: Vec::new(), done: Vec::new() };
        for session in 1..3 {
            pair.apply(Command::OpenSession { session: SessionId(session), lease: LEASE })?;
        }
        for (number, step) in steps.iter().enumerate() {
            pair.step(step).map_err(|error| TestCaseError::fail(format!("step {number}, {step:?}: {error}")))?;
            if number % 8 == 0 {
                pair.compare()?;
                pair.compare_lists(STATES[number / 8 % STATES.len()])?;
            }
        }
        pair.compare()?;
        STATES.into_iter().try_for_each(|state| pair.compare_lists(state))?;
        pair.is_sound()
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(reason, steps)) => panic!("seed {seed}: {reason}\n{steps:#?}"),
        Err(TestError::Abort(reason)) => panic!("seed {seed}: {reason}"),
    }
}
