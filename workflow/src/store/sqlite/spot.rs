//! Where an instance is in the indexes: what the columns `state`, `spot` and `rank` hold, derived from its head alone.
//!
//! One index serves every place: an instance is in exactly one, so it has one spot, and a rank that orders it there.
//! Owns the bytes of spots. Never reads or writes rows. Used by every statement that looks for instances by place.

use crate::journal::head::{Head, Place, State};
use crate::words::id::{QueueName, SessionId, WorkflowName};

/// The first byte of each kind of spot.
pub(super) mod kind {
    pub(in super::super) const READY: u8 = b'r';
    pub(in super::super) const SHELF: u8 = b's';
    pub(in super::super) const INBOX: u8 = b'i';
    pub(in super::super) const HELD: u8 = b'h';
    pub(in super::super) const ASLEEP: u8 = b'a';
    pub(in super::super) const PAUSED: u8 = b'p';
    pub(in super::super) const DONE: u8 = b'd';
    /// Set aside because the head cannot be read.
    pub(in super::super) const DAMAGED: u8 = b'x';
}

/// The rank of a held instance with a notice for its owner; without one it is 0.
pub(super) const NOTICED: i64 = 1;

/// The derived columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placement {
    pub(super) state: i64,
    pub(super) spot: Vec<u8>,
    pub(super) rank: i64,
}

impl Placement {
    pub(super) fn of(head: &Head) -> Self {
        let (spot, rank) = match &head.place {
            Place::Ready { score } => (ready(&head.spec.queue), *score),
            Place::Shelved => (shelf(&head.spec.workflow, head.spec.version, &head.spec.queue), 0),
            Place::Inbox { session, since, .. } => (inbox(*session), since.as_millis()),
            Place::Held { session, notice } => (held(*session), if *notice { NOTICED } else { 0 }),
            Place::Asleep { .. } => {
                let due = head.due().expect("what is asleep has a due time, or never");
                (vec![kind::ASLEEP], due.as_millis())
            }
            Place::Paused { since, .. } => (vec![kind::PAUSED], since.as_millis()),
            Place::Done { expires_at, .. } => (vec![kind::DONE], expires_at.as_millis()),
        };
        Self { state: state_number(head.state()), spot, rank }
    }
}

/// The ready list of a queue; the rank is the score.
pub(super) fn ready(queue: &QueueName) -> Vec<u8> {
    with_text(kind::READY, queue.as_str())
}

/// The shelf of one version of a workflow in one queue.
pub(super) fn shelf(workflow: &WorkflowName, version: u32, queue: &QueueName) -> Vec<u8> {
    let mut spot = vec![kind::SHELF];
    spot.extend_from_slice(&version.to_be_bytes());
    spot.extend_from_slice(workflow.as_str().as_bytes());
    // No name has a zero byte.
    spot.push(0);
    spot.extend_from_slice(queue.as_str().as_bytes());
    spot
}

/// The workflow, version and queue of a shelf.
pub(super) fn read_shelf(spot: &[u8]) -> Option<(WorkflowName, u32, QueueName)> {
    let (version, names) = spot.strip_prefix(&[kind::SHELF])?.split_first_chunk::<4>()?;
    let (workflow, queue) = std::str::from_utf8(names).ok()?.split_once('\0')?;
    Some((WorkflowName::new(workflow).ok()?, u32::from_be_bytes(*version), QueueName::new(queue).ok()?))
}

/// What was woken for a session; the rank is since when.
pub(super) fn inbox(session: SessionId) -> Vec<u8> {
    with_session(kind::INBOX, session)
}

/// What a session holds; the rank says whether there is a notice for it.
pub(super) fn held(session: SessionId) -> Vec<u8> {
    with_session(kind::HELD, session)
}

fn with_text(kind: u8, text: &str) -> Vec<u8> {
    let mut spot = Vec::with_capacity(1 + text.len());
    spot.push(kind);
    spot.extend_from_slice(text.as_bytes());
    spot
}

fn with_session(kind: u8, session: SessionId) -> Vec<u8> {
    let mut spot = Vec::with_capacity(17);
    spot.push(kind);
    spot.extend_from_slice(&session.0.to_be_bytes());
    spot
}

/// A state as it is stored.
pub(super) fn state_number(state: State) -> i64 {
    let index = State::ALL.iter().position(|known| *known == state).expect("every state has a number");
    i64::try_from(index).expect("there are seven states")
}

/// A stored state.
pub(super) fn state_of(number: i64) -> Option<State> {
    usize::try_from(number).ok().and_then(|index| State::ALL.get(index).copied())
}

/// Every state's number.
pub(super) fn state_numbers() -> impl Iterator<Item = i64> {
    State::ALL.iter().map(|state| state_number(*state))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spots_read_back_and_do_not_run_into_each_other() {
        let session = SessionId(7);
        assert_ne!(inbox(session), inbox(SessionId(8)));
        assert_ne!(inbox(session), held(session));
        let workflow = WorkflowName::new("order").expect("valid");
        let queue = QueueName::new("abcdefgh").expect("valid");
        assert_eq!(read_shelf(&shelf(&workflow, 300, &queue)), Some((workflow, 300, queue.clone())));
        assert_eq!(read_shelf(&ready(&queue)), None);
    }

    #[test]
    fn states_read_back() {
        for state in State::ALL {
            assert_eq!(state_of(state_number(state)), Some(state));
        }
        assert_eq!(state_of(-1), None);
        assert_eq!(state_of(7), None);
    }
}
