//! A plan that is data: tasks with dependencies, run in rounds, each round side by side, with a trait object for each kind.

use crate::remote;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use workflow::prelude::*;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Task {
    kind: String,
    after: Vec<String>,
}

/// Does one kind of task.
trait Skill: Send + Sync {
    /// How long it will take.
    fn minutes(&self, task: &str) -> u32;
}

struct Sketch;
struct Build {
    factor: u32,
}

impl Skill for Sketch {
    fn minutes(&self, task: &str) -> u32 {
        u32::try_from(task.len()).unwrap_or(1)
    }
}

impl Skill for Build {
    fn minutes(&self, _: &str) -> u32 {
        10 * self.factor
    }
}

async fn perform(skill: &dyn Skill, task: &str) -> io::Result<u32> {
    remote::answer(skill.minutes(task)).await
}

/// Runs a plan.
#[workflow]
async fn carry_out(plan: BTreeMap<String, Task>) -> workflow::Result<u32> {
    let skill = |kind: &str| -> Option<Box<dyn Skill>> {
        Some(match kind {
            "sketch" => Box::new(Sketch),
            "build" => Box::new(Build { factor: 2 }),
            _ => return None,
        })
    };
    let mut done: BTreeSet<&str> = BTreeSet::new();
    let mut minutes = 0;
    while done.len() < plan.len() {
        let ready: Vec<(&str, &Task)> = plan
            .iter()
            .map(|(name, task)| (name.as_str(), task))
            .filter(|(name, task)| !done.contains(name) && task.after.iter().all(|other| done.contains(other.as_str())))
            .collect();
        if ready.is_empty() {
            return Err(format!("a circle: {:?} of {:?}", done, plan.keys().collect::<Vec<_>>()).into());
        }
        let skills =
            ready.iter().map(|(_, task)| skill(&task.kind).ok_or(task.kind.as_str())).collect::<Result<Vec<_>, _>>()?;
        let steps = ready.iter().zip(&skills).map(|((name, _), skill)| {
            let skill: &dyn Skill = &**skill;
            step!("perform", key = name, timeout = 8h, perform(skill, name))
        });
        minutes += try_join_all(steps).await?.iter().max().copied().unwrap_or_default();
        done.extend(ready.iter().map(|(name, _)| *name));
    }
    Ok(minutes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(tasks: &[(&str, &str, &[&str])]) -> BTreeMap<String, Task> {
        let task = |(name, kind, after): &(&str, &str, &[&str])| {
            let after = after.iter().map(|name| (*name).to_owned()).collect();
            ((*name).to_owned(), Task { kind: (*kind).to_owned(), after })
        };
        tasks.iter().map(task).collect()
    }

    #[test]
    fn rounds_follow_dependencies() {
        let tasks = plan(&[("house", "build", &["draft"]), ("draft", "sketch", &[]), ("garden", "build", &["draft"])]);
        assert_eq!(carry_out::test(tasks).run().result, Ok(5 + 20));
    }

    #[test]
    fn circles_are_found() {
        let report = carry_out::test(plan(&[("a", "sketch", &["b"]), ("b", "sketch", &["a"])])).run();
        assert!(report.result.is_err());
    }
}
