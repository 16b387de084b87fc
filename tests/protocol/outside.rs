//! What happens to the workers' store from outside: clients, operators, senders of outboxes, the clock, and its own losses.

use workflow::journal::command::{Action, Command, Control, Send};
use workflow::journal::message::NewMessage;
use workflow::journal::path::Path;
use workflow::journal::table::outbox;
use workflow::store::model::Instance;
use workflow::words::id::{InstanceId, RequestId};
use workflow::words::payload::Payload;

use crate::guards::Guard;
use crate::model::{Protocol, instance};
use crate::program::{self, TIMER_MS, child_of};
use crate::state::State;

/// What an operator does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Operation {
    Pause,
    Resume,
    Terminate,
    Restart,
    /// From the operation that as many records came before.
    RestartFrom(u8),
    Delete,
}

/// To whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Target {
    Instance,
    /// The child of its first run.
    Child,
}

impl Target {
    pub(crate) fn id(self) -> InstanceId {
        match self {
            Self::Instance => instance(),
            Self::Child => child_of(&instance(), 1),
        }
    }
}

/// How a request from outside comes, whose reply does not matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Arrival {
    Once,
    /// At once, and a copy of it at any time.
    Repeated,
    /// At any time.
    Late,
}

impl Arrival {
    /// How it may come, with a fault to spend or without.
    pub(crate) const fn all(faulty: bool) -> &'static [Self] {
        if faulty { &[Self::Once, Self::Repeated, Self::Late] } else { &[Self::Once] }
    }
}

/// What becomes of a command of an outbox that was carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Sent {
    Acknowledged,
    /// Another sender sends it as well: its copy arrives at any time.
    Late,
    /// Its sender died: it will be sent again.
    Unacknowledged,
}

impl Protocol {
    /// What an operator asks for, who has looked at the instance as it is now. `None` when it makes no sense.
    pub(crate) fn control(&self, state: &State, target: Target, operation: Operation) -> Option<Command> {
        let id = target.id();
        let found = state.data.instances.get(&id);
        let action = match operation {
            Operation::Pause => Action::Pause,
            Operation::Resume => Action::Resume,
            Operation::Terminate => Action::Terminate { reason: String::new() },
            Operation::Restart => Action::Restart,
            Operation::RestartFrom(kept) => restart_from(found?, kept)?,
            Operation::Delete => Action::Delete,
        };
        let request = RequestId(u128::from(state.left.controls) + 1);
        Some(Command::Control(Control { request, id, run: None, action }))
    }

    pub(crate) fn event(&self, number: u8) -> Command {
        let message = NewMessage {
            channel: program::event(),
            event_id: format!("e{number}").into(),
            payload: Payload::from_bytes(*b""),
        };
        Command::Send(Send { id: instance(), run: None, message })
    }

    pub(crate) fn arrive(&self, state: &mut State, command: Command, arrival: Arrival) {
        if arrival != Arrival::Late {
            self.apply(state, &command);
        }
        if arrival != Arrival::Once {
            state.left.faults -= 1;
            state.strays.push(command);
        }
    }

    pub(crate) fn send_on(&self, state: &mut State, index: usize, sent: Sent) {
        let Some((source, number, command)) = pending(state).into_iter().nth(index) else { return };
        self.apply(state, &command);
        let key = (source, number);
        match sent {
            Sent::Unacknowledged => {
                state.left.faults -= 1;
                state.seen.unacknowledged.insert(key);
                return;
            }
            Sent::Late => {
                state.left.faults -= 1;
                state.strays.push(command);
            }
            Sent::Acknowledged => {}
        }
        state.seen.unacknowledged.remove(&key);
        self.apply(state, &Command::Sent { source: key.0, numbers: vec![number] });
    }

    pub(crate) fn tick(&self, state: &mut State) {
        state.now = state.now.shifted(TIMER_MS);
    }

    /// From here on nothing that the store acknowledges outlives its next failover.
    pub(crate) fn save(&self, state: &mut State) {
        state.saved = Some(Box::new((state.data.clone(), state.seen.clone())));
    }

    /// The store goes back to what was saved. That takes time: no version that was lost is given again.
    pub(crate) fn lose(&self, state: &mut State) {
        let Some(saved) = state.saved.take() else { return };
        let (data, mut seen) = *saved;
        let v = |instance: Option<&Instance>| instance.map_or(0, |instance| instance.head.v);
        for (id, lost) in &state.data.instances {
            let kept = v(data.instances.get(id));
            if kept < lost.head.v {
                seen.lost_versions.insert(id.clone(), (kept, lost.head.v));
            }
        }
        seen.broken = state.seen.broken;
        (state.data, state.seen, state.lost) = (data, seen, true);
        state.left.losses -= 1;
        if !self.off.contains(&Guard::LossTakesTime) {
            self.tick(state);
        }
    }
}

/// The operation of the run whose records this one has or will have, if it has come to it.
fn restart_from(found: &Instance, kept: u8) -> Option<Action> {
    let open = found.head.fork.as_ref().filter(|fork| fork.open);
    let source = open.map_or(found.head.run, |fork| fork.source);
    let has = crate::rules::records(found, source).len() > usize::from(kept);
    has.then(|| Action::RestartFrom { path: Path::from_recorded(&kept.to_string()), source })
}

/// The oldest outgoing command of each instance, as a sender sends it.
pub(crate) fn pending(state: &State) -> Vec<(InstanceId, u64, Command)> {
    let first = |(id, instance): (&InstanceId, &Instance)| {
        let (number, (_, outgoing)) = instance.outbox.first_key_value()?;
        Some((id.clone(), *number, outbox::command(id, *number, outgoing)))
    };
    state.data.instances.iter().filter_map(first).collect()
}
