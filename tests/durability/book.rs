//! What an operator was told, instance by instance, and what must follow from it. Pure: it asks nobody.

use support::errands::{FAILS_EVERY, Note};

/// One errand, and what became of every call about it.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    pub(crate) id: String,
    pub(crate) number: u64,
    /// Its runs so far, from the first.
    pub(crate) runs: Vec<Run>,
    /// When nothing of it may begin.
    pub(crate) quiet: Vec<Quiet>,
    /// What was done and answered, for the message of a failure.
    pub(crate) calls: Vec<String>,
}

/// One run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Run {
    /// The notes that it has read or will, in the order of their acceptance.
    pub(crate) notes: Vec<Note>,
    /// Notes whose ids the store knows: sent again they change nothing.
    pub(crate) known: Vec<Note>,
    /// How many of `notes` came from the run that it was restarted from.
    pub(crate) kept: usize,
    /// What that run had read.
    pub(crate) source_read: Vec<Note>,
    pub(crate) pause: Pause,
    pub(crate) terminated: Option<String>,
}

/// Whether a run is paused, by what was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Pause {
    #[default]
    No,
    /// Bodies ran: it will be.
    Asked,
    Yes,
}

/// From an answer on, no body of these runs begins, but what was under way.
#[derive(Debug, Clone)]
pub(crate) struct Quiet {
    /// Of this run and those before.
    pub(crate) run: usize,
    /// Where the file of marks ended when the answer came.
    pub(crate) from: u64,
    /// Where it ended when somebody asked for it to go on.
    pub(crate) until: Option<u64>,
    /// No worker had it then, so that only one that does not know that it lost it can begin anything.
    pub(crate) unowned: bool,
    pub(crate) why: &'static str,
}

/// What an instance must come to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Complete(Vec<u64>),
    Errored,
    Terminated(String),
}

/// Where a run was restarted from, as far as it matters to notes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    /// Something before the first note.
    Before,
    /// The step that a note leads to.
    After(u64),
    /// The wait that this many notes came before.
    Wait(usize),
    /// The last step.
    Return,
}

impl Page {
    pub(crate) fn new(id: &str, number: u64, how: &str) -> Self {
        let runs = vec![Run::default()];
        Self { id: id.to_owned(), number, runs, quiet: Vec::new(), calls: vec![how.to_owned()] }
    }

    pub(crate) fn run(&self) -> &Run {
        self.runs.last().expect("the first is made with the page")
    }

    pub(crate) fn run_mut(&mut self) -> &mut Run {
        self.runs.last_mut().expect("the first is made with the page")
    }

    pub(crate) fn called(&mut self, what: impl Into<String>) {
        self.calls.push(what.into());
    }

    /// A note was accepted.
    pub(crate) fn told(&mut self, note: &Note) {
        let run = self.run_mut();
        if !run.known.contains(note) {
            run.known.push(note.clone());
            run.notes.push(note.clone());
        }
    }

    /// It was paused; `ended` is where the file of marks ended.
    pub(crate) fn paused(&mut self, at_once: bool, ended: u64) {
        if self.run().pause == Pause::No {
            self.hush("paused", at_once, ended);
        }
        self.run_mut().pause = if at_once { Pause::Yes } else { Pause::Asked };
    }

    pub(crate) fn resumed(&mut self, ended_before: u64) {
        self.run_mut().pause = Pause::No;
        self.let_go(ended_before);
    }

    pub(crate) fn terminated(&mut self, reason: &str, ended_before: u64, ended: u64) {
        self.let_go(ended_before);
        self.run_mut().terminated = Some(reason.to_owned());
        self.run_mut().pause = Pause::No;
        self.hush("terminated", false, ended);
    }

    pub(crate) fn restarted(&mut self, ended_before: u64, ended: u64) {
        self.let_go(ended_before);
        self.hush("restarted", false, ended);
        self.runs.push(Run::default());
    }

    /// It was restarted from an operation; `read` is what the run before it had read, nothing if it had not begun.
    pub(crate) fn restarted_from(&mut self, target: Target, read: Option<Vec<Note>>, ended_before: u64, ended: u64) {
        let old = self.run().clone();
        let (source_read, unread) = match read {
            Some(read) => {
                assert!(old.notes.starts_with(&read), "{}: it read {read:?} of {:?}", self.id, old.notes);
                let unread = old.notes[read.len()..].to_vec();
                (read, unread)
            }
            // The one before it had not begun: its source is gone on with, elsewhere.
            None => (old.source_read.clone(), old.notes[old.kept..].to_vec()),
        };
        let kept = target.keeps(&source_read);
        // An end empties the mailbox, and forgets the ids.
        let unread = if old.terminated.is_some() { Vec::new() } else { unread };
        let known = if old.terminated.is_some() || old.may_end() { Vec::new() } else { old.known };
        let notes: Vec<_> = source_read[..kept].iter().chain(&unread).cloned().collect();
        self.let_go(ended_before);
        self.hush("restarted from an operation", false, ended);
        self.runs.push(Run { notes, known, kept, source_read, ..Run::default() });
    }

    fn hush(&mut self, why: &'static str, unowned: bool, from: u64) {
        self.quiet.push(Quiet { run: self.runs.len(), from, until: None, unowned, why });
    }

    /// Ends the quiet of a pause; what else is quiet stays so.
    fn let_go(&mut self, ended: u64) {
        for quiet in self.quiet.iter_mut().filter(|quiet| quiet.why == "paused" && quiet.until.is_none()) {
            quiet.until = Some(ended);
        }
    }

    /// What it must come to, once it was told the last note.
    pub(crate) fn expected(&self) -> Expected {
        let run = self.run();
        match &run.terminated {
            Some(reason) => Expected::Terminated(reason.clone()),
            None if self.number.is_multiple_of(FAILS_EVERY) => Expected::Errored,
            None => Expected::Complete(run.to_read().iter().map(|note| note.number).collect()),
        }
    }
}

impl Run {
    /// Whether it can have ended by itself.
    pub(crate) fn may_end(&self) -> bool {
        self.notes.iter().any(|note| note.last)
    }

    pub(crate) fn may_have_ended(&self) -> bool {
        self.may_end() || self.terminated.is_some()
    }

    /// The notes it reads: none after the last.
    pub(crate) fn to_read(&self) -> &[Note] {
        let count = self.notes.iter().position(|note| note.last).map_or(self.notes.len(), |last| last + 1);
        &self.notes[..count]
    }
}

impl Target {
    /// How many of the notes that a run had read are kept when it is restarted from here.
    fn keeps(self, read: &[Note]) -> usize {
        match self {
            Self::Before => 0,
            Self::After(number) => {
                1 + read.iter().position(|note| note.number == number).expect("its step was recorded")
            }
            Self::Wait(before) => before,
            Self::Return => read.len(),
        }
    }
}
