//! What happened, as a hash of all of it and as its last lines.

use std::collections::VecDeque;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use workflow::journal::command::{Command, Reply};
use workflow::words::time::Timestamp;

/// So many lines are kept.
const KEPT: usize = 400;
/// So many commands in one moment are a loop that never waits.
const MOMENT_MAX: u64 = 20_000;

/// Everything that happened on the store, in order.
#[derive(Debug)]
pub(crate) struct Trace {
    /// Without keys: the same in every process.
    hash: DefaultHasher,
    lines: VecDeque<(Timestamp, Line)>,
    /// How many commands were carried out.
    pub(crate) commands: u64,
    /// How many of them in this moment.
    at: (Timestamp, u64),
}

#[derive(Debug)]
enum Line {
    Carried { by: usize, command: Box<Command>, reply: Box<Reply> },
    Said(String),
}

impl Default for Trace {
    fn default() -> Self {
        Self { hash: DefaultHasher::new(), lines: VecDeque::new(), commands: 0, at: (Timestamp::MAX, 0) }
    }
}

impl Trace {
    /// A command was carried out, for this process. True when there have been more in this moment than can be meant.
    #[must_use]
    pub(crate) fn carried(&mut self, now: Timestamp, by: usize, command: &Command, reply: &Reply) -> bool {
        self.commands += 1;
        self.at = if self.at.0 == now { (now, self.at.1 + 1) } else { (now, 1) };
        (now, by, command, reply).hash(&mut self.hash);
        let (command, reply) = (Box::new(command.clone()), Box::new(reply.clone()));
        self.keep(now, Line::Carried { by, command, reply });
        self.at.1 > MOMENT_MAX
    }

    /// Something else happened.
    pub(crate) fn said(&mut self, now: Timestamp, what: String) {
        (now, &what).hash(&mut self.hash);
        self.keep(now, Line::Said(what));
    }

    fn keep(&mut self, now: Timestamp, line: Line) {
        if self.lines.len() == KEPT {
            self.lines.pop_front();
        }
        self.lines.push_back((now, line));
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash.finish()
    }

    /// The last lines, those about nothing but a sweep left out.
    pub(crate) fn tail(&self) -> String {
        let shown = self.lines.iter().filter(|(_, line)| !line.is_idle());
        shown.map(|(at, line)| format!("{at:?} {line}\n")).collect()
    }
}

impl Line {
    fn is_idle(&self) -> bool {
        let Self::Carried { reply, .. } = self else { return false };
        match &**reply {
            Reply::Count { done, .. } => *done == 0,
            Reply::Claim(workflow::journal::command::ClaimReply::Given { instances, notices, .. }) => {
                instances.is_empty() && notices.is_empty()
            }
            _ => false,
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Carried { by, command, reply } => write!(f, "[{by}] {command:?}\n    -> {reply:?}"),
            Self::Said(what) => f.write_str(what),
        }
    }
}
