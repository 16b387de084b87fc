//! Every background loop of a worker, and everything a server can answer in place of what was asked: the loop lives on, the
//! others are not held up, health shows what is wrong while it lasts, and afterwards all work ends.

use std::time::Duration;

use support::chance::Chance;
use support::impostor::{Asked, Impostor, Trouble, Whose};
use support::prelude::*;
use support::redis::RedisServer;
use support::size::Amount;
use tracing::subscriber::DefaultGuard;
use workflow::Health;

use super::log::Log;

/// How many pairs of a loop and a trouble are tried: all there are, at night.
const PAIRS: Amount = Amount::of(12, 10_000, 10_000);
/// How many at once.
const AT_ONCE: usize = 12;
const LEASE: Duration = Duration::from_secs(2);
const INSTANCES: u64 = 6;
/// How often a trouble is met before it ends, and how long it lasts at least: a loop that spins is seen then.
const MET: usize = 3;
const LASTS: Duration = Duration::from_secs(1);
/// More lines than this nobody wants to read of one trouble: a restart of a loop is a line, and pauses grow.
const LINES_MAX: usize = 60;
/// So many requests a second are work, not a loop that spins: that would send tens of thousands.
const REQUESTS_A_SECOND_MAX: usize = 400;

/// Who asks, as the impostor knows it.
const LOOPS: &[(&str, Whose)] = &[
    ("claims", |asked| asked.calls("candidates")),
    ("commits", |asked| asked.commands(b'O')),
    ("timers", |asked| asked.calls("due")),
    ("inboxes", |asked| asked.calls("stuck")),
    ("recovery", |asked| asked.calls("hearts")),
    ("retention", |asked| asked.calls("expired")),
    ("indexes", |asked| asked.commands(b'M')),
    ("outbox", |asked| !is_script(asked) && asked.names(":out")),
    ("heart", |asked| asked.calls("beat")),
    ("hints", |asked| asked.command() == "SUBSCRIBE"),
    ("limits", |asked| asked.commands(b'G')),
    ("shelves", |asked| asked.calls("overview")),
    ("everything", |_| true),
];

fn is_script(asked: &Asked) -> bool {
    asked.command() == "EVALSHA"
}

const TROUBLES: &[Trouble] = &[
    Trouble::Error("READONLY You can't write against a read only replica."),
    Trouble::Error("LOADING Redis is loading the dataset in memory"),
    Trouble::Error("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."),
    Trouble::Error("CLUSTERDOWN The cluster is down"),
    Trouble::Error("TRYAGAIN Multiple keys request during rehashing of slot"),
    Trouble::Error("BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."),
    Trouble::Error("OOM command not allowed when used memory > 'maxmemory'."),
    Trouble::Error("MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk."),
    Trouble::Error("NOREPLICAS Not enough good replicas to write."),
    Trouble::Error("NOAUTH Authentication required."),
    Trouble::Error("NOPERM this user has no permissions to run the 'evalsha' command"),
    Trouble::Error("NOSCRIPT No matching script. Please use EVAL."),
    Trouble::Error("ERR max number of clients reached"),
    Trouble::Error("EXECABORT Transaction discarded because of previous errors."),
    Trouble::Stall(Duration::from_millis(400)),
    Trouble::Stall(Duration::from_secs(5)),
    Trouble::HalfOpen,
    Trouble::Reset,
];

/// Something of everything that a loop is for.
#[workflow]
pub(super) async fn errand(number: u64) -> workflow::Result<u64> {
    let one = step!("one", add(number)).await?;
    sleep(20ms).await;
    let two = helper(one).await?;
    let go = wait_for::<Go>("go").await;
    let three = step!("three", add(two)).await?;
    Ok(three + go.number)
}

#[workflow]
pub(super) async fn helper(number: u64) -> workflow::Result<u64> {
    Ok(step!("two", add(number)).await?)
}

async fn add(number: u64) -> Result<u64, std::convert::Infallible> {
    Ok(number + 1)
}

#[derive(Debug, Event, Serialize, Deserialize)]
pub(super) struct Go {
    pub(super) number: u64,
}

thread_local! {
    static LISTENING: std::cell::RefCell<Option<DefaultGuard>> = const { std::cell::RefCell::new(None) };
}

/// A runtime whose threads log here.
fn logged() -> (tokio::runtime::Runtime, Log) {
    let log = Log::default();
    let layer = log.clone();
    let listen = move || {
        LISTENING.set(Some(layer.listen()));
    };
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(1).enable_all().on_thread_start(listen).build().expect("a runtime");
    (runtime, log)
}

#[test]
fn whatever_a_loop_is_answered_it_lives_on_and_all_work_ends() {
    let mut chance = Chance::new("loops");
    let mut pairs: Vec<_> = LOOPS.iter().flat_map(|one| TROUBLES.iter().map(move |trouble| (*one, trouble))).collect();
    // All in an order of their own, so that a sample is one of all.
    for last in (1..pairs.len()).rev() {
        pairs.swap(last, chance.index(last + 1));
    }
    pairs.truncate(usize::try_from(PAIRS.wanted()).expect("not that many"));
    for together in pairs.chunks(AT_ONCE) {
        let threads = together.iter().map(|((name, whose), trouble)| {
            let named = std::thread::Builder::new().name(format!("{name}: {trouble:?}"));
            let (name, whose, trouble) = (*name, *whose, (*trouble).clone());
            named.spawn(move || meet(name, whose, &trouble)).expect("a test can have threads")
        });
        let threads: Vec<_> = threads.collect();
        let ended = threads.into_iter().map(|thread| (thread.thread().name().map(str::to_owned), thread.join()));
        let failed: Vec<_> = ended.filter(|(_, ended)| ended.is_err()).filter_map(|(name, _)| name).collect();
        assert!(failed.is_empty(), "these failed: {failed:#?}");
    }
}

fn meet(name: &str, whose: Whose, trouble: &Trouble) {
    let server = RedisServer::start_on_tcp(&[]);
    let impostor = Impostor::of(server.port());
    let (runtime, log) = logged();
    let story = format!("{name}: {trouble:?}");
    runtime.block_on(async {
        // On the runtime's own thread, whose log is read.
        let worker = Engine::builder().store(impostor.url()).only::<(errand, helper)>().mode(Mode::Worker).lease(LEASE);
        let worker = worker.workflow_concurrency::<errand>(4);
        let worker = tokio::spawn(worker.start()).await.expect("no panic").expect("a worker starts");
        let client = Engine::builder().store(server.url()).mode(Mode::Client).start().await.expect("a client starts");
        let before = errand::create(&client, 100).id("before").await.expect("it is made");
        before.send(Go { number: 1_000 }).await.expect("it is sent");
        assert_eq!(before.result_within(wait::PATIENCE).await.expect("it ends"), 1_103, "{story}");

        let (counted, lines, since) = (impostor.asked(), log.lines().len(), Instant::now());
        impostor.trouble(whose, trouble.clone());
        if name == "hints" {
            server.command(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        }
        let mut instances = Vec::new();
        for number in 0..INSTANCES {
            let id = format!("errand-{number}");
            instances.push(errand::create(&client, number).id(id).await.expect("it is made"));
            instances[number as usize].send(Go { number: 10 }).await.expect("it is sent");
        }
        let healthy = worker.health();
        wait::until(&format!("health shows {story}"), async || {
            let once = matches!(trouble, Trouble::HalfOpen | Trouble::Stall(_));
            let met = since.elapsed() >= LASTS && impostor.met() >= if once { 1 } else { MET };
            (met && shown(name, trouble, &healthy, &worker.health())).then_some(())
        })
        .await;
        let (asked, lasted) = (impostor.asked() - counted, since.elapsed());
        let bound = REQUESTS_A_SECOND_MAX * (lasted.as_secs() as usize + 1);
        assert!(asked <= bound, "{story}: {asked} requests in {lasted:?}");
        let said = log.lines()[lines..].to_vec();
        assert!(said.len() <= LINES_MAX, "{story}: {} lines, {said:#?}", said.len());

        impostor.relent();
        for (number, instance) in (0..).zip(&instances) {
            let result = instance.result_within(wait::PATIENCE).await;
            let stuck = || format!("{story}: {result:?}\n{}\n{:#?}", worker.health(), log.lines());
            assert!(matches!(result, Ok(sum) if sum == number + 13), "{}", stuck());
        }
        wait::until(&format!("all is well again after {story}"), async || worker.health().is_good().then_some(()))
            .await;
        // What the sweep of retention is for.
        let moment = Duration::from_millis(1);
        let last = helper::create(&client, 1).id("last").retention(moment, moment).await.expect("it is made");
        wait::until(&format!("what is over is deleted after {story}"), async || {
            last.status().await.is_err().then_some(())
        })
        .await;
        let problems = worker.health().worker.map(|worker| (worker.drive_panics, worker.data_losses));
        assert_eq!(problems, Some((0, 0)), "{story}");
        eprintln!("{story}: {asked} requests and {} lines in {lasted:?}", said.len());
    });
    runtime.shutdown_background();
}

/// Whether health tells of it.
fn shown(name: &str, trouble: &Trouble, before: &Health, now: &Health) -> bool {
    let restarts = |health: &Health| health.loops.iter().map(|looping| looping.restarts).sum::<u64>();
    let lost = |health: &Health| health.worker.as_ref().map_or(0, |worker| worker.lost_sessions);
    // What comes late is no error, and without hints a worker does all it should, a little later.
    let nothing_to_show = matches!(trouble, Trouble::Stall(_)) || name == "hints";
    nothing_to_show
        || restarts(now) > restarts(before)
        || now.store.resends > before.store.resends
        || now.store.last_error != before.store.last_error
        || lost(now) > lost(before)
}
