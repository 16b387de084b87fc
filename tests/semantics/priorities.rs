//! Priorities: which of the instances that are ready comes first.

use support::on_every_undivided_store;
use support::prelude::*;

on_every_undivided_store!(smaller_priority_numbers_come_first);

#[workflow]
async fn notes_its_name(name: String, #[resource] witness: &Witness) -> workflow::Result<()> {
    step!("run", witness.ok(&name, ())).await?;
    Ok(())
}

async fn smaller_priority_numbers_come_first(stage: Stage) -> TestResult {
    let client = stage.builder().mode(Mode::Client).start().await?;
    let mut instances = Vec::new();
    for (name, priority) in [("last", 2), ("middle", 1), ("first", 0)] {
        instances.push(notes_its_name::create(&client, name.to_owned()).priority(priority).await?);
    }
    let _worker = stage.builder().concurrency(1).only::<notes_its_name>().start().await?;
    for instance in &instances {
        instance.result().await?;
    }
    assert_eq!(stage.witness.notes(), ["first", "middle", "last"]);
    Ok(())
}
