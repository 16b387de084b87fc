//! The least there is: a workflow of two steps and a sleep, and its result.
//!
//! Stop it in the middle and start it again: the greeting is not made twice.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;

use workflow::Engine;
use workflow::prelude::*;

/// Greets somebody, slowly.
#[workflow]
async fn hello(name: String) -> workflow::Result<String> {
    let greeting = step!("greet", greet(&name)).await?;
    sleep(2s).await;
    let reply = step!("wait for a reply", reply(&greeting)).await?;
    Ok(reply)
}

async fn greet(name: &str) -> Result<String, Box<dyn Error + Send + Sync>> {
    println!("greeting {name}");
    Ok(format!("Hello, {name}!"))
}

async fn reply(greeting: &str) -> Result<String, Box<dyn Error + Send + Sync>> {
    println!("said: {greeting}");
    Ok("Hello yourself.".to_owned())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let engine = Engine::builder().store("sqlite:hello.db").start().await?;
    // The id makes it the same greeting each time: a second program attaches to the first one's.
    let instance = hello::create(&engine, "world".to_owned()).id("hello-1").attach().await?;
    println!("replied: {}", instance.result().await?);
    Ok(())
}
