//! In a program that is not async: the engine lives in a runtime of its own, which goes on beside the rest of the program.
//! Only calls wait for it.
//!
//! Run it with `cargo run --example embedded`. It prints what three backups came to.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::io;
use std::time::Duration;

use tokio::runtime::Runtime;
use workflow::prelude::*;

/// Makes a backup of a disk, and looks at it a moment later.
#[workflow]
async fn backup(disk: String) -> workflow::Result<String> {
    let copy = step!("copy", retries = 3, delay = 1s, copy(&disk)).await?;
    sleep(100ms).await;
    step!("check", retries = 3, delay = 1s, check(&copy)).await?;
    Ok(copy)
}

async fn copy(disk: &str) -> io::Result<String> {
    Ok(format!("copy of {disk}"))
}

async fn check(copy: &str) -> io::Result<()> {
    if copy.is_empty() { Err(io::Error::other("nothing was copied")) } else { Ok(()) }
}

/// What the rest of the program sees: ordinary functions.
struct Backups {
    runtime: Runtime,
    engine: Engine,
}

impl Backups {
    fn start() -> workflow::Result<Self> {
        // One thread of its own is plenty: it drives thousands of instances.
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let engine = runtime.block_on(Engine::builder().store("sqlite::memory:").start())?;
        Ok(Self { runtime, engine })
    }

    fn begin(&self, disk: &str) -> workflow::Result<Handle<backup>> {
        Ok(self.runtime.block_on(async { backup::create(&self.engine, disk.to_owned()).await })?)
    }

    fn finish(&self, backup: &Handle<backup>) -> workflow::Result<String> {
        Ok(self.runtime.block_on(backup.result())?)
    }

    fn stop(self) {
        self.runtime.block_on(self.engine.shutdown(Duration::from_secs(1)));
    }
}

fn main() -> workflow::Result<()> {
    let backups = Backups::start()?;
    let begun = ["sda", "sdb", "sdc"].map(|disk| backups.begin(disk));
    // All three go on meanwhile.
    for backup in begun {
        println!("{}", backups.finish(&backup?)?);
    }
    backups.stop();
    Ok(())
}
