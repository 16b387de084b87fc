//! What can happen next, and what it does: clients, operators, two workers, a sweeper, and a network that loses, repeats
//! and delays.

use std::sync::Arc;
use std::time::Duration;

use stateright::{Model, Property};
use workflow::journal::command::{
    Action as Control, Claim, ClaimReply, Command, Control as ControlCommand, Create, OwnReply, OwnerWrite, Reply, Send,
};
use workflow::journal::head::{End, Place};
use workflow::journal::message::NewMessage;
use workflow::journal::table::outbox;
use workflow::words::id::{InstanceId, QueueName, RequestId, SessionId, WorkflowName};
use workflow::words::payload::Payload;
use workflow::words::time::Timestamp;

use crate::guards::{self, Guard};
use crate::program::{self, Program, TIMER_MS};
use crate::rules::{Step, sound};
use crate::settle::{Settled, settles};
use crate::state::{Budgets, Driver, Seen, State, Worker};

/// The lease of every session: one tick of the clock.
const LEASE: Duration = Duration::from_millis(TIMER_MS.unsigned_abs());

/// One world to explore.
#[derive(Debug, Clone)]
pub(crate) struct Protocol {
    pub(crate) program: Program,
    pub(crate) workers: u8,
    pub(crate) budgets: Budgets,
    /// What operators may do.
    pub(crate) controls: Vec<Control>,
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
    BodyEnds(usize, InstanceId),
    Crash(usize),
    Beat(usize),
    /// A client sends an event; when it is repeated, the copy arrives at any time.
    Event(u8, bool),
    /// An operator, likewise.
    Operate(Control, bool),
    Stray(usize),
    SendOn {
        index: usize,
        late: bool,
    },
    /// The sweeper fences a session whose beat counter it saw now, or a beat ago.
    Fence(SessionId, u64),
    Recover(SessionId),
    WakeDue,
    Unstick,
    Expire,
    Tick,
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
        };
        for number in 0..self.workers {
            let session = SessionId(u128::from(number) + 1);
            state.workers.push(Worker::new(session));
            self.apply(&mut state, &Command::OpenSession { session, lease: LEASE });
        }
        let create =
            Create { request: RequestId(0), id: instance(), spec: self.program.spec(None), local: None, message: None };
        self.apply(&mut state, &Command::Create(create));
        state
    }

    pub(crate) fn claim(&self, state: &mut State, worker: usize, fate: Fate) {
        let it = &state.workers[worker];
        let claim = it.claim.clone().unwrap_or_else(|| Claim {
            number: it.claims + 1,
            session: it.session,
            limit: 8,
            queues: Arc::new([QueueName::new("q").expect("valid")]),
            known: ["steps", "two-events", "event-or-timer", "event-or-body", "parent"]
                .map(|name| (WorkflowName::new(name).expect("valid"), 1))
                .into(),
            quotas: Vec::new(),
            limits: Vec::new(),
        });
        let command = Command::Claim(claim.clone());
        if let Some(Reply::Claim(reply)) = self.send(state, &command, fate) {
            self.claimed(state, worker, reply);
        } else {
            state.workers[worker].claim = Some(claim);
        }
    }

    fn claimed(&self, state: &mut State, worker: usize, reply: ClaimReply) {
        let ClaimReply::Given { instances, notices, .. } = reply else { return stop(state, worker) };
        let it = &mut state.workers[worker];
        it.claim = None;
        it.claims += u64::from(!instances.is_empty() || !notices.is_empty());
        for claimed in instances {
            let journal = state.data.instances.get(&claimed.id).and_then(|found| found.journals.get(&claimed.run));
            let driver = Driver::new(it.session, claimed, journal.map_or(&[][..], Vec::as_slice));
            it.drivers.insert(driver.owner.id.clone(), driver);
        }
        for id in notices {
            if let Some(driver) = it.drivers.get_mut(&id) {
                driver.noticed = true;
            }
        }
    }

    pub(crate) fn write(&self, state: &mut State, worker: usize, id: &InstanceId, fate: Fate) {
        let Some(driver) = state.workers[worker].drivers.get(id) else { return };
        let Some(request) = driver.request() else { return };
        let command = Command::Own(request.clone());
        if let Some(Reply::Own(reply)) = self.send(state, &command, fate) {
            self.wrote(state, worker, &request, reply);
        } else if let Some(driver) = state.workers[worker].drivers.get_mut(id) {
            driver.write = Some(request);
        }
    }

    fn wrote(&self, state: &mut State, worker: usize, request: &OwnerWrite, reply: OwnReply) {
        use workflow::journal::command::Then;
        let drivers = &mut state.workers[worker].drivers;
        match reply {
            OwnReply::Ok(granted) if matches!(request.write.then, Then::Hold) => {
                if let Some(driver) = drivers.get_mut(&request.owner.id) {
                    driver.wrote(request, granted);
                }
            }
            OwnReply::Continue(granted) => {
                if let Some(driver) = drivers.get_mut(&request.owner.id) {
                    driver.wrote(request, granted);
                }
            }
            OwnReply::Fenced => stop(state, worker),
            OwnReply::Behind => state.seen.broken = state.seen.broken.or(Some("a loss was reported that was none")),
            OwnReply::Full => state.seen.broken = state.seen.broken.or(Some("a journal is full that is not")),
            OwnReply::Ok(_) | OwnReply::Stale | OwnReply::Gone => {
                drivers.remove(&request.owner.id);
            }
        }
    }

    /// A request and what becomes of it. `None` when no reply comes.
    fn send(&self, state: &mut State, command: &Command, fate: Fate) -> Option<Reply> {
        match fate {
            Fate::Answered => Some(self.apply(state, command)),
            Fate::ReplyLost => {
                state.left.faults -= 1;
                self.apply(state, command);
                None
            }
            Fate::Delayed => {
                state.left.faults -= 1;
                state.strays.push(command.clone());
                None
            }
        }
    }

    /// A request whose reply does not matter, and a copy of it that arrives at any time.
    fn send_and_repeat(&self, state: &mut State, command: Command, repeated: bool) {
        self.apply(state, &command);
        if repeated {
            state.left.faults -= 1;
            state.strays.push(command);
        }
    }

    /// The process starts anew with a session of its own. Only when everything settles: until then the other worker is
    /// the new one.
    pub(crate) fn reboot(&self, state: &mut State, worker: usize) {
        let session = SessionId(state.workers[worker].session.0 + u128::from(self.workers));
        state.workers[worker] = Worker::new(session);
        self.apply(state, &Command::OpenSession { session, lease: LEASE });
    }

    pub(crate) fn send_on(&self, state: &mut State, index: usize, late: bool) {
        let Some((source, number, command)) = pending(state).into_iter().nth(index) else { return };
        self.apply(state, &command);
        if late {
            state.left.faults -= 1;
            state.strays.push(command);
        }
        self.apply(state, &Command::Sent { source, numbers: vec![number] });
    }

    pub(crate) fn tick(&self, state: &mut State) {
        state.now = state.now.shifted(TIMER_MS);
    }

    fn event(&self, number: u8) -> Command {
        let message = NewMessage {
            channel: program::event(),
            event_id: format!("e{number}").into(),
            payload: Payload::from_bytes(*b""),
        };
        Command::Send(Send { id: instance(), run: None, message })
    }
}

/// A worker is gone: it crashed, or it found out that it is fenced.
fn stop(state: &mut State, worker: usize) {
    let session = state.workers[worker].session;
    state.workers[worker] = Worker { up: false, ..Worker::new(session) };
}

/// The oldest outgoing command of each instance, as a sender sends it.
pub(crate) fn pending(state: &State) -> Vec<(InstanceId, u64, Command)> {
    let first = |(id, instance): (&InstanceId, &workflow::store::model::Instance)| {
        let (number, (_, outgoing)) = instance.outbox.first_key_value()?;
        Some((id.clone(), *number, outbox::command(id, *number, outgoing)))
    };
    state.data.instances.iter().filter_map(first).collect()
}

impl Model for Protocol {
    type State = State;
    type Action = Happening;

    fn init_states(&self) -> Vec<State> {
        vec![self.start()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Happening>) {
        let fates = |actions: &mut Vec<Happening>, number: usize, of: &dyn Fn(Fate) -> Happening| {
            actions.push(of(Fate::Answered));
            if number == 0 && self.workers_fail && state.left.faults > 0 {
                actions.extend([Fate::ReplyLost, Fate::Delayed].map(of));
            }
        };
        for (number, worker) in state.workers.iter().enumerate() {
            if !worker.up {
                continue;
            }
            fates(actions, number, &|fate| Happening::Claim(number, fate));
            for (id, driver) in &worker.drivers {
                if driver.request().is_some() {
                    fates(actions, number, &|fate| Happening::Write(number, id.clone(), fate));
                }
                if driver.program == Program::EventOrBody && !driver.body_ended {
                    actions.push(Happening::BodyEnds(number, id.clone()));
                }
            }
            // The workers are alike: it is enough that the first one crashes, or beats.
            if number == 0 && state.left.crashes > 0 {
                actions.push(Happening::Crash(number));
            }
            if number == 0 && state.left.beats > 0 {
                actions.push(Happening::Beat(number));
            }
        }
        let repeats: &[bool] = if state.left.faults > 0 { &[false, true] } else { &[false] };
        for repeated in repeats {
            if state.left.events > 0 {
                actions.push(Happening::Event(state.left.events, *repeated));
            }
            if state.left.controls > 0 {
                let operate = |control: &Control| Happening::Operate(control.clone(), *repeated);
                actions.extend(self.controls.iter().map(operate));
            }
        }
        actions.extend((0..state.strays.len()).map(Happening::Stray));
        for index in 0..pending(state).len() {
            actions.push(Happening::SendOn { index, late: false });
            if state.left.faults > 0 {
                actions.push(Happening::SendOn { index, late: true });
            }
        }
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
        if self.unsticks {
            actions.push(Happening::Unstick);
        }
        if self.expires {
            actions.push(Happening::Expire);
        }
        if state.left.ticks > 0 {
            actions.push(Happening::Tick);
        }
    }

    fn next_state(&self, last: &State, action: Happening) -> Option<State> {
        if last.seen.broken.is_some() {
            return None;
        }
        let mut state = last.clone();
        match action {
            Happening::Claim(worker, fate) => self.claim(&mut state, worker, fate),
            Happening::Write(worker, id, fate) => self.write(&mut state, worker, &id, fate),
            Happening::BodyEnds(worker, id) => {
                state.workers[worker].drivers.get_mut(&id)?.body_ended = true;
            }
            Happening::Crash(worker) => {
                state.left.crashes -= 1;
                stop(&mut state, worker);
            }
            Happening::Beat(worker) => {
                state.left.beats -= 1;
                let session = state.workers[worker].session;
                let beaten = state.data.sessions.get(&session)?.beat(LEASE, state.now);
                match beaten {
                    Some(beaten) => {
                        state.data.sessions.insert(session, beaten);
                    }
                    None => stop(&mut state, worker),
                }
            }
            Happening::Event(number, repeated) => {
                state.left.events -= 1;
                self.send_and_repeat(&mut state, self.event(number), repeated);
            }
            Happening::Operate(control, repeated) => {
                let request = RequestId(u128::from(state.left.controls) + 1);
                state.left.controls -= 1;
                let control = ControlCommand { request, id: instance(), run: None, action: control };
                self.send_and_repeat(&mut state, Command::Control(control), repeated);
            }
            Happening::Stray(index) => {
                let command = state.strays.remove(index);
                self.apply(&mut state, &command);
            }
            Happening::SendOn { index, late } => self.send_on(&mut state, index, late),
            Happening::Fence(session, beats) => {
                self.apply(&mut state, &Command::Fence { session, beats });
            }
            Happening::Recover(session) => {
                self.apply(&mut state, &Command::Recover { session, limit: 1 });
            }
            Happening::WakeDue => {
                self.apply(&mut state, &Command::WakeDue { limit: 8 });
            }
            Happening::Unstick => {
                self.apply(&mut state, &Command::Unstick { older_than: Duration::ZERO, limit: 8 });
            }
            Happening::Expire => {
                // As if all retention had passed: what remains is what must not be deleted at any time.
                self.apply_at(&mut state, &Command::Expire { limit: 8 }, Timestamp::MAX);
            }
            Happening::Tick => {
                state.left.ticks -= 1;
                self.tick(&mut state);
            }
        }
        // Nothing happened, or only a fault was spent on nothing.
        let happened = state.data != last.data || state.strays != last.strays || state.now != last.now;
        (happened || state.workers != last.workers).then_some(state)
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
