//! The least there is: a workflow of two steps and a sleep, and its result.
//!
//! Run it with `cargo run --example hello`. It prints a greeting and, two seconds later, the reply. Stop it in the middle
//! and start it again: the greeting is not made twice. Run it again when it is over: only the reply is printed.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::io;

use workflow::prelude::*;

/// Greets somebody, slowly.
#[workflow]
async fn hello(name: String) -> workflow::Result<String> {
    let greeting = step!("greet", greet(&name)).await?;
    sleep(2s).await;
    let reply = step!("wait for a reply", reply(&greeting)).await?;
    Ok(reply)
}

async fn greet(name: &str) -> io::Result<String> {
    println!("greeting {name}");
    Ok(format!("Hello, {name}!"))
}

async fn reply(greeting: &str) -> io::Result<String> {
    println!("said: {greeting}");
    Ok("Hello yourself.".to_owned())
}

#[tokio::main]
async fn main() -> workflow::Result<()> {
    let engine = Engine::builder().store("sqlite:hello.db").start().await?;
    // The id makes it the same greeting each time: a second program attaches to the first one's.
    let instance = hello::create(&engine, "world".to_owned()).id("hello-1").attach().await?;
    println!("replied: {}", instance.result().await?);
    Ok(())
}
