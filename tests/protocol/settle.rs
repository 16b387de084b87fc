//! Whether an instance is stuck: from any state, when nothing fails any more and the clock goes on, everything comes to
//! its end, or to a wait that nothing it was sent can end.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex};

use workflow::journal::command::{Command, ParentClose};
use workflow::journal::head::Place;
use workflow::store::model::Instance;
use workflow::words::id::InstanceId;

use crate::model::{Fate, Protocol};
use crate::outside::{Sent, pending};
use crate::program::{Program, STEPS};
use crate::rules::records;
use crate::state::State;

/// Enough rounds for every program to end from anywhere; each round does everything that can be done.
fn rounds_max() -> usize {
    16 + 4 * *STEPS
}

/// States from which everything is known to come to its end. Many states lead to one: each is walked from once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settled(Arc<Mutex<HashSet<u64>>>);

impl Settled {
    fn knows(&self, fingerprint: u64) -> bool {
        self.0.lock().expect("no thread panics while it holds this").contains(&fingerprint)
    }

    fn learn(&self, fingerprints: Vec<u64>) {
        self.0.lock().expect("no thread panics while it holds this").extend(fingerprints);
    }
}

/// Whether everything comes to its end from here.
pub(crate) fn settles(model: &Protocol, from: &State) -> bool {
    let mut state = from.clone();
    state.strays.clear();
    let mut walked = Vec::new();
    for _ in 0..rounds_max() {
        let fingerprint = fingerprint(&state);
        if model.settled.knows(fingerprint) || all_rest(&state) {
            model.settled.learn(walked);
            return true;
        }
        walked.push(fingerprint);
        round(model, &mut state);
        if state.seen.broken.is_some() {
            return false;
        }
    }
    false
}

/// All that matters for what follows when nothing fails any more.
fn fingerprint(state: &State) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&state.data, state.now, &state.workers, &state.seen.paused, &state.seen.controls, state.lost).hash(&mut hasher);
    hasher.finish()
}

fn all_rest(state: &State) -> bool {
    state.data.instances.iter().all(|(id, instance)| {
        instance.outbox.is_empty() && rests(state, id, instance) && !outlives_its_parent(state, instance)
    })
}

/// Whether it goes on though the run that started it is over, which closes its children. One that an operator started anew
/// is nobody's child any more.
fn outlives_its_parent(state: &State, instance: &Instance) -> bool {
    let Some(parent) = instance.head.spec.parent.as_ref().filter(|_| instance.head.run == 1) else { return false };
    let head = state.data.instances.get(&parent.id).map(|found| &found.head);
    let over = head.is_none_or(|head| head.run != parent.run || matches!(head.place, Place::Done { .. }));
    over && parent.on_close == ParentClose::Terminate && !matches!(instance.head.place, Place::Done { .. })
}

/// One round in which nothing fails: dead workers are found out, living ones do what they can and are never fenced.
fn round(model: &Protocol, state: &mut State) {
    for worker in 0..state.workers.len() {
        if !state.workers[worker].up {
            model.reboot(state, worker);
        }
        if model.limit.is_some_and(|limit| state.workers[worker].hand.share < limit) {
            model.ask(state, worker, Fate::Answered);
        }
        model.claim(state, worker, Fate::Answered);
        let ids: Vec<InstanceId> = state.workers[worker].drivers.keys().cloned().collect();
        for id in ids {
            // Others wait for its token: the body ends at last.
            if let Some(driver) = state.workers[worker].drivers.get_mut(&id).filter(|_| model.limit.is_some()) {
                driver.body_ended |= driver.program == Program::EventOrBody;
            }
            model.write(state, worker, &id, Fate::Answered);
        }
        if state.workers[worker].idle() > 0 || state.workers[worker].hand.unsure {
            model.give_back(state, worker, Fate::Answered);
        }
    }
    while !pending(state).is_empty() {
        model.send_on(state, 0, Sent::Acknowledged);
    }
    model.tick(state);
    bury(model, state);
    model.apply(state, &Command::WakeDue { limit: 8 });
}

/// Sessions that no worker has any more are fenced and recovered.
fn bury(model: &Protocol, state: &mut State) {
    let living: Vec<_> = state.workers.iter().filter(|worker| worker.up).map(|worker| worker.session).collect();
    let dead: Vec<_> = state.data.sessions.iter().map(|(session, known)| (*session, known.beats)).collect();
    for (session, beats) in dead.into_iter().filter(|(session, _)| !living.contains(session)) {
        model.apply(state, &Command::Fence { session, beats });
        model.apply(state, &Command::Recover { session, limit: 8 });
    }
}

/// Whether there is nothing to do for an instance: it has ended, is paused as its operator wants, or waits for what was
/// never sent.
fn rests(state: &State, id: &InstanceId, instance: &Instance) -> bool {
    match &instance.head.place {
        Place::Done { .. } => true,
        Place::Paused { .. } => state.seen.paused.contains(id),
        Place::Asleep { .. } => waits_in_vain(id, instance),
        Place::Held { session, .. } => {
            let driven = |worker: &crate::state::Worker| worker.session == *session && worker.drivers.contains_key(id);
            state.workers.iter().any(driven) && waits_in_vain(id, instance)
        }
        Place::Ready { .. } | Place::Shelved | Place::Inbox { .. } => false,
    }
}

/// It waits for a message, and none of that channel is in its mailbox.
fn waits_in_vain(id: &InstanceId, instance: &Instance) -> bool {
    let (program, run) = (Program::of(&instance.head.spec), instance.head.run);
    let Some(channel) = program.awaits(id, run, &records(instance, run)) else { return false };
    // A timer ends this wait in any case.
    program != Program::EventOrTimer && !instance.mailbox.values().any(|message| message.message.channel == channel)
}
