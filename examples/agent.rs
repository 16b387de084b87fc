//! An agent: a language model that calls tools until it knows the answer. Each answer of the model and each call of a tool
//! is a step, so after a crash the conversation goes on where it was: what was answered is not asked and paid for again.
//! Tools of one turn run side by side; before one that destroys something, a person is asked.
//!
//! Run it with `cargo run --example agent`. It prints what two agents do: one may delete what it found, one may not. The
//! model is a stand-in that needs no network.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::io;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use workflow::WaitTarget;
use workflow::prelude::*;

/// How often the model may answer: what goes in circles ends.
const TURNS_MAX: u32 = 8;

/// One entry of the conversation, as the model is given it.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Message {
    User { text: String },
    Assistant { text: String, calls: Vec<Call> },
    Tool { call: String, output: String },
}

/// A tool that the model wants to be called. The id is the model's.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Call {
    id: String,
    tool: Tool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
enum Tool {
    ListFiles { folder: String },
    DeleteFile { path: String },
}

/// Whether the agent may do what it wants to; the event's key is the call's id.
#[derive(Debug, Event, Serialize, Deserialize)]
struct Approval {
    granted: bool,
}

/// Does what a person asks for, with the tools it has.
#[workflow]
async fn agent(task: String, #[resource] model: &Model, #[resource] disk: &Disk) -> workflow::Result<String> {
    let mut messages = vec![Message::User { text: task }];
    for turn in 1..=TURNS_MAX {
        let (text, calls) = step!(
            "ask the model",
            key = turn,
            retries = 5,
            delay = 2s,
            backoff = exponential,
            timeout = 60s,
            model.answer(&messages)
        )
        .await?;
        if calls.is_empty() {
            return Ok(text);
        }
        let outputs = join_all(calls.iter().map(|call| use_tool(call, disk))).await;
        messages.push(Message::Assistant { text, calls: calls.clone() });
        for (call, output) in calls.iter().zip(outputs) {
            // What went wrong is for the model to read: it may try something else.
            let output = output.unwrap_or_else(|error| format!("error: {error}"));
            messages.push(Message::Tool { call: call.id.clone(), output });
        }
    }
    Err(format!("no answer after {TURNS_MAX} turns").into())
}

/// Calls a tool, after asking if need be.
#[part]
async fn use_tool(call: &Call, disk: &Disk) -> workflow::Result<String> {
    match &call.tool {
        Tool::ListFiles { folder } => Ok(step!("list files", key = call.id, retries = 3, disk.list(folder)).await?),
        Tool::DeleteFile { path } => match wait_for::<Approval>("approval").key(&call.id).timeout(24h).await {
            Ok(Approval { granted: true }) => Ok(step!("delete file", key = call.id, disk.delete(path)).await?),
            Ok(Approval { granted: false }) => Ok("the user does not want this".to_owned()),
            Err(TimedOut { .. }) => Ok("nobody was there to approve this".to_owned()),
        },
    }
}

/// Stands in for a model: first looks at two folders, then wants to delete what it found, then sums up.
struct Model;

impl Model {
    async fn answer(&self, messages: &[Message]) -> io::Result<(String, Vec<Call>)> {
        let call = |id: &str, tool| Call { id: id.to_owned(), tool };
        let list = |id, folder: &str| call(id, Tool::ListFiles { folder: folder.to_owned() });
        let answer = match messages {
            [Message::User { .. }] => ("I look around.", vec![list("call-1", "/tmp"), list("call-2", "/var/log")]),
            [.., Message::Tool { output, .. }] if output.ends_with(".log") => {
                ("This one is old.", vec![call("call-3", Tool::DeleteFile { path: output.clone() })])
            }
            [.., Message::Tool { output, .. }] => return Ok((format!("Done: {output}."), Vec::new())),
            _ => return Err(io::Error::other("the conversation makes no sense")),
        };
        println!("  model: {}", answer.0);
        Ok((answer.0.to_owned(), answer.1))
    }
}

/// Stands in for a disk.
#[derive(Default)]
struct Disk {
    deleted: Mutex<Vec<String>>,
}

impl Disk {
    async fn list(&self, folder: &str) -> io::Result<String> {
        Ok(format!("{folder}/2019.log"))
    }

    async fn delete(&self, path: &str) -> io::Result<String> {
        self.deleted.lock().expect("nobody panics while holding it").push(path.to_owned());
        println!("  tool: deleting {path}");
        Ok(format!("{path} is deleted"))
    }
}

/// Waits until the agent asks, as a page for approvals would, and answers.
async fn decide(instance: &Handle<agent>, granted: bool) -> workflow::Result<()> {
    let mut changes = instance.on_change();
    while let Some(status) = changes.next().await {
        for wait in status.waits {
            if let WaitTarget::Event { key, .. } = wait.target {
                println!("  person: {key} is {}", if granted { "granted" } else { "refused" });
                instance.send(Approval { granted }).key(key).await?;
                return Ok(());
            }
        }
    }
    Ok(())
}

#[tokio::main]
async fn main() -> workflow::Result<()> {
    let engine = Engine::builder().store("sqlite::memory:").resource(Model).resource(Disk::default()).start().await?;
    for granted in [true, false] {
        println!("make room on the disk");
        let instance = agent::create(&engine, "make room on the disk".to_owned()).await?;
        decide(&instance, granted).await?;
        println!("  answer: {}", instance.result().await?);
    }
    Ok(())
}
