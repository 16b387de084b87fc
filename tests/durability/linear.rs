//! Whether a history of calls that overlap could have happened one at a time: the search of Wing and Gong, with a memory
//! of what was tried.
//!
//! A call takes effect at one moment between its beginning and its answer. One that has no answer may take effect at any
//! moment after its beginning, or never. Knows nothing of workflows. See [`super::books`] for what calls do.

use std::collections::HashSet;
use std::fmt::Debug;
use std::hash::Hash;

/// What calls do, one at a time.
pub(crate) trait Sequential: Clone + Eq + Hash + Debug {
    type Call: Debug + Clone;
    type Answer: Debug + Clone;

    /// The states that a call may lead to that is answered so; none when it cannot be answered so in this state. Without
    /// an answer: the states that it leads to when it takes effect.
    fn after(&self, call: &Self::Call, answer: Option<&Self::Answer>) -> Vec<Self>;
}

/// One call.
#[derive(Debug, Clone)]
pub(crate) struct Event<C, A> {
    pub(crate) call: C,
    /// When it began.
    pub(crate) begins: usize,
    /// When it was answered, and with what.
    pub(crate) ends: Option<(usize, A)>,
}

/// The most calls of one history.
const CALLS_MAX: usize = 128;
/// The most steps of one search: only a history of very many calls at a time takes them.
const STEPS_MAX: usize = 5_000_000;

/// Whether the history could have happened one at a time.
///
/// # Errors
/// The calls that fit longest, and the state after them, for people.
pub(crate) fn check<S: Sequential>(start: S, events: &[Event<S::Call, S::Answer>]) -> Result<(), String> {
    assert!(events.len() <= CALLS_MAX, "{} calls are too many to search", events.len());
    let mut search = Search { events, tried: HashSet::new(), steps: 0, best: (0, Vec::new(), start.clone()) };
    if search.from(&start, 0, &mut Vec::new()) {
        return Ok(());
    }
    let (_, order, state) = &search.best;
    let order: Vec<_> = order.iter().map(|index| format!("{index}: {:?}", events[*index])).collect();
    let all: Vec<_> = events.iter().enumerate().map(|(index, event)| format!("{index}: {event:?}")).collect();
    Err(format!(
        "no order of these calls explains the answers:\n{}\nthe longest that does is\n{}\nand leads to {state:?}",
        all.join("\n"),
        order.join("\n")
    ))
}

struct Search<'a, S: Sequential> {
    events: &'a [Event<S::Call, S::Answer>],
    /// Sets of calls that took effect, with the state they led to, from which no way leads on.
    tried: HashSet<(u128, S)>,
    steps: usize,
    /// How many answers were explained at most, in which order, leading to what.
    best: (usize, Vec<usize>, S),
}

impl<S: Sequential> Search<'_, S> {
    fn from(&mut self, state: &S, done: u128, order: &mut Vec<usize>) -> bool {
        let open = |index: &usize| done & (1 << index) == 0;
        let indices = || 0..self.events.len();
        // Whatever takes effect next began before anything that is still to take effect was answered.
        let answers = indices().filter(open).filter_map(|index| self.events[index].ends.as_ref());
        let Some(first_answer) = answers.map(|(at, _)| *at).min() else { return true };
        let explained = order.iter().filter(|index| self.events[**index].ends.is_some()).count();
        if explained > self.best.0 {
            self.best = (explained, order.clone(), state.clone());
        }
        if !self.tried.insert((done, state.clone())) {
            return false;
        }
        self.steps += 1;
        assert!(self.steps <= STEPS_MAX, "a history of {} calls is too wide to search", self.events.len());
        let next: Vec<usize> =
            indices().filter(open).filter(|index| self.events[*index].begins < first_answer).collect();
        for index in next {
            let Event { call, ends, .. } = &self.events[index];
            for after in state.after(call, ends.as_ref().map(|(_, answer)| answer)) {
                order.push(index);
                if self.from(&after, done | (1 << index), order) {
                    return true;
                }
                order.pop();
            }
        }
        false
    }
}
