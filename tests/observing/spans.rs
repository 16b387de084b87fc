//! Which spans are open around what, that none is opened for what is only repeated, and that no value is in any.

use support::prelude::*;
use support::{Stage, StoreKind, TestResult};
use tracing::Level;
use tracing::subscriber::DefaultGuard;

use crate::capture::Capture;

/// Every value, error, event and key of an event in these workflows holds this.
const SECRET: &str = "s3cret";

fn secret(what: &str) -> String {
    format!("{SECRET} {what}")
}

/// Runs a test on one thread, so that all it does is seen, and nothing of another test.
fn observed<F: Future<Output = TestResult>>(level: Level, test: impl FnOnce(Stage, Capture) -> F) {
    let (capture, _guard): (Capture, DefaultGuard) = Capture::up_to(level);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let outcome = runtime.block_on(async {
        let stage = Stage::new(StoreKind::SqliteMemory).await;
        test(stage, capture.clone()).await
    });
    if let Err(error) = outcome {
        panic!("{error}; what was seen:\n{}", capture.tree());
    }
}

#[workflow(version = 2)]
async fn parcel(address: String, #[resource] witness: &Witness) -> workflow::Result<String> {
    workflow::log!("begun");
    let weighed = step!("weigh", key = "eu", retries = 1, {
        tracing::info!("weighing");
        witness.flaky("weigh", 1, ()).await.map_err(|_| secret("error"))?;
        Ok(secret("weight"))
    })
    .await?;
    workflow::log!("weighed");
    group!("ship", retries = 1, {
        let (label, mail) = join!(
            step!("label", async {
                tracing::info!("printing");
                witness.ok("label", secret("label")).await
            }),
            step!("mail", {
                tracing::info!("mailing");
                witness.flaky("mail", 1, ()).await.map_err(|_| secret("mail error"))?;
                Ok(())
            }),
        )
        .await;
        label?;
        mail?;
        workflow::log!("shipped");
        Ok(())
    })
    .await?;
    let signed = wait_for_type::<String>("signature", "signed").key(secret("key")).timeout(1h).await?;
    insured(witness).await?;
    let paid = pay(address).await?;
    step!("file", {
        tracing::info!("filing");
        witness.ok("file", signed.clone()).await?;
        Ok(())
    })
    .await?;
    Ok(weighed + &paid)
}

#[part]
async fn insured(witness: &Witness) -> workflow::Result<()> {
    step!("insure", {
        tracing::info!("insuring");
        witness.ok("insure", ()).await?;
        Ok(())
    })
    .await?;
    Ok(())
}

#[workflow]
async fn pay(address: String) -> workflow::Result<String> {
    step!("charge", {
        tracing::info!("charging");
        Ok(address.clone())
    })
    .await?;
    Ok(secret("receipt"))
}

/// The numbers of records and the rest of ids are nobody's business here.
fn without_child_id(tree: &str) -> String {
    let child =
        |line: &str| match (line.contains("instance id=") && line.contains("parent_id="), line.find(" workflow=")) {
            (true, Some(at)) => format!("instance id=<child>{}", &line[at..]),
            _ => line.to_owned(),
        };
    tree.lines().map(|line| child(line) + "\n").collect()
}

#[test]
fn spans_are_nested_as_the_workflow_is_and_nothing_of_a_replay_is_seen_again() {
    observed(Level::TRACE, async |stage, capture| {
        let engine = stage.builder().only::<(parcel, pay)>().start().await?;
        let instance = parcel::create(&engine, secret("address")).id("p-1").await?;
        wait::state(&instance, State::Waiting).await;
        stage.stop(engine).await;
        assert_eq!(capture.open(), [""; 0], "what waits holds no span");

        // Replayed from its journal here, and once more when its end is compared.
        let engine = stage.builder().only::<(parcel, pay)>().verify_replay(VerifyReplay::Always).start().await?;
        let instance = parcel::get(&engine, "p-1").await?;
        instance.send_type("signed", secret("signature")).key(secret("key")).await?;
        assert!(instance.result().await?.starts_with(SECRET));
        stage.stop(engine).await;

        assert_eq!(
            without_child_id(&capture.tree()),
            r#"instance id=p-1 workflow="parcel" version=2 run=1
  - INFO message=begun
  step name="weigh" key="eu" path="s:weigh[eu]"
    attempt number=1 outcome="failed"
      - INFO message=weighing
    attempt number=2 outcome="ok"
      - INFO message=weighing
  - INFO message=weighed
  group name="ship" path="g:ship"
    attempt number=1 outcome="failed"
      step name="label" path="g:ship/s:label"
        attempt number=1 outcome="ok"
          - INFO message=printing
      step name="mail" path="g:ship/s:mail"
        attempt number=1 outcome="failed"
          - INFO message=mailing
    attempt number=2 outcome="ok"
      step name="mail" path="g:ship/s:mail"
        attempt number=1 outcome="ok"
          - INFO message=mailing
      - INFO message=shipped
instance id=p-1 workflow="parcel" version=2 run=1
  step name="insure" path="p:insured/s:insure"
    attempt number=1 outcome="ok"
      - INFO message=insuring
instance id=<child> workflow="pay" version=1 run=1 parent_id="p-1"
  step name="charge" path="s:charge"
    attempt number=1 outcome="ok"
      - INFO message=charging
instance id=p-1 workflow="parcel" version=2 run=1
  step name="file" path="s:file"
    attempt number=1 outcome="ok"
      - INFO message=filing
"#
        );
        assert_eq!(capture.open(), [""; 0], "every span was closed");
        let everything = capture.everything();
        assert!(!everything.contains(SECRET), "a value is in what was said:\n{everything}");
        Ok(())
    });
}

/// What most programs show.
#[test]
fn without_debug_a_body_speaks_within_its_step() {
    observed(Level::INFO, async |stage, capture| {
        let engine = stage.builder().only::<pay>().start().await?;
        pay::create(&engine, secret("address")).id("p-2").await?.result().await?;
        stage.stop(engine).await;
        let tree = "instance id=p-2 workflow=\"pay\" version=1 run=1\n  step name=\"charge\" path=\"s:charge\"\n    \
                    - INFO message=charging\n";
        assert_eq!(capture.tree(), tree);
        assert_eq!(capture.open(), [""; 0]);
        Ok(())
    });
}

/// Says something when it goes.
struct SaysSo;

impl Drop for SaysSo {
    fn drop(&mut self) {
        tracing::info!("dropped");
    }
}

#[workflow]
async fn hurried(#[resource] witness: &Witness) -> workflow::Result<u8> {
    let late = step!("slow", retries = 1, timeout = 30ms, {
        let _says_so = SaysSo;
        if witness.note("slow") == 1 {
            std::future::pending::<()>().await;
        }
        Ok(())
    })
    .await;
    let lost = race! {
        _ = step!("never", async {
            let _says_so = SaysSo;
            witness.held_until_dropped("never").await
        }) => 1,
        _ = step!("at once", witness.ok("at once", ())) => 2,
    }
    .await;
    late?;
    Ok(lost)
}

#[test]
fn what_is_dropped_is_dropped_within_its_span() {
    observed(Level::DEBUG, async |stage, capture| {
        let engine = stage.builder().only::<hurried>().start().await?;
        assert_eq!(hurried::create(&engine).id("h").await?.result().await?, 2);
        stage.stop(engine).await;
        let tree = r#"instance id=h workflow="hurried" version=1 run=1
  step name="slow" path="s:slow"
    attempt number=1 outcome="timed_out"
      - INFO message=dropped
    attempt number=2 outcome="ok"
      - INFO message=dropped
  step name="never" path="s:never"
    attempt number=1
      - INFO message=dropped
  step name="at once" path="s:at once"
    attempt number=1 outcome="ok"
"#;
        let seen = capture.tree();
        // The span of the other step may open before or after the loser says that it goes: they are siblings.
        let sorted = |tree: &str| {
            let mut lines: Vec<String> = tree.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!(sorted(&seen), sorted(tree), "{seen}");
        assert_eq!(capture.open(), [""; 0]);
        Ok(())
    });
}

#[workflow]
async fn grouped(#[resource] witness: &Witness) -> workflow::Result<()> {
    group!("visit", {
        workflow::log!("there");
        step!("ring", witness.ok("ring", ())).await?;
        wait_for::<Go>("door").await;
        step!("enter", witness.ok("enter", ())).await?;
        Ok(())
    })
    .await?;
    Ok(())
}

/// Replayed in the middle of the group, and at the end both without entering it and with.
#[test]
fn a_group_that_goes_on_elsewhere_has_a_span_there_and_none_in_a_replay() {
    observed(Level::TRACE, async |stage, capture| {
        let engine = stage.builder().only::<grouped>().start().await?;
        let instance = grouped::create(&engine).id("g").await?;
        wait::state(&instance, State::Waiting).await;
        stage.stop(engine).await;
        let engine = stage.builder().only::<grouped>().verify_replay(VerifyReplay::Always).start().await?;
        let instance = grouped::get(&engine, "g").await?;
        instance.send(Go { number: 1 }).await?;
        instance.result().await?;
        stage.stop(engine).await;
        let tree = r#"instance id=g workflow="grouped" version=1 run=1
  group name="visit" path="g:visit"
    attempt number=1
      - INFO message=there
      step name="ring" path="g:visit/s:ring"
        attempt number=1 outcome="ok"
instance id=g workflow="grouped" version=1 run=1
  group name="visit" path="g:visit"
    attempt number=1 outcome="ok"
      step name="enter" path="g:visit/s:enter"
        attempt number=1 outcome="ok"
"#;
        assert_eq!(capture.tree(), tree);
        assert_eq!(capture.open(), [""; 0]);
        Ok(())
    });
}

/// It stays in memory between the two.
#[test]
fn a_run_that_stays_in_memory_has_new_spans_when_it_goes_on() {
    observed(Level::DEBUG, async |stage, capture| {
        let engine = stage.builder().only::<grouped>().start().await?;
        let instance = grouped::create(&engine).id("g").await?;
        wait::state(&instance, State::Waiting).await;
        wait::until("its spans are closed", async || capture.open().is_empty().then_some(())).await;
        assert_eq!(engine.health().worker.map(|worker| worker.in_memory), Some(1));
        instance.send(Go { number: 1 }).await?;
        instance.result().await?;
        stage.stop(engine).await;
        let spans = |name: &str| capture.tree().lines().filter(|line| line.trim_start().starts_with(name)).count();
        assert_eq!((spans("instance"), spans("group"), spans("step")), (2, 2, 2), "{}", capture.tree());
        assert_eq!(capture.open(), [""; 0]);
        Ok(())
    });
}

#[workflow]
async fn panics(text: String) -> workflow::Result<()> {
    assert!(text.is_empty(), "{text}");
    Ok(())
}

#[workflow]
async fn body_panics(text: String) -> workflow::Result<()> {
    step!("panic", {
        assert!(text.is_empty(), "{text}");
        Ok(())
    })
    .await?;
    Ok(())
}

#[test]
fn what_a_panic_said_is_in_the_status_and_in_no_log() {
    observed(Level::TRACE, async |stage, capture| {
        let engine = stage.builder().only::<(panics, body_panics)>().start().await?;
        let parked = panics::create(&engine, secret("panic")).id("parked").await?;
        let status = wait::state(&parked, State::Paused).await;
        assert_eq!(status.paused.map(|paused| paused.reason), Some(PauseReason::Panic { message: secret("panic") }));
        let failed = body_panics::create(&engine, secret("panic")).await?.result().await;
        assert!(format!("{failed:?}").contains(SECRET), "{failed:?}");
        stage.stop(engine).await;
        let everything = capture.everything();
        let told = "- ERROR message=the instance is parked: its code panicked; its status says more. Mend the code, or go \
                    back to the one before, and resume it instance=parked run=1 workflow=panics version=1";
        assert!(everything.contains(told), "{everything}");
        assert!(capture.tree().contains("attempt number=1 outcome=\"panicked\""), "{everything}");
        assert!(!everything.contains(SECRET), "a value is in what was said:\n{everything}");
        Ok(())
    });
}
