//! What can happen next: clients, operators, workers, sweepers, a network that loses, repeats and delays, and a store that
//! loses what it acknowledged.

use std::time::Duration;

use stateright::{Model, Property};
use workflow::journal::command::{Command, Create, Reply};
use workflow::journal::head::{End, Head, Place};
use workflow::store::model::Data;
use workflow::words::id::{InstanceId, RequestId, SessionId};
use workflow::words::time::Timestamp;

use crate::guards::{self, Guard};
use crate::outside::{Arrival, Operation, Sent, Target, pending};
use crate::program::{Program, TIMER_MS};
use crate::rules::{Step, sound};
use crate::settle::{Settled, settles};
use crate::state::{Budgets, Seen, State, Worker};
use crate::workers::stop;

/// The lease of every session: one tick of the clock.
pub(crate) const LEASE: Duration = Duration::from_millis(TIMER_MS.unsigned_abs());
/// After all retention but that of what an open fork comes from.
const AFTER_RETENTION: Timestamp = Timestamp::from_millis((1 << 48) - 2);

/// One world to explore.
#[derive(Debug, Clone)]
pub(crate) struct Protocol {
    pub(crate) program: Program,
    /// There is a second instance of it.
    pub(crate) two: bool,
    pub(crate) workers: u8,
    pub(crate) budgets: Budgets,
    /// What operators may do.
    pub(crate) controls: Vec<(Target, Operation)>,
    /// How many instances of the program may be driven at once.
    pub(crate) limit: Option<u32>,
    /// Guards that are switched off.
    pub(crate) off: Vec<Guard>,
    /// Finished instances may be deleted.
    pub(crate) expires: bool,
    /// Faults happen to what workers write, not only to what clients and the outbox send.
    pub(crate) workers_fail: bool,
    /// Inboxes that wait may be emptied.
    pub(crate) unsticks: bool,
    pub(crate) settled: Settled,
    /// What must be reached somewhere, or the model has shown nothing.
    pub(crate) reaches: &'static [Reach],
}

/// A state that must be reachable.
pub(crate) type Reach = (&'static str, fn(&Protocol, &State) -> bool);

/// What becomes of a request and its reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Fate {
    /// It is carried out and answered.
    Answered,
    /// It is carried out, and the reply is lost: it will be repeated.
    ReplyLost,
    /// It is on its way, arrives at any time or never, and will be repeated.
    Delayed,
}

/// Something that happens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Happening {
    Claim(usize, Fate),
    Write(usize, InstanceId, Fate),
    /// A worker asks for a token of the limit.
    Ask(usize, Fate),
    GiveBack(usize, Fate),
    BodyEnds(usize, InstanceId),
    Crash(usize),
    Beat(usize),
    /// A client sends an event.
    Event(u8, Arrival),
    Operate(Target, Operation, Arrival),
    Stray(usize),
    SendOn(usize, Sent),
    /// The sweeper fences a session whose beat counter it saw now, or a beat ago.
    Fence(SessionId, u64),
    Recover(SessionId),
    WakeDue,
    Unstick,
    Expire,
    Tick,
    Save,
    Lose,
}

pub(crate) fn instance() -> InstanceId {
    InstanceId::new("i").expect("valid")
}

impl Protocol {
    /// Carries a command out, and lets the observer look.
    pub(crate) fn apply(&self, state: &mut State, command: &Command) -> Reply {
        self.apply_at(state, command, state.now)
    }

    fn apply_at(&self, state: &mut State, command: &Command, now: Timestamp) -> Reply {
        let before = state.data.clone();
        let reply = guards::apply(&mut state.data, &self.off, command, now);
        state.seen.observe(&Step { before: &before, command, reply: &reply, after: &state.data, now });
        reply
    }

    fn start(&self) -> State {
        let mut state = State {
            data: workflow::store::model::Data::default(),
            now: Timestamp::from_millis(0),
            workers: Vec::new(),
            strays: Vec::new(),
            left: self.budgets,
            seen: Seen::default(),
            saved: None,
            lost: false,
        };
        for number in 0..self.workers {
            let session = SessionId(u128::from(number) + 1);
            state.workers.push(Worker::new(session));
            self.apply(&mut state, &Command::OpenSession { session, lease: LEASE });
        }
        let second = self.two.then(|| InstanceId::new("j").expect("valid"));
        for id in std::iter::once(instance()).chain(second) {
            let create =
                Create { request: RequestId(0), id, spec: self.program.spec(None), local: None, message: None };
            self.apply(&mut state, &Command::Create(create));
        }
        state
    }

    /// What living workers may do.
    fn work(&self, state: &State, actions: &mut Vec<Happening>) {
        let fates = |actions: &mut Vec<Happening>, number: usize, of: &dyn Fn(Fate) -> Happening| {
            actions.push(of(Fate::Answered));
            if number == 0 && self.workers_fail && state.left.faults > 0 {
                actions.extend([Fate::ReplyLost, Fate::Delayed].map(of));
            }
        };
        for (number, worker) in state.workers.iter().enumerate().filter(|(_, worker)| worker.up) {
            if self.limit.is_none() || worker.claim.is_some() || may_give(&state.data) {
                fates(actions, number, &|fate| Happening::Claim(number, fate));
            }
            for (id, driver) in &worker.drivers {
                if driver.request(state.lost).is_some() {
                    fates(actions, number, &|fate| Happening::Write(number, id.clone(), fate));
                }
                if driver.program == Program::EventOrBody && !driver.body_ended {
                    actions.push(Happening::BodyEnds(number, id.clone()));
                }
            }
            if self.limit.is_some_and(|limit| worker.hand.share < limit) && state.left.leases > 0 {
                fates(actions, number, &|fate| Happening::Ask(number, fate));
            }
            if (worker.idle() > 0 || worker.hand.unsure) && state.left.leases > 0 {
                fates(actions, number, &|fate| Happening::GiveBack(number, fate));
            }
            // The workers are alike: it is enough that the first one crashes, or beats.
            if number == 0 && state.left.crashes > 0 {
                actions.push(Happening::Crash(number));
            }
            if number == 0 && state.left.beats > 0 {
                actions.push(Happening::Beat(number));
            }
        }
    }

    /// What clients, operators and senders of outboxes may do.
    fn visit(&self, state: &State, actions: &mut Vec<Happening>) {
        let faulty = state.left.faults > 0;
        for arrival in Arrival::all(faulty) {
            if state.left.events > 0 {
                actions.push(Happening::Event(state.left.events, *arrival));
            }
            if state.left.controls > 0 {
                let sensible =
                    self.controls.iter().filter(|(target, what)| self.control(state, *target, *what).is_some());
                actions.extend(sensible.map(|(target, what)| Happening::Operate(*target, *what, *arrival)));
            }
        }
        actions.extend((0..state.strays.len()).map(Happening::Stray));
        for index in 0..pending(state).len() {
            actions.push(Happening::SendOn(index, Sent::Acknowledged));
            if faulty {
                actions.extend([Sent::Late, Sent::Unacknowledged].map(|sent| Happening::SendOn(index, sent)));
            }
        }
    }

    /// What sweepers may do, and what befalls the store.
    fn sweep(&self, state: &State, actions: &mut Vec<Happening>) {
        for (session, known) in &state.data.sessions {
            if known.revoked {
                actions.push(Happening::Recover(*session));
            } else {
                actions.push(Happening::Fence(*session, known.beats));
                actions.extend(known.beats.checked_sub(1).map(|beats| Happening::Fence(*session, beats)));
            }
        }
        if self.off.contains(&Guard::RecoverRevoked) {
            actions.extend(state.data.sessions.keys().map(|session| Happening::Recover(*session)));
        }
        actions.push(Happening::WakeDue);
        actions.extend(self.unsticks.then_some(Happening::Unstick));
        actions.extend(self.expires.then_some(Happening::Expire));
        actions.extend((state.left.ticks > 0).then_some(Happening::Tick));
        if state.left.losses > 0 {
            actions.push(if state.saved.is_none() { Happening::Save } else { Happening::Lose });
        }
    }

    fn beat(&self, state: &mut State, worker: usize) -> Option<()> {
        state.left.beats -= 1;
        let session = state.workers[worker].session;
        match state.data.sessions.get(&session)?.beat(LEASE, state.now) {
            Some(beaten) => drop(state.data.sessions.insert(session, beaten)),
            None => stop(state, worker),
        }
        Some(())
    }

    /// Deletes as if all retention had passed: what remains is what must not be deleted at any time. Only the copies of
    /// requests live shorter than what they could bring back.
    fn expire(&self, state: &mut State) {
        let repeats = !state.strays.is_empty() || !state.seen.unacknowledged.is_empty();
        let at = if repeats { state.now } else { AFTER_RETENTION };
        self.apply_at(state, &Command::Expire { limit: 8 }, at);
    }

    fn happen(&self, state: &mut State, action: Happening) -> Option<()> {
        match action {
            Happening::Claim(worker, fate) => self.claim(state, worker, fate),
            Happening::Write(worker, id, fate) => self.write(state, worker, &id, fate),
            Happening::Ask(worker, fate) => {
                state.left.leases -= 1;
                self.ask(state, worker, fate);
            }
            Happening::GiveBack(worker, fate) => {
                state.left.leases -= 1;
                self.give_back(state, worker, fate);
            }
            Happening::BodyEnds(worker, id) => state.workers[worker].drivers.get_mut(&id)?.body_ended = true,
            Happening::Crash(worker) => {
                state.left.crashes -= 1;
                stop(state, worker);
            }
            Happening::Beat(worker) => self.beat(state, worker)?,
            Happening::Event(number, arrival) => {
                state.left.events -= 1;
                self.arrive(state, self.event(number), arrival);
            }
            Happening::Operate(target, operation, arrival) => {
                let control = self.control(state, target, operation)?;
                state.left.controls -= 1;
                self.arrive(state, control, arrival);
            }
            Happening::Stray(index) => {
                let command = state.strays.remove(index);
                self.apply(state, &command);
            }
            Happening::SendOn(index, sent) => self.send_on(state, index, sent),
            Happening::Fence(session, beats) => drop(self.apply(state, &Command::Fence { session, beats })),
            Happening::Recover(session) => drop(self.apply(state, &Command::Recover { session, limit: 1 })),
            Happening::WakeDue => drop(self.apply(state, &Command::WakeDue { limit: 8 })),
            Happening::Unstick => {
                self.apply(state, &Command::Unstick { older_than: Duration::ZERO, limit: 8 });
            }
            Happening::Expire => self.expire(state),
            Happening::Tick => {
                state.left.ticks -= 1;
                self.tick(state);
            }
            Happening::Save => self.save(state),
            Happening::Lose => self.lose(state),
        }
        Some(())
    }
}

impl Model for Protocol {
    type State = State;
    type Action = Happening;

    fn init_states(&self) -> Vec<State> {
        vec![self.start()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Happening>) {
        self.work(state, actions);
        self.visit(state, actions);
        self.sweep(state, actions);
    }

    fn next_state(&self, last: &State, action: Happening) -> Option<State> {
        if last.seen.broken.is_some() {
            return None;
        }
        let mut state = last.clone();
        self.happen(&mut state, action)?;
        state.seen.count_tokens(self, &state.data, &state.workers, state.lost);
        // Nothing happened, or only a fault was spent on nothing.
        let happened = state.data != last.data || state.strays != last.strays || state.now != last.now;
        let failed = state.saved != last.saved || state.seen.unacknowledged != last.seen.unacknowledged;
        (happened || failed || state.workers != last.workers).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always("no rule is broken", |_, state: &State| state.seen.broken.is_none()),
            Property::always("what is kept makes sense", |_, state: &State| sound(&state.data)),
            Property::always("no parent is told that a child was not created", |_, state: &State| {
                !state.seen.not_created
            }),
            Property::always("everything goes on when nothing fails any more", |model: &Self, state: &State| {
                state.seen.broken.is_some() || settles(model, state)
            }),
        ];
        properties.extend(self.reaches.iter().map(|(name, reached)| Property::sometimes(name, *reached)));
        properties
    }
}

/// The run of `i` that has come to its own end.
pub(crate) fn completed(state: &State) -> Option<u32> {
    let head = &state.data.instances.get(&instance())?.head;
    matches!(head.place, Place::Done { end: End::Returned(_), .. }).then_some(head.run)
}

/// Whether a claim can find anything. One that had tokens is remembered though it gave nothing, and so would lead to endlessly
/// many states.
fn may_give(data: &Data) -> bool {
    let waits = |head: &Head| match head.place {
        Place::Held { notice, .. } => notice,
        Place::Ready { .. } | Place::Inbox { .. } | Place::Shelved => true,
        _ => false,
    };
    data.instances.values().any(|instance| waits(&instance.head))
        || data.sessions.values().any(|session| !session.lost.is_empty())
}
