//! What answers instead of step bodies, and which bodies were asked for.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::authoring::run::{Answer, Attempt, StandIn};
use crate::journal::path::Path;
use crate::words::failure::FailureData;
use crate::words::id::InstanceId;
use crate::words::payload::Payload;

/// The answers of a test, by the name of the step, with or without a key.
#[derive(Default)]
pub(super) struct Mocks(Mutex<State>);

#[derive(Default)]
struct State {
    rules: HashMap<(String, Option<String>), Rule>,
    /// The attempts that began, in their order.
    begun: Vec<Begun>,
}

#[derive(Default)]
struct Rule {
    /// How many attempts fail, and how; used up first.
    failures: VecDeque<(u32, FailureData)>,
    answer: Option<Answer>,
}

/// An attempt that began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Begun {
    pub(super) instance: InstanceId,
    pub(super) path: Path,
    pub(super) attempt: u32,
}

impl Mocks {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing runs under the lock that could panic half way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn answer(&mut self, name: &str, key: Option<String>, ended: Result<Payload, FailureData>) {
        self.rule(name, key, |rule| rule.answer = Some(Answer::End(ended)));
    }

    pub(super) fn fail(&mut self, name: &str, key: Option<String>, times: u32, failure: FailureData) {
        self.rule(name, key, |rule| rule.failures.push_back((times, failure)));
    }

    pub(super) fn hang(&mut self, name: &str) {
        self.rule(name, None, |rule| rule.answer = Some(Answer::Never));
    }

    fn rule(&mut self, name: &str, key: Option<String>, change: impl FnOnce(&mut Rule)) {
        change(self.state().rules.entry((name.to_owned(), key)).or_default());
    }

    pub(super) fn begun(&self) -> Vec<Begun> {
        self.state().begun.clone()
    }
}

impl StandIn for Mocks {
    fn body(&self, attempt: &Attempt<'_>) -> Option<Answer> {
        let Attempt { instance, name, key, path, number } = *attempt;
        let mut state = self.state();
        state.begun.push(Begun { instance: instance.clone(), path: path.clone(), attempt: number });
        // What is said of a key goes before what is said of the name.
        let keyed = key.and_then(|key| state.rules.get_mut(&(name.to_owned(), Some(key.to_owned()))));
        if let Some(answer) = keyed.and_then(Rule::next) {
            return Some(answer);
        }
        state.rules.get_mut(&(name.to_owned(), None)).and_then(Rule::next)
    }
}

impl Rule {
    fn next(&mut self) -> Option<Answer> {
        while let Some((times, failure)) = self.failures.front_mut() {
            if *times > 0 {
                *times -= 1;
                return Some(Answer::End(Err(failure.clone())));
            }
            self.failures.pop_front();
        }
        self.answer.clone()
    }
}
