//! What an engine is told of limits and weights, and their bounds.

use std::time::Duration;

use super::error::EngineError;
use crate::definition::Registration;
use crate::engine::LimitRule;
use crate::journal::lease::LimitName;
use crate::words::id::{QueueName, WorkflowName};
use crate::words::limits::{LIMIT_TOKENS_MAX, QUEUE_WEIGHT_MAX, RATE_SPAN_MAX, RATE_SPAN_MIN};

/// The limits that were asked for, unchecked. A later one for a name replaces an earlier.
#[derive(Debug, Default)]
pub(super) struct Limits {
    workflows: Vec<(String, u32)>,
    rates: Vec<(String, u32, Duration)>,
}

impl Limits {
    pub(super) fn workflow(&mut self, workflow: String, instances: u32) {
        self.workflows.retain(|(name, _)| *name != workflow);
        self.workflows.push((workflow, instances));
    }

    pub(super) fn rate(&mut self, queue: String, starts: u32, per: Duration) {
        self.rates.retain(|(name, ..)| *name != queue);
        self.rates.push((queue, starts, per));
    }

    /// The limits, or what is wrong with one.
    pub(super) fn check(&self) -> Result<Vec<LimitRule>, EngineError> {
        let tokens = |option, name: &str, tokens: u32| {
            if (1..=LIMIT_TOKENS_MAX).contains(&tokens) {
                return Ok(tokens);
            }
            Err(EngineError::option(option, format_args!("for `{name}` it must be from 1 to {LIMIT_TOKENS_MAX}")))
        };
        let mut rules = Vec::new();
        for (workflow, instances) in &self.workflows {
            let name = LimitName::Workflow(WorkflowName::new(workflow)?);
            rules.push(LimitRule { name, tokens: tokens("workflow_concurrency", workflow, *instances)?, per: None });
        }
        for (queue, starts, per) in &self.rates {
            let name = LimitName::Queue(QueueName::new(queue)?);
            if !(RATE_SPAN_MIN..=RATE_SPAN_MAX).contains(per) {
                let days = RATE_SPAN_MAX.as_secs() / 86_400;
                let message = format!("for `{queue}` the span must be from {RATE_SPAN_MIN:?} to {days} days");
                return Err(EngineError::option("rate_limit", message));
            }
            rules.push(LimitRule { name, tokens: tokens("rate_limit", queue, *starts)?, per: Some(*per) });
        }
        Ok(rules)
    }
}

/// What the log warns of: limits of what this engine does not serve, such as one with a slip in its name.
pub(super) fn idle(rules: &[LimitRule], queues: &[QueueName], workflows: &[&Registration]) -> Vec<String> {
    let idle = |rule: &LimitRule| match &rule.name {
        LimitName::Workflow(name) if !workflows.iter().any(|served| served.name == name.as_str()) => {
            Some(format!("workflow_concurrency of `{name}` does nothing here: this engine serves no such workflow"))
        }
        LimitName::Queue(name) if !queues.contains(name) => {
            Some(format!("rate_limit of `{name}` does nothing here: it is none of this engine's queues"))
        }
        _ => None,
    };
    rules.iter().filter_map(idle).collect()
}

/// The weights of the queues that are served, in their order.
pub(super) fn weights(asked: &[(String, u32)], queues: &[QueueName]) -> Result<Vec<u32>, EngineError> {
    for (queue, weight) in asked {
        let name = QueueName::new(queue)?;
        if !queues.contains(&name) {
            let message =
                format!("`{queue}` is none of this engine's queues; name it in `.queues(…)`, or leave it out");
            return Err(EngineError::option("queue_weights", message));
        }
        if !(1..=QUEUE_WEIGHT_MAX).contains(weight) {
            let message = format!("for `{queue}` it must be from 1 to {QUEUE_WEIGHT_MAX}");
            return Err(EngineError::option("queue_weights", message));
        }
    }
    let of = |queue: &QueueName| {
        // The last one counts, as everywhere.
        asked.iter().rev().find(|(name, _)| *name == queue.as_str()).map_or(1, |(_, weight)| *weight)
    };
    Ok(queues.iter().map(of).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::InputError;
    use crate::words::location::Location;

    fn order() -> Registration {
        Registration {
            name: "order",
            version: 1,
            queue: "default",
            graph: "",
            at: Location::new(file!(), line!(), column!()),
            resources: Vec::new,
            start: |_| Err(InputError::Missing { name: "everything" }),
        }
    }

    #[test]
    fn a_limit_of_what_is_not_served_is_told() {
        let mut asked = Limits::default();
        asked.workflow("order".to_owned(), 1);
        asked.workflow("oder".to_owned(), 1);
        asked.rate("default".to_owned(), 1, Duration::from_secs(1));
        asked.rate("mial".to_owned(), 1, Duration::from_secs(1));
        let queues = ["default", "mail"].map(|name| QueueName::new(name).expect("valid"));
        let told = idle(&asked.check().expect("within bounds"), &queues, &[&order()]);
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].contains("`oder`") && told[1].contains("`mial`"), "{told:?}");
    }

    fn refused(limits: impl FnOnce(&mut Limits)) -> String {
        let mut asked = Limits::default();
        limits(&mut asked);
        asked.check().expect_err("out of bounds").to_string()
    }

    #[test]
    fn limits_are_refused_at_their_bounds_and_say_whose() {
        let second = Duration::from_secs(1);
        let refusals = [
            refused(|limits| limits.workflow("order".to_owned(), 0)),
            refused(|limits| limits.workflow("order".to_owned(), LIMIT_TOKENS_MAX + 1)),
            refused(|limits| limits.rate("order".to_owned(), 0, second)),
            refused(|limits| limits.rate("order".to_owned(), 1, Duration::from_millis(99))),
            refused(|limits| limits.rate("order".to_owned(), 1, RATE_SPAN_MAX + second)),
        ];
        for refusal in &refusals {
            assert!(refusal.contains("`order`"), "{refusal}");
        }
        assert!(refusals[0].starts_with("workflow_concurrency: "), "{refusals:?}");
        assert!(refusals[2].starts_with("rate_limit: "), "{refusals:?}");
        assert!(refused(|limits| limits.workflow("a b".to_owned(), 1)).contains("workflow name"));
    }

    #[test]
    fn the_last_limit_for_a_name_counts() {
        let mut asked = Limits::default();
        asked.workflow("order".to_owned(), 0);
        asked.workflow("order".to_owned(), 2);
        asked.rate("mail".to_owned(), 5, RATE_SPAN_MIN);
        let name = LimitName::Workflow(WorkflowName::new("order").expect("valid"));
        let rate = LimitName::Queue(QueueName::new("mail").expect("valid"));
        let expected =
            [LimitRule { name, tokens: 2, per: None }, LimitRule { name: rate, tokens: 5, per: Some(RATE_SPAN_MIN) }];
        assert_eq!(asked.check().expect("within bounds"), expected);
    }

    #[test]
    fn weights_are_those_of_served_queues_and_one_for_the_rest() {
        let queues = ["a", "b"].map(|name| QueueName::new(name).expect("valid"));
        let weigh = |queue: &str, weight| weights(&[(queue.to_owned(), weight)], &queues);
        assert_eq!(weigh("b", 3).expect("valid"), [1, 3]);
        for (queue, weight) in [("c", 1), ("a", 0), ("a", QUEUE_WEIGHT_MAX + 1)] {
            let error = weigh(queue, weight).expect_err("refused").to_string();
            assert!(error.starts_with("queue_weights: ") && error.contains(&format!("`{queue}`")), "{error}");
        }
    }
}
