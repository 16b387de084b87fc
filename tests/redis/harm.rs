//! What an operator's mistake takes from a server under a live worker: everything, or one key of a partition. It is noticed
//! and told, nothing spins, and new work goes on.

use support::chance::Chance;
use support::impostor::{Impostor, Trouble};
use support::prelude::*;
use support::redis::RedisServer;
use support::size::Amount;
use workflow::ResultError;

use super::loops::{Go, errand, helper};
use super::stage::{INDEXES, open, runtime};

/// The keys that a partition has one of beside its indexes.
const OTHERS: [&str; 6] = ["sessions", "beats", "dead", "claims", "limits", "calls"];
/// How many keys are harmed, each in both ways.
const HARMED: Amount = Amount::of(6, 21, 21);
const LEASE: Duration = Duration::from_secs(2);
/// So many requests a second are work, not a loop that spins.
const REQUESTS_A_SECOND_MAX: usize = 400;

/// Carries an errand out from its creation to its end, and gives up after a while.
async fn runs(engine: &Engine, id: &str, within: Duration) -> Result<u64, String> {
    let instance = errand::create(engine, 0).id(id).attach().await.map_err(|error| error.to_string())?;
    match instance.send(Go { number: 10 }).id("go").await {
        Ok(_) | Err(EngineError::Finished { .. }) => {}
        Err(error) => return Err(error.to_string()),
    }
    instance.result_within(within).await.map_err(|error| error.to_string())
}

/// Waits until new work is done from its beginning to its end.
async fn works(engine: &Engine, what: &str) {
    let number = std::cell::Cell::new(0);
    wait::until(&format!("work goes on after {what}"), async || {
        number.set(number.get() + 1);
        runs(engine, &format!("{what}-{}", number.get()).replace(' ', "-"), Duration::from_secs(10))
            .await
            .ok()
            .map(|sum| assert_eq!(sum, 13))
    })
    .await;
    let healthy = async || engine.health().is_good().then_some(());
    wait::until(&format!("all is well after {what}"), healthy).await;
}

#[test]
fn a_server_that_was_flushed_under_a_worker_is_noticed_and_new_work_goes_on() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let engine = Engine::builder().store(server.url()).only::<(errand, helper)>().lease(LEASE);
        let engine = engine.start().await.expect("it starts");
        let mut lost = Vec::new();
        for number in 0..10 {
            lost.push(errand::create(&engine, number).id(format!("lost-{number}")).await.expect("it is made"));
        }
        server.command(&["FLUSHALL"]);
        // Nobody waits for what is not there any more.
        for instance in &lost {
            let told = instance.result_within(wait::PATIENCE).await;
            assert!(matches!(told, Err(ResultError::Unknown { .. })), "{told:?}");
        }
        works(&engine, "a flush").await;
        assert!(engine.health().store.losses > 0, "it is found out: {}", engine.health());
    });
}

#[test]
fn whatever_key_of_a_partition_is_gone_or_of_another_type_new_work_goes_on_once_it_is_repaired() {
    let mut chance = Chance::new("keys harmed");
    // Ids are not kept here.
    let indexes = INDEXES.into_iter().filter(|index| *index != "ids");
    let mut keys: Vec<&str> = indexes.chain(OTHERS).collect();
    for last in (1..keys.len()).rev() {
        keys.swap(last, chance.index(last + 1));
    }
    let wanted = usize::try_from(HARMED.wanted()).expect("not that many").min(keys.len());
    for together in keys[..wanted].chunks(10) {
        let harm = |key: &'static str| std::thread::Builder::new().name(key.to_owned()).spawn(move || harmed(key));
        let threads: Vec<_> = together.iter().map(|key| harm(key).expect("a test can have threads")).collect();
        let ended = threads.into_iter().map(|thread| (thread.thread().name().map(str::to_owned), thread.join()));
        let failed: Vec<_> = ended.filter(|(_, ended)| ended.is_err()).filter_map(|(name, _)| name).collect();
        assert!(failed.is_empty(), "these failed: {failed:?}");
    }
}

/// One key is of another type, and then gone.
fn harmed(key: &str) {
    let server = RedisServer::start_on_tcp(&[]);
    let impostor = Impostor::of(server.port());
    let mut threads = tokio::runtime::Builder::new_multi_thread();
    let runtime = threads.worker_threads(1).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let engine = Engine::builder().store(impostor.url()).only::<(errand, helper)>().lease(LEASE);
        let engine = engine.workflow_concurrency::<errand>(4).patience(Duration::from_secs(2));
        let engine = engine.start().await.expect("it starts");
        works(&engine, "nothing").await;
        let full = format!("wf:{{default:0}}:{key}");
        server.command(&["DEL", &full]);
        server.command(&["SET", &full, "text"]);
        let (asked, since) = (impostor.asked(), Instant::now());
        // It may end, where nothing of it needs the key; else it is told.
        let told = runs(&engine, "harmed", Duration::from_secs(3)).await;
        let (asked, lasted) = (impostor.asked() - asked, since.elapsed());
        let bound = REQUESTS_A_SECOND_MAX * usize::try_from(lasted.as_secs() + 1).expect("not that long");
        assert!(asked <= bound, "{key}: {asked} requests in {lasted:?}");
        eprintln!("{key}: {told:?}, {asked} requests in {lasted:?}");
        server.command(&["DEL", &full]);
        works(&engine, &format!("the loss of {key}")).await;
    });
    runtime.shutdown_background();
}

#[test]
fn a_server_that_is_too_old_is_refused_and_says_what_is_needed() {
    let server = RedisServer::start_on_tcp(&[]);
    let impostor = Impostor::of(server.port());
    impostor.trouble(|asked| asked.command() == "INFO", Trouble::Says("redis_version:6.0.16\r\nrole:master\r\n"));
    runtime().block_on(async {
        let told = open(&impostor.url()).await.expect_err("it is too old");
        assert!(told.to_string().contains("it is Redis 6.0.16, and 6.2 is needed"), "{told}");
        let told = Engine::builder().store(impostor.url()).mode(Mode::Client).start().await.expect_err("the same");
        assert!(told.to_string().contains("6.2 is needed"), "{told}");
    });
    assert_eq!(server.command(&["DBSIZE"]), redis::Value::Int(0), "nothing was written");
}

/// How many instances sleep while their timers are deleted.
const SLEEPERS: u64 = 300;

#[workflow]
async fn doze(number: u64) -> u64 {
    sleep(Duration::from_millis(1_000 + number)).await;
    sleep(Duration::from_millis(1_000)).await;
    number
}

#[test]
fn timers_that_are_deleted_under_a_worker_fire_all_the_same() {
    let server = RedisServer::start();
    let mut chance = Chance::new("timers deleted");
    runtime().block_on(async {
        let engine = Engine::builder().store(server.url()).only::<doze>().start().await.expect("it starts");
        let all = (0..SLEEPERS).map(|number| doze::new(number).id(format!("doze-{number}")));
        let instances = doze::create_batch(&engine, all).await.expect("they are made");
        wait::until("all are asleep", async || (engine.overview().await.ok()?.asleep == SLEEPERS).then_some(())).await;
        let timers = "wf:{default:0}:timers";
        for number in 0..SLEEPERS {
            if chance.number().is_multiple_of(2) {
                server.command(&["ZREM", timers, &format!("doze-{number}")]);
            }
        }
        for (number, instance) in (0..).zip(&instances) {
            let made = instance.as_ref().expect("it is made");
            let result = made.result_within(wait::PATIENCE).await;
            assert!(matches!(result, Ok(output) if output == number), "{number}: {result:?}");
        }
    });
}
