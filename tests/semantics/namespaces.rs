//! Two applications on one store: each in a namespace of its own, with the same ids and names and other code.

use support::prelude::*;

on_every_shared_store!(
    two_applications_with_the_same_ids_and_names_never_meet,
    what_one_namespace_deletes_or_ends_is_kept_in_the_other,
);
support::on_a_cluster!(
    two_applications_with_the_same_ids_and_names_never_meet,
    what_one_namespace_deletes_or_ends_is_kept_in_the_other,
);

/// The code of one application.
mod here {
    use support::prelude::*;

    #[workflow(name = "invoice")]
    pub(crate) async fn invoice(number: u64, #[resource] witness: &Witness) -> workflow::Result<String> {
        let own = step!("write", witness.ok("here", number)).await?;
        let go = wait_for::<Go>("go").await;
        Ok(format!("here {own} {}", go.number))
    }
}

/// The code of another one.
mod there {
    use support::prelude::*;

    #[workflow(name = "invoice")]
    pub(crate) async fn invoice(text: String, #[resource] witness: &Witness) -> workflow::Result<String> {
        let go = wait_for::<Go>("go").await;
        let sent = step!("send", witness.ok("there", text.clone())).await?;
        Ok(format!("there {sent} {}", go.number))
    }
}

async fn two_applications_with_the_same_ids_and_names_never_meet(stage: Stage) -> TestResult {
    let one = stage.builder_in("one").await.only::<here::invoice>().start().await?;
    let two = stage.builder_in("two").await.only::<there::invoice>().start().await?;
    let first = here::invoice::create(&one, 7).id("same").await?;
    let second = there::invoice::create(&two, "x".to_owned()).id("same").await?;
    wait::state(&first, State::Waiting).await;
    wait::state(&second, State::Waiting).await;
    // The same event id, to the same instance id, twice.
    first.send(Go { number: 1 }).id("event").await?;
    second.send(Go { number: 2 }).id("event").await?;
    assert_eq!(first.result().await?, "here 7 1");
    assert_eq!(second.result().await?, "there x 2");
    for (engine, number) in [(&one, 3), (&two, 4)] {
        let ids: Vec<String> = engine.list().await?.instances.into_iter().map(|instance| instance.id).collect();
        assert_eq!(ids, ["same"], "each sees its own only ({number})");
        let overview = engine.overview().await?;
        assert_eq!((overview.done(), overview.ready, overview.held), (1, 0, 0));
        assert!(overview.shelves.is_empty(), "no code of the other was asked for: {overview:?}");
    }
    assert_eq!((stage.witness.count("here"), stage.witness.count("there")), (1, 1));
    // Ending one touches nothing of the other.
    one.shutdown(wait::PATIENCE).await;
    let third = there::invoice::create(&two, "y".to_owned()).id("third").await?;
    third.send(Go { number: 5 }).await?;
    assert_eq!(third.result().await?, "there y 5");
    assert!(two.health().is_good());
    assert_eq!(two.health().worker.map(|worker| worker.lost_sessions), Some(0));
    Ok(())
}

async fn what_one_namespace_deletes_or_ends_is_kept_in_the_other(stage: Stage) -> TestResult {
    let one = stage.builder_in("one").await.only::<here::invoice>().start().await?;
    let two = stage.builder_in("two").await.only::<there::invoice>().start().await?;
    let first = here::invoice::create(&one, 7).id("same").retention(Duration::ZERO, Duration::ZERO).await?;
    let second = there::invoice::create(&two, "x".to_owned()).id("same").await?;
    wait::state(&second, State::Waiting).await;
    first.terminate("enough").await?;
    let gone = async || here::invoice::get(&one, "same").await.is_err().then_some(());
    wait::until("the first is deleted", gone).await;
    assert_eq!(second.status().await?.state, State::Waiting);
    second.send(Go { number: 2 }).await?;
    assert_eq!(second.result().await?, "there x 2");
    // A namespace whose name begins like another's is another one.
    let near = stage.builder_in("two:0").await.only::<there::invoice>().start().await?;
    assert!(near.list().await?.instances.is_empty());
    assert!(there::invoice::get(&near, "same").await.is_err());
    Ok(())
}
