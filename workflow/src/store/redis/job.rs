//! What is asked of servers: by whom, where, and what of it is answered.
//!
//! A node of a cluster may refuse a part of what it is asked, because it has not the slot, or not all of it any more. What
//! it refused was not carried out: it is asked again, there where it belongs, and what was answered is kept until all is.
//! Owns that bookkeeping. Never sends anything. Used by [`super::link`], [`super::switch`] and [`super::lane`].

use std::sync::Arc;

use redis::{Pipeline, RedisError, Value};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::fault::said;
use super::places::Address;
use super::script::Script;
use super::topology::Slot;
use crate::store::StoreError;

/// What is asked.
pub(super) enum Work {
    /// Calls of one script, carried out in order.
    Calls { script: Arc<Script>, calls: Pipeline },
    /// Commands that change nothing, or may be carried out twice.
    Read(Pipeline),
}

/// Who is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    /// Whoever has the slot.
    Slot(Slot),
    /// That server.
    Node(Address),
}

/// One answer for each command.
pub(super) type Answers = Result<Vec<Value>, StoreError>;

/// What is asked, and by whom.
pub(super) struct Job {
    pub(super) work: Work,
    pub(super) route: Route,
    pub(super) caller: oneshot::Sender<Answers>,
    /// It was lost once and is asked for the second time.
    pub(super) again: bool,
    /// The server is to answer although it has not got the slot yet.
    pub(super) asking: bool,
    /// What the server refuses of a read is an answer too.
    pub(super) each: bool,
    /// How often it was turned away, and until when it is asked again.
    pub(super) turns: u32,
    pub(super) until: Option<Instant>,
    /// What is answered, where only a part is.
    partly: Option<Partly>,
}

struct Partly {
    values: Vec<Value>,
    /// Which of them are yet to come: the commands of the work, in order.
    open: Vec<usize>,
}

impl Partly {
    fn new(length: usize) -> Self {
        Self { values: vec![Value::Nil; length], open: (0..length).collect() }
    }
}

/// Why a server did not carry out what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Turn {
    /// The slot is that one's.
    Moved(Slot, Address),
    /// That one has the keys already, and gets the slot soon.
    Asked(Address),
    /// The slot is on its way.
    Later,
    /// It was not sent: its server is not one of ours any more.
    Unsent,
}

/// What came of a job on a server.
pub(super) enum Outcome {
    Done(Job, Vec<Value>),
    /// What is left of it was not carried out.
    Turned(Job, Turn, RedisError),
    Failed(Job, RedisError),
}

impl Job {
    pub(super) fn new(work: Work, route: Route) -> (Self, oneshot::Receiver<Answers>) {
        let (caller, answered) = oneshot::channel();
        let job =
            Self { work, route, caller, again: false, asking: false, each: false, turns: 0, until: None, partly: None };
        (job, answered)
    }

    pub(super) fn answer(self, answers: Answers) {
        // The caller may be gone.
        let _ = self.caller.send(answers);
    }

    /// Takes in what a server said to each command, as far as it was asked; `who` is the server.
    pub(super) fn sort(mut self, said: Result<Vec<Value>, RedisError>, who: &Address) -> Outcome {
        let answers = match said {
            Ok(answers) => answers,
            // A transaction is refused as a whole.
            Err(error) => match turn(&error, who, false) {
                Some(turn) => return Outcome::Turned(self, turn, error),
                None => return Outcome::Failed(self, error),
            },
        };
        let is_whole = matches!(&self.work, Work::Read(commands) if commands.is_transaction());
        let follows = matches!(&self.work, Work::Read(_)) && !is_whole;
        let mut turned: Option<(Turn, RedisError)> = None;
        let length = if is_whole { answers.len() } else { self.commands().len() };
        let partly = self.partly.get_or_insert_with(|| Partly::new(length));
        let mut still = Vec::new();
        let mut answers = answers.into_iter();
        for (at, place) in partly.open.iter().enumerate() {
            // Behind one that was turned away, some may not have been sent.
            let answer = answers.next();
            let refused =
                answer.as_ref().filter(|answer| self.each && matches!(answer, Value::ServerError(_))).cloned();
            match answer.map(Value::extract_error) {
                None => still.push((at, *place)),
                Some(Ok(value)) => partly.values[*place] = value,
                Some(Err(error)) => match turn(&error, who, follows) {
                    Some(turn) => {
                        still.push((at, *place));
                        turned.get_or_insert((turn, error));
                    }
                    None => match refused {
                        Some(refused) => partly.values[*place] = refused,
                        None => return Outcome::Failed(self, error),
                    },
                },
            }
        }
        let Some((turn, error)) = turned else {
            let values = std::mem::take(&mut partly.values);
            return Outcome::Done(self, values);
        };
        partly.open = still.iter().map(|(_, place)| *place).collect();
        let left = still.iter().map(|(at, _)| *at).collect::<Vec<_>>();
        self.keep_only(&left);
        Outcome::Turned(self, turn, error)
    }

    pub(super) const fn commands(&self) -> &Pipeline {
        match &self.work {
            Work::Calls { calls, .. } => calls,
            Work::Read(commands) => commands,
        }
    }

    /// Keeps the commands at these places.
    fn keep_only(&mut self, places: &[usize]) {
        let mut left = Pipeline::with_capacity(places.len());
        for (at, command) in self.commands().cmd_iter().enumerate() {
            if places.contains(&at) {
                left.add_command(command.clone());
            }
        }
        match &mut self.work {
            Work::Calls { calls, .. } => *calls = left,
            Work::Read(commands) => *commands = left,
        }
    }
}

/// Where an error of a server leads. `follows`: what has gone to the next owner is asked there before the slot has.
pub(super) fn turn(error: &RedisError, who: &Address, follows: bool) -> Option<Turn> {
    let (code, text) = said(error)?;
    let (slot, address) = text.split_once(' ').unwrap_or((&text, ""));
    let there = || Some((Slot::told(slot.parse().ok()?)?, Address::told(address.trim(), who)?));
    match code.as_str() {
        "MOVED" => Some(there().map_or(Turn::Later, |(slot, address)| Turn::Moved(slot, address))),
        "ASK" if follows => Some(there().map_or(Turn::Later, |(_, address)| Turn::Asked(address))),
        "ASK" | "TRYAGAIN" => Some(Turn::Later),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who() -> Address {
        Address::Tcp("h".to_owned(), 1)
    }

    fn error(line: &str) -> Value {
        redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).expect("an answer")
    }

    fn reads(numbers: &[usize]) -> Job {
        let mut commands = Pipeline::new();
        for number in numbers {
            commands.cmd("GET").arg(number);
        }
        Job::new(Work::Read(commands), Route::Slot(Slot::of(b"a"))).0
    }

    fn calls(numbers: &[usize]) -> Job {
        let script = Arc::new(Script::new("one", "return 1".to_owned()));
        let mut calls = Pipeline::new();
        for number in numbers {
            calls.add_command(script.call(&[], &[number.to_string().into_bytes()]));
        }
        Job::new(Work::Calls { script, calls }, Route::Slot(Slot::of(b"a"))).0
    }

    fn moved_on(outcome: Outcome) -> (Job, Turn) {
        match outcome {
            Outcome::Turned(job, turn, _) => (job, turn),
            Outcome::Done(..) => panic!("it is not done"),
            Outcome::Failed(_, error) => panic!("{error}"),
        }
    }

    #[test]
    fn what_was_answered_is_kept_and_the_rest_is_asked_where_it_belongs() {
        let answers = vec![Value::Int(0), error("ASK 7 g:2"), Value::Int(2), error("ASK 7 g:2")];
        let (job, turn) = moved_on(reads(&[0, 1, 2, 3]).sort(Ok(answers), &who()));
        assert_eq!(turn, Turn::Asked(Address::Tcp("g".to_owned(), 2)));
        assert_eq!(job.commands().get_packed_pipeline(), reads(&[1, 3]).commands().get_packed_pipeline());
        let (job, turn) = moved_on(job.sort(Ok(vec![Value::Int(1), error("TRYAGAIN later")]), &who()));
        assert_eq!(turn, Turn::Later);
        assert_eq!(job.commands().get_packed_pipeline(), reads(&[3]).commands().get_packed_pipeline());
        match job.sort(Ok(vec![Value::Int(3)]), &who()) {
            Outcome::Done(_, values) => assert_eq!(values, (0..4).map(Value::Int).collect::<Vec<_>>()),
            _ => panic!("it is done"),
        }
    }

    #[test]
    fn calls_behind_one_that_was_turned_away_are_asked_again_in_order() {
        // The second was not sent, as the first was to be answered before it.
        let (job, turn) = moved_on(calls(&[0, 1, 2]).sort(Ok(vec![error("MOVED 7 :2")]), &who()));
        assert_eq!(turn, Turn::Moved(Slot::told(7).expect("a slot"), Address::Tcp("h".to_owned(), 2)));
        assert_eq!(job.commands().get_packed_pipeline(), calls(&[0, 1, 2]).commands().get_packed_pipeline());
        let (job, _) = moved_on(job.sort(Ok(vec![Value::Int(0), error("MOVED 7 :2"), error("MOVED 7 :2")]), &who()));
        assert_eq!(job.commands().get_packed_pipeline(), calls(&[1, 2]).commands().get_packed_pipeline());
    }

    #[test]
    fn scripts_and_transactions_wait_for_a_slot_that_is_on_its_way() {
        let (job, turn) = moved_on(calls(&[0]).sort(Ok(vec![error("ASK 7 g:2")]), &who()));
        assert_eq!(turn, Turn::Later, "a script needs all its keys in one place");
        let refused = error("ASK 7 g:2").extract_error().expect_err("an error");
        assert_eq!(moved_on(job.sort(Err(refused), &who())).1, Turn::Later);
        assert_eq!(moved_on(reads(&[0]).sort(Ok(vec![error("MOVED 7 ?:2")]), &who())).1, Turn::Later);
    }

    #[test]
    fn what_is_refused_of_a_read_is_an_answer_to_who_asked_for_each() {
        let mut job = reads(&[0, 1]);
        job.each = true;
        match job.sort(Ok(vec![error("WRONGTYPE no list"), Value::Int(1)]), &who()) {
            Outcome::Done(_, values) => assert_eq!(values, vec![error("WRONGTYPE no list"), Value::Int(1)]),
            _ => panic!("it is done"),
        }
        let mut job = reads(&[0, 1]);
        job.each = true;
        let (job, _) = moved_on(job.sort(Ok(vec![error("WRONGTYPE no list"), error("MOVED 7 g:2")]), &who()));
        assert_eq!(job.commands().get_packed_pipeline(), reads(&[1]).commands().get_packed_pipeline());
    }

    #[test]
    fn an_error_of_another_kind_is_one_for_all() {
        let answers = vec![Value::Int(0), error("MOVED 7 g:2"), error("OOM full")];
        assert!(matches!(reads(&[0, 1, 2]).sort(Ok(answers), &who()), Outcome::Failed(..)));
        let lost = RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut));
        assert!(matches!(reads(&[0]).sort(Err(lost), &who()), Outcome::Failed(..)));
    }
}
