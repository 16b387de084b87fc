//! Code changes while instances wait. `changed("id")` guards a small difference: an instance that has passed it on the old
//! code stays on the old branch. `version = 2` is another workflow of the same name: both run side by side, each instance
//! on the code it began with.
//!
//! Run it with `cargo run --example versions`. It prints what three generations of one program make of the same orders.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use workflow::prelude::*;

/// The order may be shipped.
#[derive(Debug, Event, Serialize, Deserialize)]
struct Go;

async fn did(what: &str) -> io::Result<String> {
    Ok(what.to_owned())
}

mod first {
    use super::*;

    /// As it was written at first.
    #[workflow(name = "ship")]
    pub(super) async fn ship() -> workflow::Result<String> {
        let packed = step!("pack", did("packed")).await?;
        let label = step!("label", did("labelled")).await?;
        wait_for::<Go>("go").await;
        Ok(format!("{packed}, {label}, {}", step!("ship", did("shipped")).await?))
    }
}

mod second {
    use super::*;

    /// Weighs before the label, where there is none yet.
    #[workflow(name = "ship")]
    pub(super) async fn ship() -> workflow::Result<String> {
        let mut done = vec![step!("pack", did("packed")).await?];
        if changed("weigh").await {
            done.push(step!("weigh", did("weighed")).await?);
        }
        done.push(step!("label", did("labelled")).await?);
        wait_for::<Go>("go").await;
        done.push(step!("ship", did("shipped")).await?);
        Ok(done.join(", "))
    }
}

mod third {
    use super::*;

    /// Written anew.
    #[workflow(name = "ship", version = 2)]
    pub(super) async fn ship() -> workflow::Result<String> {
        wait_for::<Go>("go").await;
        Ok(step!("hand over", did("handed over to someone else")).await?)
    }
}

#[tokio::main]
async fn main() -> workflow::Result<()> {
    let folder = tempfile::tempdir()?;
    let store = format!("sqlite:{}", folder.path().join("versions.db").display());
    let grace = Duration::from_secs(1);

    let engine = Engine::builder().store(&store).only::<first::ship>().start().await?;
    let oldest = first::ship::create(&engine).id("oldest").await?;
    waits(&oldest).await;
    engine.shutdown(grace).await;

    // Deployed: the first instance goes on with this code.
    let engine = Engine::builder().store(&store).only::<second::ship>().start().await?;
    let newer = second::ship::create(&engine).id("newer").await?;
    waits(&newer).await;
    engine.shutdown(grace).await;

    // Deployed: the code of version 1 stays until its last instance has ended.
    let engine = Engine::builder().store(&store).only::<(second::ship, third::ship)>().start().await?;
    third::ship::create(&engine).id("newest").await?;
    for id in ["oldest", "newer", "newest"] {
        let instance = engine.instance(id).await?;
        instance.send(Go).await?;
        let done = instance.result().await?;
        println!("{id}, version {}: {}", instance.status().await?.version, done.as_str().unwrap_or("no text"));
    }
    engine.shutdown(grace).await;
    Ok(())
}

/// Until it waits.
async fn waits<W: workflow::Subject>(instance: &Handle<W>) {
    let mut changes = instance.on_change();
    while changes.next().await.is_some_and(|status| status.waits.is_empty()) {}
}
