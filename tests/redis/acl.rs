//! The user that the docs say to make: it may do all that the store needs, and nothing else.

use std::collections::BTreeSet;

use support::prelude::*;
use support::redis::{RedisServer, acl_line};
use workflow::store::StoreError;

use super::stage::runtime;

/// What is granted and not used here: one asks a connection that was silent for long, one is for databases, one for
/// replicas, and the others for clusters.
const UNSEEN: [&str; 9] = [
    "ping",
    "select",
    "wait",
    "asking",
    "cluster|info",
    "cluster|slots",
    "spublish",
    "ssubscribe",
    "pubsub|shardnumsub",
];

#[workflow]
async fn parent(number: u64, #[resource] witness: &Witness) -> workflow::Result<u64> {
    let own = step!("own", witness.ok("own", number)).await?;
    let flaky = step!("flaky", retries = 1, delay = 1s, witness.flaky("flaky", 1, 0)).await?;
    let child = child(number).await?;
    sleep(1100ms).await;
    let go = wait_for::<Go>("go").key("k").await;
    let late = wait_for::<Go>("late").timeout(10ms).await;
    assert!(late.is_err(), "nobody sends it");
    Ok(own + flaky + child + go.number)
}

#[workflow]
async fn child(number: u64) -> workflow::Result<u64> {
    Ok(number)
}

#[workflow]
async fn stranger() {}

/// Carries out the docs' line, and gives the user's url.
fn make_user(server: &RedisServer, change: impl Fn(&str) -> String) -> String {
    let line = change(acl_line());
    server.command(&line.split(' ').collect::<Vec<_>>());
    server.url().replace("redis://", "redis://workflow:PASSWORD@")
}

async fn start(url: &str, namespace: &str, witness: &Witness, lease: Duration) -> Result<Engine, EngineError> {
    let builder = Engine::builder().store(url).namespace(namespace).lease(lease).resource(witness.clone());
    builder.only::<(parent, child)>().start().await
}

/// Everything that an engine does, one after the other.
async fn do_everything(url: &str) -> TestResult {
    let witness = Witness::default();
    let engine = start(url, "shop", &witness, Duration::from_secs(10)).await?;
    let one = parent::create(&engine, 1).id("one").await?;
    one.send(Go { number: 3 }).key("k").id("go").await?;
    assert_eq!(one.result().await?, 5);
    // Started again, paused, resumed, terminated.
    one.restart().await?;
    one.pause().await?;
    wait::state(&one, State::Paused).await;
    one.resume().await?;
    one.terminate("enough").await?;
    wait::state(&one, State::Terminated).await;
    // In a batch, in another queue, later, and refused.
    parent::create_batch(&engine, (0..3).map(|number| parent::new(number).id(format!("batch-{number}")))).await?;
    parent::create(&engine, 1).queue("elsewhere").id("elsewhere").await?;
    parent::create(&engine, 1).start_at(std::time::SystemTime::now() + Duration::from_secs(3600)).await?;
    assert!(parent::create(&engine, 1).id("one").await.is_err());
    // Looked at.
    assert_eq!(engine.list().limit(2).await?.instances.len(), 2);
    assert!(!engine.list().of::<parent>().state(State::Terminated).await?.instances.is_empty());
    let since = std::time::SystemTime::now() - Duration::from_secs(3600);
    assert!(!engine.list().created_from(since).await?.instances.is_empty());
    one.history().await?;
    // Checked.
    let report = engine.fsck().await?;
    assert_eq!(report.findings, []);
    // By another process, which must be told; and what no worker knows.
    let client = Engine::builder().store(url).namespace("shop").mode(Mode::Client).start().await?;
    stranger::create(&client).await?;
    let shelved = async || (!engine.overview().await.ok()?.shelves.is_empty()).then_some(());
    wait::until("a stranger is on a shelf", shelved).await;
    engine.shutdown(wait::PATIENCE).await;
    Ok(())
}

/// A worker that crashes, and another that goes on; then everything is deleted.
async fn recover(stage: &Stage, url: &str) -> TestResult {
    let witness = Witness::default();
    let builder = |witness: &Witness| {
        let builder =
            Engine::builder().store(url).namespace("shop").lease(stage::SHORT_LEASE).resource(witness.clone());
        builder.only::<(parent, child)>()
    };
    let crashing = stage.crashable(builder(&witness)).await;
    let short = parent::create(&crashing, 2).id("crashed").retention(Duration::ZERO, Duration::ZERO).await?;
    wait::until("its body", async || witness.notes().contains(&"own".to_owned()).then_some(())).await;
    short.send(Go { number: 1 }).key("k").await?;
    drop(short);
    crashing.crash();
    let engine = builder(&witness).start().await?;
    let gone = async || parent::get(&engine, "crashed").await.is_err().then_some(());
    wait::until("the end of its retention", gone).await;
    engine.shutdown(wait::PATIENCE).await;
    Ok(())
}

#[test]
fn the_user_of_the_docs_may_do_all_that_is_needed_and_nothing_else() {
    let server = RedisServer::start_on_tcp(&[]);
    let url = make_user(&server, str::to_owned);
    server.command(&["CONFIG", "RESETSTAT"]);
    let done = runtime().block_on(async {
        let stage = Stage::new(StoreKind::SqliteMemory).await;
        do_everything(&url).await?;
        recover(&stage, &url).await
    });
    done.expect("the user may do it");
    let denied: Vec<String> = redis::from_redis_value(server.command(&["ACL", "LOG"])).unwrap_or_default();
    assert!(denied.is_empty(), "{denied:?}");
    // What is granted is used.
    let stats: String = redis::from_redis_value(server.command(&["INFO", "commandstats"])).expect("a text");
    let used: BTreeSet<&str> =
        stats.lines().filter_map(|line| line.strip_prefix("cmdstat_")?.split(':').next()).collect();
    let granted = acl_line().split(' ').filter_map(|word| word.strip_prefix('+'));
    let unused: Vec<&str> = granted.filter(|name| !used.contains(name) && !UNSEEN.contains(name)).collect();
    assert!(unused.is_empty(), "granted and never used: {unused:?}; used were {used:?}");
}

#[test]
fn the_user_of_the_docs_sees_no_other_namespace_and_no_other_key() {
    let server = RedisServer::start_on_tcp(&[]);
    let url = make_user(&server, str::to_owned);
    let outcome = runtime().block_on(start(&url, "other", &Witness::default(), Duration::from_secs(10)));
    let error = outcome.expect_err("it is another's").to_string();
    assert!(
        error.contains("missing: ~wf:{other}:* ~wf:{other:*}:* +publish +subscribe &wf:{other:*}:hints;"),
        "{error}"
    );
    let mut client = redis::Client::open(url).and_then(|client| client.get_connection()).expect("it may log in");
    for words in [&["SET", "key", "x"][..], &["HGETALL", "key"], &["KEYS", "*"], &["FLUSHALL"], &["SUBSCRIBE", "news"]]
    {
        let error = redis::cmd(words[0]).arg(&words[1..]).query::<redis::Value>(&mut client).expect_err(words[0]);
        assert_eq!(error.code(), Some("NOPERM"), "{words:?}: {error}");
    }
    assert!(redis::from_redis_value::<Vec<String>>(server.command(&["KEYS", "*"])).expect("keys").is_empty());
}

#[test]
fn a_right_that_is_missing_is_named_before_anything_is_written() {
    let server = RedisServer::start_on_tcp(&[]);
    let granted: Vec<&str> = acl_line().split(' ').filter(|word| word.starts_with(['+', '~', '&'])).collect();
    // Without these it works, if more slowly; the others are not asked for here.
    let optional = |right: &str| {
        let slower = ["+config|get", "+client|setname", "+pubsub|numsub", "+publish", "+subscribe"];
        let of_checks = ["+hkeys", "+scan", "+scard", "+type", "+zscan"];
        let elsewhere = ["+hello", "+select", "+wait", "+asking", "+cluster|info", "+cluster|slots"];
        let of_shards = ["+spublish", "+ssubscribe", "+pubsub|shardnumsub"];
        [&slower[..], &of_checks, &elsewhere, &of_shards].concat().contains(&right) || right.starts_with('&')
    };
    for right in granted {
        let without = |line: &str| line.split(' ').filter(|word| *word != right).collect::<Vec<_>>().join(" ");
        let url = make_user(&server, without);
        let outcome = runtime().block_on(start(&url, "shop", &Witness::default(), Duration::from_secs(10)));
        if optional(right) {
            outcome.unwrap_or_else(|error| panic!("without {right} it works: {error}"));
            server.command(&["FLUSHALL"]);
            continue;
        }
        match outcome {
            Err(EngineError::Store(StoreError::Refused { message, .. })) => {
                // The server names the command itself where it is refused outside of scripts.
                let command = right.trim_start_matches('+');
                assert!(message.contains(right) || message.contains(&format!("'{command}'")), "{right}: {message}");
                assert!(!message.contains("PASSWORD"), "{message}");
            }
            other => panic!("without {right}: {other:?}"),
        }
        let keys: Vec<String> = redis::from_redis_value(server.command(&["KEYS", "*"])).expect("keys");
        assert!(keys.is_empty(), "without {right} something was written: {keys:?}");
    }
}

#[test]
fn a_right_that_is_taken_away_later_is_asked_for_and_not_taken_for_damage() {
    let server = RedisServer::start_on_tcp(&[]);
    let url = make_user(&server, str::to_owned);
    runtime().block_on(async {
        let builder = Engine::builder().store(&url).namespace("shop").mode(Mode::Client);
        let store = workflow::open_store(&url, "shop").await.expect("it opens");
        let engine = builder.store(store.clone()).start().await.expect("it starts");
        server.command(&["ACL", "SETUSER", "workflow", "-hset"]);
        let refused =
            store.execute(0, vec![workflow::journal::command::Command::Create(super::stage::create("a"))]).await;
        match refused {
            Err(StoreError::Refused { message, .. }) => assert!(message.contains("ACL SETUSER"), "{message}"),
            other => panic!("{other:?}"),
        }
        server.command(&["ACL", "SETUSER", "workflow", "-zrangebylex", "-evalsha"]);
        let error = engine.overview().await.expect_err("it may not look");
        assert!(error.to_string().contains("evalsha"), "{error}");
        server.command(&["ACL", "SETUSER", "workflow", "+evalsha", "+hset"]);
        let error = engine.overview().await.expect_err("it may not look at shelves");
        assert!(error.to_string().contains("ACL SETUSER"), "{error}");
    });
}
