//! Every operation of an operator in every situation an instance can be in: the table of `docs/CONTROL.md`, cell by cell,
//! and what must be true after each.

use std::time::SystemTime;

use support::prelude::*;

on_every_store!(
    queued,
    not_started,
    running_a_step,
    running_a_step_in_a_group,
    pausing,
    sleeping,
    waiting_for_an_event,
    waiting_for_a_retry,
    waiting_in_a_race,
    waiting_for_a_child,
    paused,
    parked,
    complete,
    errored,
    terminated,
);

/// What one workflow can be brought to. Each has taken the step `before` first, and takes the step `after` last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Situation {
    Queued,
    NotStarted,
    Running,
    Grouped,
    Pausing,
    Sleeping,
    Waiting,
    Retrying,
    Racing,
    Parent,
    Paused,
    Parked,
    Complete,
    Errored,
    Terminated,
}

use Situation::{
    Complete, Errored, Grouped, NotStarted, Parent, Parked, Paused, Pausing, Queued, Racing, Retrying, Running,
    Sleeping, Terminated, Waiting,
};

/// What an operator can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Pause,
    Resume,
    Terminate,
    Restart,
    RestartFrom,
    Send,
    Delete,
}

const OPERATIONS: [Operation; 7] = [
    Operation::Pause,
    Operation::Resume,
    Operation::Terminate,
    Operation::Restart,
    Operation::RestartFrom,
    Operation::Send,
    Operation::Delete,
];

#[workflow]
async fn child_that_waits() -> u64 {
    wait_for::<Go>("go").await.number
}

#[workflow]
async fn in_a_situation(situation: Situation, #[resource] witness: &Witness) -> workflow::Result<u64> {
    step!("before", witness.ok("before", ())).await?;
    let number = match situation {
        Running | Pausing => step!("body", witness.held("body", 1)).await?,
        Grouped => group!("group", { Ok(step!("body", witness.held("body", 1)).await?) }).await?,
        Sleeping => {
            sleep(1h).await;
            1
        }
        Retrying => step!("flaky", retries = 1, delay = 1h, witness.flaky("flaky", 1, 1)).await?,
        Racing => {
            race! {
                () = sleep(1h) => 1,
                go = wait_for::<Go>("raced") => go.number,
            }
            .await
        }
        Parent => child_that_waits().await?,
        Queued | NotStarted | Waiting | Paused | Terminated => wait_for::<Go>("go").await.number,
        Parked => {
            assert!(unrecorded!(witness.count("mended") > 0), "this code is broken");
            1
        }
        Errored => step!("fails", witness.fails("fails")).await.map(|()| 1)?,
        Complete => 1,
    };
    step!("after", witness.ok("after", ())).await?;
    Ok(number)
}

type Instance = Handle<in_a_situation>;

/// An instance that has been brought there. The worker is there, or comes when it is let go on.
struct Scene {
    situation: Situation,
    instance: Instance,
    client: Engine,
    worker: Option<Engine>,
}

impl Scene {
    async fn set(stage: &Stage, situation: Situation) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let client = stage.builder().mode(Mode::Client).start().await?;
        let create = in_a_situation::create(&client, situation);
        let instance = match situation {
            NotStarted => create.start_at(SystemTime::now() + Duration::from_secs(3600)).await?,
            _ => create.await?,
        };
        let mut scene = Self { situation, instance, client, worker: None };
        if !matches!(situation, Queued | NotStarted) {
            scene.begin(stage).await?;
        }
        let instance = &scene.instance;
        match situation {
            Queued | NotStarted => drop(wait::state(instance, State::Queued).await),
            Running | Grouped => stage.witness.ran("body", 1).await,
            Pausing => {
                stage.witness.ran("body", 1).await;
                assert_eq!(instance.pause().await?, State::Running);
            }
            Sleeping | Waiting | Retrying | Racing | Parent => drop(wait::state(instance, State::Waiting).await),
            Paused => {
                wait::state(instance, State::Waiting).await;
                instance.pause().await?;
            }
            Parked => {
                wait::state(instance, State::Paused).await;
                // Before anything makes it go on.
                stage.witness.note("mended");
            }
            Complete => drop(instance.result().await?),
            Errored => assert!(instance.result().await.is_err()),
            Terminated => {
                wait::state(instance, State::Waiting).await;
                instance.terminate("enough").await?;
            }
        }
        Ok(scene)
    }

    async fn begin(&mut self, stage: &Stage) -> TestResult {
        if self.worker.is_none() {
            self.worker = Some(stage.builder().only::<(in_a_situation, child_that_waits)>().start().await?);
        }
        Ok(())
    }

    async fn operate(&self, operation: Operation) -> String {
        let instance = &self.instance;
        let state = match operation {
            Operation::Pause => instance.pause().await,
            Operation::Resume => instance.resume().await,
            Operation::Terminate => instance.terminate("an operator").await,
            Operation::Restart => instance.restart().await,
            Operation::RestartFrom => instance.restart_from("before").await,
            Operation::Delete => {
                return match instance.delete().await {
                    Ok(()) => "deleted".to_owned(),
                    Err(error) => error.code().to_owned(),
                };
            }
            Operation::Send => {
                return match instance.send(Go { number: 1 }).await {
                    Ok(()) => "accepted".to_owned(),
                    Err(error) => error.code().to_owned(),
                };
            }
        };
        match state {
            Ok(state) => state.word().to_owned(),
            Err(error) => error.code().to_owned(),
        }
    }

    /// Makes what it waits for happen, if that does not take an hour. The child has the event that was sent to it, too.
    async fn let_go(&mut self, stage: &Stage) -> TestResult {
        stage.witness.open("body");
        self.begin(stage).await?;
        if self.situation == Parent {
            wait::until("there is a child", || async { self.child().await }).await.send(Go { number: 1 }).await?;
        } else if matches!(self.situation, Queued | Waiting | Racing | Paused | Terminated) {
            self.instance.send(Go { number: 1 }).await?;
        }
        Ok(())
    }

    /// The newest child, of the newest run.
    async fn child(&self) -> Option<Handle<child_that_waits>> {
        let history = self.instance.history().await.expect("a history");
        let id = history.operations.iter().find_map(|operation| operation.child.clone())?;
        child_that_waits::get(&self.client, id).await.ok()
    }

    /// Whether its end does not need an hour.
    fn can_end(&self) -> bool {
        !matches!(self.situation, NotStarted | Sleeping | Retrying)
    }

    async fn ends(&self) -> TestResult {
        match (self.situation, self.instance.result().await) {
            (Errored, Err(_)) => Ok(()),
            (_, result) => {
                assert_eq!(result?, 1);
                Ok(())
            }
        }
    }
}

/// One cell: what the operation says, and what is true after it.
async fn cell(
    kind: StoreKind,
    situation: Situation,
    operation: Operation,
) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let stage = Stage::new(kind).await;
    let mut scene = Scene::set(&stage, situation).await?;
    let before = scene.instance.status().await?;
    let (befores, afters) = (stage.witness.count("before"), stage.witness.count("after"));
    let said = scene.operate(operation).await;
    let told = format!("{situation:?}, {operation:?}: {said}");
    let count = |what: &str| stage.witness.count(what);
    match operation {
        _ if !is_state(&said) && said != "accepted" && said != "deleted" => {
            let now = scene.instance.status().await?;
            assert_eq!((now.state, now.run, now.pausing), (before.state, before.run, before.pausing), "{told}");
        }
        Operation::Pause => {
            stage.witness.open("body");
            scene.begin(&stage).await?;
            wait::state(&scene.instance, State::Paused).await;
            scene.let_go(&stage).await?;
            // Whatever could have gone on has ended with the worker.
            stage.stop(scene.worker.take().expect("it was begun")).await;
            assert_eq!((count("after"), scene.instance.status().await?.state), (afters, State::Paused), "{told}");
            scene.begin(&stage).await?;
            scene.instance.resume().await?;
            if scene.can_end() {
                scene.ends().await?;
                assert_eq!(count("before"), 1, "{told}");
            }
        }
        Operation::Delete => {
            let gone = || async { scene.instance.status().await.is_err().then_some(()) };
            wait::until("it is deleted", gone).await;
            assert_eq!(scene.instance.delete().await.expect_err("it is gone").code(), "not_found", "{told}");
        }
        Operation::Resume | Operation::Send => {
            if scene.can_end() && !matches!((situation, operation), (Parked | Paused | Pausing, Operation::Send)) {
                scene.let_go(&stage).await.or_else(|error| match operation {
                    // The event that was the operation may have ended it.
                    Operation::Send => Ok(()),
                    _ => Err(error),
                })?;
                scene.ends().await?;
                assert_eq!((count("before"), count("after")), (1, 1), "{told}");
            }
        }
        Operation::Terminate => {
            scene.let_go(&stage).await.ok();
            match scene.instance.result().await {
                Err(ResultError::Terminated { reason }) => assert_eq!(reason, "an operator", "{told}"),
                other => panic!("{told}: {other:?}"),
            }
            stage.stop(scene.worker.take().expect("it was begun")).await;
            assert_eq!(count("after"), afters, "{told}");
            assert_eq!(scene.instance.status().await?.state, State::Terminated, "{told}");
        }
        Operation::Restart | Operation::RestartFrom => {
            assert_eq!(scene.instance.status().await?.run, 2, "{told}");
            scene.begin(&stage).await?;
            // At a start time that has come; it was one for the first run only.
            stage.witness.ran("before", befores + 1).await;
            if scene.can_end() {
                scene.let_go(&stage).await?;
                scene.ends().await?;
                let again = usize::from(situation != Errored);
                assert_eq!((count("before"), count("after")), (befores + 1, afters + again), "{told}");
            }
            assert!(scene.instance.history_of(1).await.is_ok(), "{told}");
        }
    }
    Ok(said)
}

/// The row of the table in the docs.
async fn row(stage: Stage, situation: Situation) -> TestResult {
    let kind = stage.kind;
    drop(stage);
    let mut cells = Vec::new();
    for operation in OPERATIONS {
        cells.push(cell(kind, situation, operation).await?);
    }
    let docs = include_str!("../../docs/CONTROL.md");
    let marker = format!("<!-- {situation:?} -->");
    let line = docs.lines().find(|line| line.contains(&marker));
    let expected =
        format!("| {} |{marker}", cells.iter().map(|cell| format!("`{cell}`")).collect::<Vec<_>>().join(" | "));
    let line = line.unwrap_or_default();
    assert!(
        line.ends_with(&expected),
        "docs/CONTROL.md should have in the row of {situation:?}: {expected}\nnot {line}"
    );
    Ok(())
}

macro_rules! rows {
    ($($name:ident $situation:ident),+ $(,)?) => {$(
        async fn $name(stage: Stage) -> TestResult {
            row(stage, $situation).await
        }
    )+};
}

rows! {
    queued Queued,
    not_started NotStarted,
    running_a_step Running,
    running_a_step_in_a_group Grouped,
    pausing Pausing,
    sleeping Sleeping,
    waiting_for_an_event Waiting,
    waiting_for_a_retry Retrying,
    waiting_in_a_race Racing,
    waiting_for_a_child Parent,
    paused Paused,
    parked Parked,
    complete Complete,
    errored Errored,
    terminated Terminated,
}

fn is_state(word: &str) -> bool {
    let states = [
        State::Queued,
        State::Running,
        State::Waiting,
        State::Paused,
        State::Complete,
        State::Errored,
        State::Terminated,
    ];
    states.iter().any(|state| state.word() == word)
}
