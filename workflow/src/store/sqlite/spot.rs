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
            Place::Ready { score } => (ready(&head.spec.queue, head.begun, &head.spec.workflow), *score),
            Place::Shelved => (shelf(&head.spec.workflow, head.spec.version, &head.spec.queue, head.begun), 0),
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

/// The ready list of what has begun of one workflow in a queue, or of what has not; the rank is the score.
pub(super) fn ready(queue: &QueueName, begun: bool, workflow: &WorkflowName) -> Vec<u8> {
    let mut spot = all_ready(queue).0;
    spot.push(class(begun));
    spot.extend_from_slice(workflow.as_str().as_bytes());
    spot
}

/// All ready lists of a queue lie between these two.
pub(super) fn all_ready(queue: &QueueName) -> (Vec<u8>, Vec<u8>) {
    let bound = |end: u8| [&[kind::READY], queue.as_str().as_bytes(), &[end]].concat();
    // No name has a zero byte.
    (bound(0), bound(1))
}

/// Whether a ready list of this queue is of what has begun, and its workflow.
pub(super) fn read_ready(spot: &[u8], queue: &QueueName) -> Option<(bool, WorkflowName)> {
    let (class, workflow) = spot.strip_prefix(all_ready(queue).0.as_slice())?.split_first()?;
    Some((*class == BEGUN, WorkflowName::new(std::str::from_utf8(workflow).ok()?).ok()?))
}

/// The shelf of one version of a workflow in one queue: of what has begun, or of what has not.
pub(super) fn shelf(workflow: &WorkflowName, version: u32, queue: &QueueName, begun: bool) -> Vec<u8> {
    let mut spot = vec![kind::SHELF];
    spot.extend_from_slice(&version.to_be_bytes());
    spot.extend_from_slice(workflow.as_str().as_bytes());
    spot.push(0);
    spot.extend_from_slice(queue.as_str().as_bytes());
    spot.extend_from_slice(&[0, class(begun)]);
    spot
}

/// The workflow, version and queue of a shelf, and whether it is of what has begun.
pub(super) fn read_shelf(spot: &[u8]) -> Option<(WorkflowName, u32, QueueName, bool)> {
    let (version, names) = spot.strip_prefix(&[kind::SHELF])?.split_first_chunk::<4>()?;
    let (names, class) = names.split_last_chunk::<2>().map(|(names, [_, class])| (names, *class))?;
    let (workflow, queue) = std::str::from_utf8(names).ok()?.split_once('\0')?;
    let (workflow, queue) = (WorkflowName::new(workflow).ok()?, QueueName::new(queue).ok()?);
    Some((workflow, u32::from_be_bytes(*version), queue, class == BEGUN))
}

/// What marks the lists of what has begun, and of what has not.
const BEGUN: u8 = b'0';
const NEW: u8 = b'1';

const fn class(begun: bool) -> u8 {
    if begun { BEGUN } else { NEW }
}

/// What was woken for a session; the rank is since when.
pub(super) fn inbox(session: SessionId) -> Vec<u8> {
    with_session(kind::INBOX, session)
}

/// What a session holds; the rank says whether there is a notice for it.
pub(super) fn held(session: SessionId) -> Vec<u8> {
    with_session(kind::HELD, session)
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
        for begun in [true, false] {
            let found = read_shelf(&shelf(&workflow, 300, &queue, begun));
            assert_eq!(found, Some((workflow.clone(), 300, queue.clone(), begun)));
            let list = ready(&queue, begun, &workflow);
            assert_eq!(read_shelf(&list), None);
            assert_eq!(read_ready(&list, &queue), Some((begun, workflow.clone())));
            let (from, to) = all_ready(&queue);
            assert!(from < list && list < to);
            let other = QueueName::new("abcdefgh.").expect("valid");
            assert_eq!(read_ready(&ready(&other, begun, &workflow), &queue), None);
        }
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
