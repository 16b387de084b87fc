//! Priorities, and the weights of queues: which of the instances that are ready comes first.

use support::on_every_undivided_store;
use support::prelude::*;

on_every_undivided_store!(smaller_priority_numbers_come_first, queues_are_served_by_their_weights);

#[workflow]
async fn notes_its_name(name: String, #[resource] witness: &Witness) -> workflow::Result<()> {
    step!("run", witness.ok(&name, ())).await?;
    Ok(())
}

#[workflow(queue = "mail")]
async fn is_mail(#[resource] witness: &Witness) -> workflow::Result<()> {
    step!("run", witness.ok("mail", ())).await?;
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

async fn queues_are_served_by_their_weights(stage: Stage) -> TestResult {
    let client = stage.builder().mode(Mode::Client).start().await?;
    // By their times alone all of these would come first.
    notes_its_name::create_batch(&client, (0..40).map(|_| notes_its_name::new("default".to_owned()))).await?;
    let mails = is_mail::create_batch(&client, (0..40).map(|_| is_mail::new())).await?;
    let weights = [("mail", 3), ("default", 1)];
    let _worker =
        stage.builder().concurrency(1).only::<(notes_its_name, is_mail)>().queue_weights(weights).start().await?;
    for mail in mails {
        mail?.result().await?;
    }
    let notes = stage.witness.notes();
    let mails = notes.iter().take(40).filter(|note| *note == "mail").count();
    // Three of four; a claim that is made when there is nothing to do may take a turn.
    assert!((29..=31).contains(&mails), "{mails} of the first 40: {notes:?}");
    Ok(())
}
