//! What an engine is, in plain facts: for the line of the log when it starts, and for programs that show it.

use std::fmt;

use serde::Serialize;

use crate::engine::{Config, Mode};

/// Most names of workflows or queues in one line.
const NAMES_SHOWN: usize = 10;

/// What an engine is: given by [`Engine::describe`](super::Engine::describe), and logged in one line when it starts. As
/// text it is that line. It holds no secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Description {
    /// The store's url without secrets.
    pub store: String,
    /// What keeps the data, with its version: `Redis 7.0.15`, `SQLite 3.50.2`.
    pub server: String,
    /// What an acknowledged write survives, in words.
    pub durability: String,
    /// What somebody should change about the store, if anything.
    pub advice: Option<String>,
    /// The namespace whose instances the engine sees.
    pub namespace: String,
    /// What the engine does: `All`, `Client` or `Worker`.
    #[serde(serialize_with = "as_text")]
    pub mode: Mode,
    /// How many instances it drives at once; `None` for a client, which drives none.
    pub concurrency: Option<usize>,
    /// The queues it takes work from, sorted; none for a client.
    pub queues: Vec<String>,
    /// The workflows it serves, sorted, each with its version where that is not 1: `order`, `refund@2`; none for a
    /// client.
    pub workflows: Vec<String>,
}

fn as_text<S: serde::Serializer>(mode: &Mode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(mode)
}

impl Description {
    pub(super) fn of(config: &Config) -> Self {
        let facts = config.store.facts();
        let executes = config.mode != Mode::Client;
        let mut workflows: Vec<String> =
            config.workflows.iter().map(|workflow| name(workflow.name, workflow.version)).collect();
        workflows.sort();
        workflows.dedup();
        Self {
            store: config.store.describe(),
            server: facts.server,
            durability: facts.durability,
            advice: facts.advice,
            namespace: config.namespace.to_string(),
            mode: config.mode,
            concurrency: executes.then_some(config.concurrency),
            queues: if executes { config.queues.iter().map(ToString::to_string).collect() } else { Vec::new() },
            workflows: if executes { workflows } else { Vec::new() },
        }
    }

    /// Says it, once: a warning where somebody should change something.
    pub(super) fn log(&self) {
        match &self.advice {
            Some(advice) => tracing::warn!("the engine has started: {self}; {advice}"),
            None => tracing::info!("the engine has started: {self}"),
        }
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { store, server, durability, namespace, mode, .. } = self;
        write!(f, "store={store} server={server:?} durability={durability:?} namespace={namespace} mode={mode}")?;
        if let Some(concurrency) = self.concurrency {
            let (queues, workflows) = (names(&self.queues), names(&self.workflows));
            write!(f, " concurrency={concurrency} queues={queues} workflows={}: {workflows}", self.workflows.len())?;
        }
        Ok(())
    }
}

fn name(name: &str, version: u32) -> String {
    if version == 1 { name.to_owned() } else { format!("{name}@{version}") }
}

/// The first names, and how many more there are.
fn names(all: &[String]) -> String {
    let (shown, more) = all.split_at(all.len().min(NAMES_SHOWN));
    let shown = shown.join(",");
    if more.is_empty() { shown } else { format!("{shown},… {} more", more.len()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_bounded_whatever_is_served() {
        let many = |prefix: &str| (0..500).map(|number| format!("{prefix}{number:03}")).collect::<Vec<_>>();
        let description = Description {
            store: "sqlite:a".to_owned(),
            server: "SQLite 3".to_owned(),
            durability: "all".to_owned(),
            advice: None,
            namespace: "shop".to_owned(),
            mode: Mode::Worker,
            concurrency: Some(7),
            queues: vec!["default".to_owned(), "mail".to_owned()],
            workflows: many("w"),
        };
        let line = description.to_string();
        assert!(line.contains("store=sqlite:a ") && line.contains("queues=default,mail "), "{line}");
        assert!(
            line.ends_with("workflows=500: w000,w001,w002,w003,w004,w005,w006,w007,w008,w009,… 490 more"),
            "{line}"
        );
        let client = Description { mode: Mode::Client, concurrency: None, ..description };
        assert!(client.to_string().ends_with("mode=Client"), "{client}");
        let json = serde_json::to_value(&client).expect("plain values");
        assert_eq!((&json["mode"], &json["namespace"]), (&"Client".into(), &"shop".into()));
    }
}
