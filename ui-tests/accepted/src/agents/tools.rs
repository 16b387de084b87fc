//! The loop of an agent: the model answers or calls tools, tools run side by side, and their results go back.

use crate::remote;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::io;
use workflow::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "lowercase")]
enum Message {
    User { text: String },
    Assistant { text: Option<String>, calls: Vec<Call> },
    Tool { call: String, output: Value },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Call {
    id: String,
    tool: Tool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", content = "arguments")]
enum Tool {
    Search { query: String },
    Weather { city: String, days: u8 },
    AskHuman { question: String },
}

/// What a person answers to an agent.
#[derive(Debug, Event, Serialize, Deserialize)]
#[event(name = "agent.answer")]
struct HumanAnswer {
    text: String,
}

struct Model;

impl Model {
    async fn complete(&self, messages: &[Message], key: &str) -> io::Result<Message> {
        let call = |id: &str, tool| Call { id: format!("{id}-{}", key.len()), tool };
        let asked = messages.iter().filter(|message| matches!(message, Message::Assistant { .. })).count();
        remote::answer(match asked {
            0 => Message::Assistant {
                text: None,
                calls: vec![
                    call("w", Tool::Weather { city: "Oslo".to_owned(), days: 2 }),
                    call("s", Tool::Search { query: "umbrella".to_owned() }),
                ],
            },
            1 => Message::Assistant {
                text: Some("hm".to_owned()),
                calls: vec![call("h", Tool::AskHuman { question: "red?".to_owned() })],
            },
            _ => Message::Assistant { text: Some(format!("{} messages", messages.len())), calls: vec![] },
        })
        .await
    }
}

async fn search(query: &str) -> io::Result<Value> {
    remote::answer(json!({ "hits": [query], "timeout": null })).await
}

async fn weather(city: &str, days: u8) -> io::Result<Value> {
    remote::answer(json!({ "city": city, "days": days })).await
}

#[part]
async fn run_tool(call: &Call) -> Message {
    let output = match &call.tool {
        Tool::Search { query } => step!("search", key = call.id, retries = 2, search(query)).await,
        Tool::Weather { city, days } => step!("weather", key = call.id, timeout = 20s, weather(city, *days)).await,
        Tool::AskHuman { question } => {
            let HumanAnswer { text } = wait_for("answer").key(&call.id).await;
            Ok(json!({ "question": question, "answer": text }))
        }
    };
    let output = output.unwrap_or_else(|error| json!({ "error": error.to_string() }));
    Message::Tool { call: call.id.clone(), output }
}

const MOST_ROUNDS: usize = 8;

/// Answers a question, with whatever tools it takes.
#[workflow(name = "agent.answer")]
async fn agent(question: String, #[resource] model: &Model) -> workflow::Result<String> {
    let mut messages = vec![Message::User { text: question }];
    for _ in 0..MOST_ROUNDS {
        let answer = step!("complete", retries = 5, delay = 1s, backoff = exponential, timeout = 2m, |cx| {
            Ok(model.complete(&messages, &cx.idempotency_key()).await?)
        })
        .await?;
        messages.push(answer.clone());
        let Message::Assistant { text, calls } = answer else {
            return Err("the model speaks for others".into());
        };
        if calls.is_empty() {
            return text.ok_or_else(|| "the model says nothing".into());
        }
        let results = join_all(calls.iter().map(|call| async move { run_tool(call).await })).await;
        messages.extend(results);
    }
    Err(workflow::Error::msg("no answer in time"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_and_people_are_asked() {
        let report = agent::test("what to wear?".to_owned())
            .resource(Model)
            .fail("weather", 1, "no satellite")
            .event_keyed("h-32", HumanAnswer { text: "blue".to_owned() })
            .run();
        assert_eq!(report.result, Ok("6 messages".to_owned()));
        assert_eq!(report.names().collect::<Vec<_>>(), ["complete", "weather", "search", "complete", "complete"]);
    }
}
