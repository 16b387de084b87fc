//! What calls about a ledger do when they come one at a time.

use support::ledger::{Answer, Call};
use workflow::State;

use super::linear::Sequential;

/// A ledger, as all calls before left it.
///
/// It ends by itself at some moment after its last entry. That moment is taken to be that of the first answer which shows
/// the end: an earlier one explains no more answers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Books {
    life: Life,
    run: u32,
    /// The entries that this run was sent, up to the last.
    entries: Vec<u64>,
    /// The last one is among them.
    closed: bool,
    pause: Pause,
    /// It may have been paused by a quarantine, which nobody asked for.
    may_be_quarantined: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Life {
    Unborn,
    Lives,
    Complete,
    Terminated(u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Pause {
    No,
    /// It is paused, or will be when the bodies that run have ended, if the run does not end with them.
    Asked,
    Yes,
}

impl Books {
    /// There is no such instance.
    pub(crate) const fn unborn(may_be_quarantined: bool) -> Self {
        Self { life: Life::Unborn, run: 0, entries: Vec::new(), closed: false, pause: Pause::No, may_be_quarantined }
    }

    fn begun(&self) -> Self {
        Self { life: Life::Lives, run: self.run + 1, ..Self::unborn(self.may_be_quarantined) }
    }

    fn lives(&self) -> bool {
        self.life == Life::Lives
    }

    fn with(&self, number: u64, last: bool) -> Self {
        let mut next = self.clone();
        if !self.closed {
            next.entries.push(number);
            next.closed = last;
        }
        next
    }

    fn paused(&self, pause: Pause) -> Self {
        Self { pause, ..self.clone() }
    }

    /// It has returned, if it can have.
    fn complete(&self) -> Option<Self> {
        let can = self.lives() && self.closed && self.pause != Pause::Yes;
        (can || self.life == Life::Complete).then(|| Self { life: Life::Complete, pause: Pause::No, ..self.clone() })
    }

    fn terminated(&self, reason: u64) -> Self {
        Self { life: Life::Terminated(reason), pause: Pause::No, ..self.clone() }
    }

    /// It is seen in this state, if it can be.
    fn seen(&self, state: State) -> Option<Self> {
        match state {
            State::Queued | State::Running | State::Waiting => {
                (self.lives() && self.pause != Pause::Yes).then(|| self.clone())
            }
            State::Paused => {
                let can = self.lives() && (self.pause != Pause::No || self.may_be_quarantined);
                can.then(|| self.paused(Pause::Yes))
            }
            State::Complete => self.complete(),
            State::Terminated => matches!(self.life, Life::Terminated(_)).then(|| self.clone()),
            _ => None,
        }
    }

    fn ended(&self) -> Option<Self> {
        if matches!(self.life, Life::Terminated(_)) { Some(self.clone()) } else { self.complete() }
    }

    /// What it does where nothing is known of an answer.
    fn unanswered(&self, call: &Call) -> Option<Self> {
        match call {
            Call::Create => (self.life == Life::Unborn).then(|| self.begun()),
            Call::Send { number, last } => self.lives().then(|| self.with(*number, *last)),
            Call::Pause => (self.lives() && self.pause == Pause::No).then(|| self.paused(Pause::Asked)),
            Call::Resume => (self.lives() && self.pause != Pause::No).then(|| self.paused(Pause::No)),
            Call::Terminate { reason } => self.lives().then(|| self.terminated(*reason)),
            Call::Restart => (self.life != Life::Unborn).then(|| self.begun()),
            Call::Status | Call::Result => None,
        }
    }

    fn answered(&self, call: &Call, answer: &Answer) -> Option<Self> {
        use State::{Paused, Queued, Running, Terminated, Waiting};
        match (call, answer) {
            (Call::Create, Answer::Created) => self.unanswered(call),
            (Call::Create, Answer::Exists(state)) => self.seen(*state),
            (Call::Create, _) => None,
            (_, Answer::NotFound) => (self.life == Life::Unborn).then(|| self.clone()),
            (Call::Send { .. }, Answer::Accepted) => self.unanswered(call),
            (Call::Send { .. }, Answer::Finished) => self.ended(),
            (Call::Pause, Answer::Done(Paused)) => self.lives().then(|| self.paused(Pause::Yes)),
            (Call::Pause, Answer::Done(Running)) => {
                (self.lives() && self.pause != Pause::Yes).then(|| self.paused(Pause::Asked))
            }
            (Call::Resume, Answer::Done(Queued | Running | Waiting)) => {
                let can = self.lives() && (self.pause != Pause::No || self.may_be_quarantined);
                can.then(|| self.paused(Pause::No))
            }
            (Call::Resume, Answer::Refused(state @ (Queued | Running | Waiting))) => {
                if self.pause == Pause::No {
                    self.seen(*state)
                } else {
                    None
                }
            }
            (Call::Terminate { .. }, Answer::Done(Terminated)) => self.unanswered(call),
            (Call::Restart, Answer::Done(Queued)) => self.unanswered(call),
            (Call::Pause | Call::Resume | Call::Terminate { .. }, Answer::Refused(state)) => {
                if state.is_final() {
                    self.seen(*state)
                } else {
                    None
                }
            }
            (Call::Status, Answer::Seen { state, run }) => {
                if *run == self.run {
                    self.seen(*state)
                } else {
                    None
                }
            }
            (Call::Result, Answer::Complete(entries)) => self.complete().filter(|books| books.entries == *entries),
            (Call::Result, Answer::Terminated(reason)) => {
                (self.life == Life::Terminated(*reason)).then(|| self.clone())
            }
            _ => None,
        }
    }
}

impl Sequential for Books {
    type Call = Call;
    type Answer = Answer;

    fn after(&self, call: &Call, answer: Option<&Answer>) -> Vec<Self> {
        let after = answer.map_or_else(|| self.unanswered(call), |answer| self.answered(call, answer));
        after.into_iter().collect()
    }
}

/// That the search and the books refuse what cannot have happened, and nothing else.
#[cfg(test)]
mod tests {
    use super::super::linear::{Event, check};
    use super::*;

    type Told = Event<Call, Answer>;

    const SEND: Call = Call::Send { number: 1, last: false };
    const CLOSE: Call = Call::Send { number: 2, last: true };
    const END: Call = Call::Terminate { reason: 9 };

    /// One after the other.
    fn one_by_one(calls: &[(Call, Answer)]) -> Vec<Told> {
        let event = |(at, (call, answer)): (usize, &(Call, Answer))| Event {
            call: *call,
            begins: 2 * at,
            ends: Some((2 * at + 1, answer.clone())),
        };
        calls.iter().enumerate().map(event).collect()
    }

    fn created(then: &[(Call, Answer)]) -> Vec<Told> {
        one_by_one(&[&[(Call::Create, Answer::Created)], then].concat())
    }

    fn seen(state: State, run: u32) -> (Call, Answer) {
        (Call::Status, Answer::Seen { state, run })
    }

    fn fits(events: &[Told]) -> bool {
        check(Books::unborn(false), events).is_ok()
    }

    fn accepted(call: Call) -> (Call, Answer) {
        (call, Answer::Accepted)
    }

    fn paused() -> (Call, Answer) {
        (Call::Pause, Answer::Done(State::Paused))
    }

    #[test]
    fn what_can_happen_is_accepted() {
        let result = |entries: &[u64]| (Call::Result, Answer::Complete(entries.to_vec()));
        for history in [
            created(&[accepted(SEND), accepted(CLOSE), result(&[1, 2]), seen(State::Complete, 1)]),
            created(&[accepted(CLOSE), accepted(SEND), result(&[2]), (SEND, Answer::Finished)]),
            created(&[paused(), seen(State::Paused, 1), (Call::Resume, Answer::Done(State::Queued))]),
            created(&[accepted(SEND), (Call::Restart, Answer::Done(State::Queued)), accepted(CLOSE), result(&[2])]),
            created(&[(END, Answer::Done(State::Terminated)), (Call::Result, Answer::Terminated(9))]),
            created(&[(Call::Pause, Answer::Done(State::Running)), accepted(CLOSE), result(&[2])]),
            created(&[accepted(CLOSE), (Call::Pause, Answer::Refused(State::Complete)), result(&[2])]),
            one_by_one(&[(Call::Status, Answer::NotFound), (Call::Create, Answer::Created)]),
        ] {
            assert_eq!(check(Books::unborn(false), &history), Ok(()));
        }
    }

    #[test]
    fn what_cannot_happen_is_refused() {
        let result = |entries: &[u64]| (Call::Result, Answer::Complete(entries.to_vec()));
        let restarted = (Call::Restart, Answer::Done(State::Queued));
        for (why, history) in [
            ("an accepted entry is lost", created(&[accepted(SEND), accepted(CLOSE), result(&[2])])),
            ("one is there twice", created(&[accepted(SEND), accepted(CLOSE), result(&[1, 1, 2])])),
            ("the order is another", created(&[accepted(CLOSE), accepted(SEND), result(&[1, 2])])),
            ("nobody sent it", created(&[accepted(CLOSE), result(&[3, 2])])),
            ("it ended without a last entry", created(&[accepted(SEND), result(&[1])])),
            ("two made it", created(&[(Call::Create, Answer::Created)])),
            ("it was there, and is not", created(&[(Call::Status, Answer::NotFound)])),
            ("it was seen before it was there", one_by_one(&[seen(State::Queued, 1), (Call::Create, Answer::Created)])),
            ("it is paused and waits", created(&[paused(), seen(State::Waiting, 1)])),
            ("it ended while it was paused", created(&[accepted(CLOSE), paused(), result(&[2])])),
            ("nobody paused it", created(&[seen(State::Paused, 1)])),
            ("nobody paused it, and it was resumed", created(&[(Call::Resume, Answer::Done(State::Queued))])),
            ("it was paused, and not resumed", created(&[paused(), (Call::Resume, Answer::Refused(State::Paused))])),
            (
                "it ended twice",
                created(&[(END, Answer::Done(State::Terminated)), (END, Answer::Done(State::Terminated))]),
            ),
            (
                "it ended twice, in two ways",
                created(&[accepted(CLOSE), (END, Answer::Done(State::Terminated)), result(&[2])]),
            ),
            ("it has ended and runs", created(&[accepted(CLOSE), result(&[2]), seen(State::Running, 1)])),
            ("it has ended and takes entries", created(&[accepted(CLOSE), result(&[2]), accepted(SEND)])),
            (
                "an entry of the run before",
                created(&[accepted(SEND), restarted.clone(), accepted(CLOSE), result(&[1, 2])]),
            ),
            ("the restart is forgotten", created(&[restarted.clone(), seen(State::Waiting, 1)])),
            ("nobody restarted it", created(&[seen(State::Waiting, 2)])),
            (
                "another reason",
                created(&[(END, Answer::Done(State::Terminated)), (Call::Result, Answer::Terminated(8))]),
            ),
            ("what nobody expects", created(&[(Call::Status, Answer::Odd(String::new()))])),
        ] {
            assert!(!fits(&history), "{why}: {history:?}");
        }
    }

    #[test]
    fn calls_that_overlap_may_take_effect_in_either_order() {
        let overlapping = |answer: Vec<u64>| {
            let create = Event { call: Call::Create, begins: 0, ends: Some((1, Answer::Created)) };
            let one = Event { call: SEND, begins: 2, ends: Some((5, Answer::Accepted)) };
            let other = Event { call: CLOSE, begins: 3, ends: Some((4, Answer::Accepted)) };
            let result = Event { call: Call::Result, begins: 6, ends: Some((7, Answer::Complete(answer))) };
            [create, one, other, result]
        };
        assert!(fits(&overlapping(vec![1, 2])));
        assert!(fits(&overlapping(vec![2])));
        assert!(!fits(&overlapping(vec![1])));
    }

    #[test]
    fn what_has_no_answer_may_take_effect_once_at_any_later_time_or_never() {
        let history = |answers: [Vec<u64>; 2]| {
            let mut events = created(&[
                accepted(CLOSE),
                (Call::Restart, Answer::Done(State::Queued)),
                accepted(CLOSE),
                (Call::Result, Answer::Complete(answers[1].clone())),
            ]);
            events.insert(2, Event { call: SEND, begins: 2, ends: None });
            let first = Event { call: Call::Result, begins: 3, ends: Some((4, Answer::Complete(answers[0].clone()))) };
            if !answers[0].is_empty() {
                events.push(first);
            }
            events
        };
        assert!(fits(&history([vec![], vec![2]])), "never");
        assert!(fits(&history([vec![], vec![1, 2]])), "after the restart");
        assert!(fits(&history([vec![1, 2], vec![2]])), "before it");
        assert!(!fits(&history([vec![1, 2], vec![1, 2]])), "twice");
        let mut early = created(&[(Call::Status, Answer::NotFound)]);
        early[0] = Event { call: Call::Create, begins: 4, ends: None };
        early.push(Event {
            call: Call::Status,
            begins: 0,
            ends: Some((1, Answer::Seen { state: State::Queued, run: 1 })),
        });
        assert!(!fits(&early), "not before it begins");
    }

    #[test]
    fn only_a_quarantine_pauses_what_nobody_paused() {
        let history = created(&[seen(State::Paused, 1), (Call::Resume, Answer::Done(State::Queued))]);
        assert!(!fits(&history));
        assert_eq!(check(Books::unborn(true), &history), Ok(()));
    }
}
