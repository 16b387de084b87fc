//! What the marks of all bodies must satisfy, given what was done to processes and what operators were told.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use support::errands::{Mark, front};

use super::book::{Page, Quiet};

/// Something that was done to a worker process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) process: u32,
    pub(crate) kind: FaultKind,
    /// Up to where in the file of marks it can have interrupted a body.
    pub(crate) at: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// SIGKILL, or SIGTERM to one that gives bodies no grace.
    Ends,
    /// SIGSTOP for longer than the lease.
    Freezes,
}

/// Everything that happened.
pub(crate) struct Account<'a> {
    pub(crate) pages: &'a [Page],
    pub(crate) marks: &'a [Mark],
    pub(crate) faults: &'a [Fault],
    /// Processes that lost a session, whatever the reason: a slow machine is one.
    pub(crate) fenced: &'a BTreeSet<u32>,
}

/// A place in the order of a run's steps.
type Front = usize;

impl Account<'_> {
    /// Checks everything; how many executions were repeated.
    pub(crate) fn check(&self) -> usize {
        self.one_past();
        self.order();
        self.quiet();
        self.repeated()
    }

    /// Every execution of a step in a run saw the same past and had the same key, which nothing else has.
    fn one_past(&self) {
        let mut of_step: HashMap<(&str, u32, &str), &Mark> = HashMap::new();
        let mut of_key: HashMap<&str, &Mark> = HashMap::new();
        for mark in self.marks {
            let first = of_step.entry((&mark.instance, mark.run, &mark.step)).or_insert(mark);
            assert_eq!((first.seen, &first.key), (mark.seen, &mark.key), "two pasts: {first:?} and {mark:?}");
            let first = of_key.entry(&mark.key).or_insert(mark);
            let [one, other] = [*first, mark].map(|mark| (&mark.instance, mark.run, &mark.step));
            assert_eq!(one, other, "two steps of one idempotency key");
        }
    }

    /// What ran again was under way when its process was killed or frozen, or lost its session; or a process ran it that
    /// did not know that it had lost its own.
    fn repeated(&self) -> usize {
        let mut executions: BTreeMap<(&str, u32, &str, u32), Vec<&Mark>> = BTreeMap::new();
        for mark in self.marks {
            executions.entry((&mark.instance, mark.run, &mark.step, mark.attempt)).or_default().push(mark);
        }
        let mut repeated = 0;
        for marks in executions.into_values() {
            repeated += marks.len() - 1;
            let by_owners: Vec<_> = marks.iter().filter(|mark| !self.is_stale(mark)).collect();
            for mark in by_owners.iter().rev().skip(1) {
                let excused = self.faults.iter().any(|fault| fault.process == mark.process && fault.at > mark.at);
                assert!(excused, "nothing interrupted the first of {marks:#?}\n{}", self.story(&mark.instance));
            }
        }
        repeated
    }

    /// A body begins only when what led to it is recorded: no process that has its session goes back. One that has lost it
    /// begins what its last record led to, and no more, each time it is frozen.
    fn order(&self) {
        let mut reached: HashMap<(&str, u32), Front> = HashMap::new();
        let mut behind: BTreeMap<(&str, u32, u32), BTreeSet<Front>> = BTreeMap::new();
        for mark in self.marks {
            let front = self.front(mark);
            let reached = reached.entry((&mark.instance, mark.run)).or_default();
            if front < *reached {
                assert!(self.is_stale(mark), "committed already: {mark:?}\n{}", self.story(&mark.instance));
                behind.entry((&mark.instance, mark.run, mark.process)).or_default().insert(front);
            }
            *reached = front.max(*reached);
        }
        for ((instance, _, process), fronts) in behind {
            let times = self.faults.iter().filter(|fault| fault.process == process).count();
            let may = times.max(1) + usize::from(self.fenced.contains(&process));
            assert!(fronts.len() <= may, "{process} went on with {fronts:?}\n{}", self.story(instance));
        }
    }

    /// After an operation was answered nothing begins but what was under way: in each process the bodies that its last
    /// record led to, which are side by side. Where nobody had the instance, only a process can that lost its session.
    fn quiet(&self) {
        for page in self.pages {
            for quiet in &page.quiet {
                self.is_quiet(page, quiet);
            }
        }
    }

    fn is_quiet(&self, page: &Page, quiet: &Quiet) {
        let mut begun: BTreeMap<u32, BTreeSet<Front>> = BTreeMap::new();
        let of_runs = self.marks.iter().filter(|mark| mark.instance == page.id && mark.run as usize <= quiet.run);
        for mark in of_runs {
            let after = mark.at >= quiet.from && quiet.until.is_none_or(|until| mark.at < until);
            if !after {
                continue;
            }
            let may = !quiet.unowned || self.is_stale(mark);
            assert!(may, "{} at {}, and then {mark:?}\n{}", quiet.why, quiet.from, self.story(&page.id));
            begun.entry(mark.process).or_default().insert(self.front(mark));
        }
        for (process, fronts) in begun {
            let story = || self.story(&page.id);
            assert!(
                fronts.len() <= 1,
                "{} at {}: {process} went on with {fronts:?}\n{}",
                quiet.why,
                quiet.from,
                story()
            );
        }
    }

    fn front(&self, mark: &Mark) -> Front {
        front(&mark.step).unwrap_or_else(|| {
            let number: u64 = mark.step.strip_prefix("note ").and_then(|text| text.parse().ok()).expect("a note");
            let page = self.pages.iter().find(|page| page.id == mark.instance).expect("only errands are told notes");
            let notes = &page.runs[mark.run as usize - 1].notes;
            let place = notes.iter().position(|note| note.number == number);
            10 + place.unwrap_or_else(|| panic!("it was not told this: {mark:?}\n{}", self.story(&page.id)))
        })
    }

    /// Whether the process may not have known that others had taken over.
    fn is_stale(&self, mark: &Mark) -> bool {
        let froze =
            |fault: &Fault| fault.process == mark.process && fault.kind == FaultKind::Freezes && fault.at <= mark.at;
        self.fenced.contains(&mark.process) || self.faults.iter().any(froze)
    }

    /// All that is known of an instance.
    pub(crate) fn story(&self, id: &str) -> String {
        let calls = self.pages.iter().filter(|page| page.id == id).flat_map(|page| page.calls.iter().cloned());
        let marks = self.marks.iter().filter(|mark| mark.instance == id).map(|mark| format!("{mark:?}"));
        let faults = self.faults.iter().map(|fault| format!("{fault:?}"));
        calls.chain(marks).chain(faults).collect::<Vec<_>>().join("\n")
    }
}

/// That the checks see what they are for.
#[cfg(test)]
mod tests {
    use support::errands::Note;

    use super::*;

    fn mark(process: u32, step: &str, at: u64) -> Mark {
        let key = format!("key of {step}");
        Mark { instance: "i".to_owned(), step: step.to_owned(), attempt: 1, process, run: 1, key, seen: 1, at }
    }

    fn page() -> Page {
        let mut page = Page::new("i", 1, "created");
        page.told(&Note::new(1, true));
        page
    }

    fn check(page: Page, marks: &[Mark], faults: &[Fault]) -> usize {
        Account { pages: &[page], marks, faults, fenced: &BTreeSet::new() }.check()
    }

    const KILLED: Fault = Fault { process: 1, kind: FaultKind::Ends, at: u64::MAX };
    const FROZEN: Fault = Fault { process: 1, kind: FaultKind::Freezes, at: 1 };

    #[test]
    fn a_body_of_a_killed_process_may_run_again() {
        assert_eq!(check(page(), &[mark(1, "leave", 0), mark(2, "leave", 1), mark(2, "doubt", 2)], &[KILLED]), 1);
    }

    #[test]
    #[should_panic(expected = "nothing interrupted the first")]
    fn no_other_may() {
        check(page(), &[mark(1, "leave", 0), mark(2, "leave", 1)], &[Fault { process: 2, ..KILLED }]);
    }

    #[test]
    #[should_panic(expected = "committed already")]
    fn none_may_whose_result_led_to_the_next() {
        check(page(), &[mark(1, "leave", 0), mark(1, "doubt", 1), mark(2, "leave", 2)], &[KILLED]);
    }

    #[test]
    #[should_panic(expected = "two pasts")]
    fn none_may_see_another_past() {
        check(page(), &[mark(1, "leave", 0), Mark { seen: 2, ..mark(2, "leave", 1) }], &[KILLED]);
    }

    #[test]
    #[should_panic(expected = "two steps of one idempotency key")]
    fn no_key_is_there_twice() {
        check(page(), &[mark(1, "leave", 0), Mark { key: "key of leave".to_owned(), ..mark(1, "doubt", 1) }], &[]);
    }

    #[test]
    #[should_panic(expected = "it was not told this")]
    fn no_step_follows_from_a_note_that_nobody_sent() {
        check(page(), &[mark(1, "note 2", 0)], &[]);
    }

    #[test]
    fn what_was_under_way_may_begin_after_the_end() {
        let mut page = page();
        page.terminated("enough", 1, 1);
        check(page, &[mark(1, "leave", 0), mark(1, "left", 1), mark(1, "right", 2)], &[]);
    }

    #[test]
    #[should_panic(expected = "went on with")]
    fn what_follows_from_that_may_not() {
        let mut page = page();
        page.terminated("enough", 1, 1);
        check(page, &[mark(1, "leave", 0), mark(1, "doubt", 1), mark(1, "left", 2)], &[]);
    }

    #[test]
    fn a_frozen_process_may_begin_what_its_last_record_led_to() {
        let mut page = page();
        page.paused(true, 2);
        check(page, &[mark(1, "leave", 0), mark(2, "doubt", 1), mark(1, "doubt", 2)], &[FROZEN]);
    }

    #[test]
    #[should_panic(expected = "paused at 2")]
    fn nobody_else_begins_anything_of_what_is_paused() {
        let mut page = page();
        page.paused(true, 2);
        check(page, &[mark(1, "leave", 0), mark(2, "doubt", 2)], &[FROZEN]);
    }
}
