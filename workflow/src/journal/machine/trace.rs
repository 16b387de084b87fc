//! What a run's code asked for, in order, and two such traces side by side.
//!
//! A trace costs a run nothing: it is read off its operations when it is asked for. Never holds a payload that is shown.

use std::collections::{HashMap, HashSet};
use std::fmt;

use super::operation::Op;
use super::{Ask, Machine};
use crate::journal::divergence::Traces;
use crate::journal::message::Channel;
use crate::journal::path::Path;
use crate::words::location::Location;
use crate::words::payload::Payload;

/// The operations a run's code has asked for, in the order of asking.
#[derive(Debug, Clone)]
pub struct Trace(Vec<Asked>);

/// One operation, as it was asked for, and what became of it.
#[derive(Debug, Clone)]
struct Asked {
    path: Path,
    at: Location,
    form: Form,
    /// How it ended; `None` when it was dropped first, or is still open.
    outcome: Option<&'static str>,
}

/// What tells apart two operations of one path.
#[derive(Debug, Clone)]
enum Form {
    /// Nothing that matters to a replay.
    Plain,
    /// Whether it was taken as finished: then its block did not run.
    Group { collapsed: bool },
    /// For which messages it waits.
    Wait(Channel),
    /// What the child is given.
    Child(Payload),
}

impl Asked {
    fn of(op: &Op) -> Self {
        let form = match &op.ask {
            Ask::Group { .. } => Form::Group { collapsed: op.collapsed },
            Ask::Wait { channel, .. } => Form::Wait(channel.clone()),
            Ask::Child(spec) => Form::Child(spec.input.clone()),
            Ask::Step { .. } | Ask::SleepFor(_) | Ask::SleepUntil(_) => Form::Plain,
        };
        Self { path: op.path.clone(), at: op.at, form, outcome: op.outcome }
    }

    fn line(&self, number: usize) -> String {
        let fate = self.outcome.unwrap_or("not ended");
        format!("{number}. {} {fate} ({})", self.path, self.at)
    }
}

impl Machine {
    /// What the code has asked for so far.
    #[must_use]
    pub fn trace(&self) -> Trace {
        Trace(self.ops.iter().map(Asked::of).collect())
    }
}

/// Groups by their path and by how often that was asked for until then.
type Askings<'a> = HashMap<&'a str, HashSet<usize>>;

impl Trace {
    /// The groups whose blocks did not run.
    fn collapsed(&self) -> Askings<'_> {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        let mut collapsed = Askings::new();
        for asked in &self.0 {
            if let Form::Group { collapsed: taken } = asked.form {
                let count = counts.entry(asked.path.as_str()).or_default();
                *count += 1;
                if taken {
                    collapsed.entry(asked.path.as_str()).or_default().insert(*count);
                }
            }
        }
        collapsed
    }

    /// All but what stands in these groups.
    fn outside(&self, groups: &Askings<'_>) -> Vec<&Asked> {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        let mut outside = Vec::new();
        for asked in &self.0 {
            if let Form::Group { .. } = asked.form {
                *counts.entry(asked.path.as_str()).or_default() += 1;
            }
            let inside = |scope: &str| {
                let count = counts.get(scope);
                count.is_some_and(|count| groups.get(scope).is_some_and(|skipped| skipped.contains(count)))
            };
            if groups.is_empty() || !asked.path.enclosing().any(inside) {
                outside.push(asked);
            }
        }
        outside
    }
}

/// The traces of a run and of its replay. What stands in groups that the replay took as finished is left out.
#[derive(Debug)]
pub struct Comparison<'a> {
    run: Vec<&'a Asked>,
    replay: Vec<&'a Asked>,
}

/// The first thing that differs: its place in both traces, from 0, and in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Differs {
    /// Where.
    pub at: usize,
    /// What.
    pub words: String,
}

impl<'a> Comparison<'a> {
    /// Puts the two side by side.
    #[must_use]
    pub fn new(run: &'a Trace, replay: &'a Trace) -> Self {
        let skipped = replay.collapsed();
        Self { run: run.outside(&skipped), replay: replay.outside(&skipped) }
    }

    /// The first operation that only one of them asked for, or that the other asked for otherwise.
    #[must_use]
    pub fn asked(&self) -> Option<Differs> {
        let pairs = self.run.iter().zip(&self.replay).enumerate();
        let other = pairs.filter_map(|(at, (run, replay))| Some((at, otherwise(at + 1, run, replay)?))).next();
        let (at, words) = other.or_else(|| self.one_more())?;
        Some(Differs { at, words })
    }

    fn one_more(&self) -> Option<(usize, String)> {
        let at = self.run.len().min(self.replay.len());
        let words = match (self.run.get(at), self.replay.get(at)) {
            (Some(run), None) => format!("it does not ask for operation {}, {}", at + 1, run.path),
            (None, Some(replay)) => format!("it asks for one operation more, {}", replay.path),
            _ => return None,
        };
        Some((at, words))
    }

    /// The first operation whose end only one of them has seen. Of use where both have ended.
    #[must_use]
    pub fn ended(&self) -> Option<Differs> {
        let mut pairs = self.run.iter().zip(&self.replay).enumerate();
        let (at, (run, _)) = pairs.find(|(_, (run, replay))| run.outcome != replay.outcome)?;
        let what = if run.outcome.is_some() { "before its end, which the run had" } else { "later than in the run" };
        Some(Differs { at, words: format!("operation {}, {}, is dropped {what}", at + 1, run.path) })
    }

    /// Both in lines, each with a last one that says how it ended; `None` marks those.
    #[must_use]
    pub fn show(&self, differs: Option<usize>, run_end: &str, replay_end: &str) -> Traces {
        Traces { run: lines(&self.run, run_end, differs), replay: lines(&self.replay, replay_end, differs) }
    }
}

/// How the replay's operation is another than that of the run.
fn otherwise(number: usize, run: &Asked, replay: &Asked) -> Option<String> {
    if run.path != replay.path {
        return Some(format!("operation {number} is {} where the run had {}", replay.path, run.path));
    }
    let how = match (&run.form, &replay.form) {
        (Form::Wait(one), Form::Wait(other)) if one != other => "waits for other events than in the run",
        (Form::Child(one), Form::Child(other)) if !one.is_same_value(other) => "is given other inputs than in the run",
        _ => return None,
    };
    Some(format!("operation {number}, {}, {how}", run.path))
}

fn lines(asked: &[&Asked], end: &str, differs: Option<usize>) -> Vec<String> {
    let marked = differs.unwrap_or(asked.len()).min(asked.len());
    let first = marked.saturating_sub(Traces::LINES_AROUND);
    let last = asked.len().min(marked + Traces::LINES_AROUND);
    let mut lines = Vec::new();
    if first > 0 {
        lines.push(format!("  … {first} before"));
    }
    for (index, asked) in asked.iter().enumerate().take(last).skip(first) {
        lines.push(line(index == marked, &asked.line(index + 1)));
    }
    if last < asked.len() {
        lines.push(format!("  … {} more", asked.len() - last));
    }
    lines.push(line(marked == asked.len(), &end));
    lines
}

fn line(marked: bool, text: &dyn fmt::Display) -> String {
    let mark = if marked { "> " } else { "  " };
    format!("{mark}{text}").chars().take(Traces::LINE_CHARS_MAX).collect()
}
