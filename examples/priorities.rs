//! Queues and priorities: a worker takes from the queues it is told to, what is urgent first. Each step of priority is
//! worth 30 seconds of waiting, so what is not urgent is late, but never left.
//!
//! Run it with `cargo run --example priorities`. It prints the order in which a worker with one slot takes what was
//! waiting for it.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::io;

use workflow::prelude::*;

/// Renders a film. Its queue is for machines with a graphics card.
#[workflow(queue = "graphics")]
async fn render(film: String) -> workflow::Result<()> {
    step!("render", draw(&film)).await?;
    Ok(())
}

async fn draw(film: &str) -> io::Result<()> {
    println!("rendering {film}");
    Ok(())
}

/// Sends a mail, from any machine.
#[workflow]
async fn mail(to: String) -> workflow::Result<()> {
    step!("send", send(&to)).await?;
    Ok(())
}

async fn send(to: &str) -> io::Result<()> {
    println!("mail to {to}");
    Ok(())
}

#[tokio::main]
async fn main() -> workflow::Result<()> {
    let folder = tempfile::tempdir()?;
    let store = format!("sqlite:{}", folder.path().join("priorities.db").display());
    // Creates, and runs nothing.
    let client = Engine::builder().store(&store).mode(Mode::Client).start().await?;
    // From 0, the first and the default, to 255.
    let mut films = Vec::new();
    for (film, priority) in [("the archive", 200), ("the trailer", 0), ("the feature", 100)] {
        films.push(render::create(&client, film.to_owned()).priority(priority).await?);
    }
    let letter = mail::create(&client, "Ada".to_owned()).await?;

    let machine =
        Engine::builder().store(&store).mode(Mode::Worker).queues(["graphics"]).concurrency(1).start().await?;
    for film in films {
        film.result().await?;
    }
    println!("the mail is {}", letter.status().await?.state);

    let other = Engine::builder().store(&store).mode(Mode::Worker).queues(["default"]).start().await?;
    letter.result().await?;
    for engine in [machine, other, client] {
        engine.shutdown(std::time::Duration::from_secs(1)).await;
    }
    Ok(())
}
