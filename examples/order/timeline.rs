//! What became of an order, step by step: which results were replayed from the journal and which bodies ran.

use std::fmt;
use std::time::SystemTime;

use workflow::{Handle, Operation, OperationEnd};

use crate::model::Receipt;
use crate::workbench::Workbench;
use crate::workflow::order;

/// The timeline of one order.
#[derive(Debug)]
pub(crate) struct Timeline {
    order: String,
    state: &'static str,
    ending: Ending,
    rows: Vec<Row>,
    /// Why there are no rows.
    unreadable: Option<String>,
}

/// What the order came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Paid,
    Cancelled,
    Neither,
}

#[derive(Debug)]
struct Row {
    fate: Fate,
    what: String,
}

/// What happened with an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Its body ran in this process.
    Ran,
    /// Its result was in the journal before this process began.
    Replayed,
    /// Another process ran its body while this one was there.
    Elsewhere,
    /// It has no body: a sleep that ended.
    Slept,
    /// A wait whose event came.
    Came,
    /// A wait whose time ran out.
    TimedOut,
    /// It has not ended, or another way.
    Open,
}

impl Timeline {
    /// The timeline of an order that ended. `bench` is where bodies run in this process, if they do, and `begun` is when
    /// the process did.
    pub(crate) async fn of(
        handle: &Handle<order>,
        state: &'static str,
        receipt: Option<&Receipt>,
        bench: Option<&Workbench>,
        begun: SystemTime,
    ) -> Self {
        let ending = match receipt {
            Some(Receipt::Paid { .. }) => Ending::Paid,
            Some(Receipt::Cancelled { .. }) => Ending::Cancelled,
            None => Ending::Neither,
        };
        let order = handle.id().to_owned();
        let (rows, unreadable) = match handle.history().await {
            Ok(history) => {
                let row =
                    |operation: &Operation| Row { fate: fate(&order, operation, bench, begun), what: what(operation) };
                (history.operations.iter().map(row).collect(), None)
            }
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        Self { order, state, ending, rows, unreadable }
    }
}

fn fate(order: &str, operation: &Operation, bench: Option<&Workbench>, begun: SystemTime) -> Fate {
    match &operation.end {
        Some(OperationEnd::Slept) => Fate::Slept,
        Some(OperationEnd::Event(_)) => Fate::Came,
        Some(OperationEnd::TimedOut) => Fate::TimedOut,
        Some(OperationEnd::Value(_) | OperationEnd::Failed(_)) => {
            let place = (order.to_owned(), operation.path.clone());
            if bench.is_some_and(|bench| bench.ran_here(&place)) {
                Fate::Ran
            } else if operation.ended_at.is_some_and(|ended| ended < begun) {
                Fate::Replayed
            } else {
                Fate::Elsewhere
            }
        }
        _ => Fate::Open,
    }
}

/// An operation in words: its name, its key, and how often it failed before it ended.
fn what(operation: &Operation) -> String {
    let name = if operation.name.is_empty() { operation.kind.word() } else { &operation.name };
    let key = operation.key.as_ref().map(|key| format!(" {key}")).unwrap_or_default();
    let attempts = match operation.failed_attempts.len() {
        0 => String::new(),
        failed => format!(" (failed {failed} times before)"),
    };
    format!("{name}{key}{attempts}")
}

impl fmt::Display for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "timeline  {}  {}", self.order, self.state)?;
        for Row { fate, what } in &self.rows {
            write!(f, "\n    {:<9} {what}", fate.word())?;
        }
        match &self.unreadable {
            Some(error) => write!(f, "\n    the journal cannot be read: {error}"),
            None => Ok(()),
        }
    }
}

impl Fate {
    fn word(self) -> &'static str {
        match self {
            Self::Ran => "ran",
            Self::Replayed => "replayed",
            Self::Elsewhere => "elsewhere",
            Self::Slept => "slept",
            Self::Came => "came",
            Self::TimedOut => "timed out",
            Self::Open => "open",
        }
    }
}

/// The sums of several timelines, for the closing line.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    orders: usize,
    paid: usize,
    cancelled: usize,
    ran: usize,
    replayed: usize,
    elsewhere: usize,
}

impl Tally {
    /// Counts one order in.
    pub(crate) fn add(&mut self, timeline: &Timeline) {
        let rows = |fate| timeline.rows.iter().filter(|row| row.fate == fate).count();
        self.orders += 1;
        self.paid += usize::from(timeline.ending == Ending::Paid);
        self.cancelled += usize::from(timeline.ending == Ending::Cancelled);
        self.ran += rows(Fate::Ran);
        self.replayed += rows(Fate::Replayed);
        self.elsewhere += rows(Fate::Elsewhere);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { orders, paid, cancelled, ran, replayed, elsewhere } = self;
        write!(f, "{orders} orders: {paid} paid, {cancelled} cancelled; steps: {ran} ran here, {replayed} replayed")?;
        if *elsewhere > 0 {
            write!(f, ", {elsewhere} ran elsewhere")?;
        }
        Ok(())
    }
}
