//! Whatever is handed in wrongly is refused: with a code, in words that say what is wrong, and with nothing changed.

use std::fmt::Debug;
use std::time::SystemTime;

use serde::Serializer;
use support::prelude::*;
use workflow::{Handle, PageToken};

on_every_store!(creates_are_refused, events_are_refused, questions_and_controls_are_refused);

const TEN_YEARS: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
const MS: Duration = Duration::from_millis(1);

#[workflow]
async fn gate() -> u64 {
    wait_for::<Go>("go").await.number
}

#[workflow]
async fn takes(text: String) -> usize {
    text.len()
}

#[workflow]
async fn takes_odd(odd: Odd) -> bool {
    odd.0
}

/// A value that cannot be written down.
#[derive(Debug, Deserialize)]
struct Odd(bool);

impl Serialize for Odd {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("odd as it is"))
    }
}

/// One row: what was called, how it is refused, and the words in it.
#[track_caller]
fn refused<T: Debug>(outcome: Result<T, EngineError>, code: &str, words: &str) {
    let error = match outcome {
        Err(error) => error,
        Ok(done) => panic!("it was not refused, as {code} {words:?}: {done:?}"),
    };
    assert_eq!(error.code(), code, "{error}");
    assert!(error.to_string().contains(words), "{words:?} is not in: {error}");
    // A payload or a long text is never repeated.
    assert!(error.to_string().len() < 600, "{error}");
}

/// An engine, an instance that waits, and all that can be seen of both.
struct Kept {
    engine: Engine,
    gate: Handle<gate>,
    before: String,
}

impl Kept {
    async fn new(stage: &Stage) -> Result<Self, EngineError> {
        let engine = stage.builder().only::<(gate, takes, takes_odd)>().start().await?;
        let gate = gate::create(&engine).id("kept").await?;
        wait::state(&gate, State::Waiting).await;
        let mut kept = Self { engine, gate, before: String::new() };
        kept.before = kept.look().await?;
        Ok(kept)
    }

    async fn look(&self) -> Result<String, EngineError> {
        let (status, history) = (self.gate.status().await?, self.gate.history().await?);
        let list = self.engine.list().limit(1_000).await?;
        Ok(format!("{status:?} {history:?} {list:?}"))
    }

    /// Nothing was made or changed, and the instance goes on as if nothing had been asked.
    async fn check(self) -> TestResult {
        assert_eq!(self.look().await?, self.before);
        self.gate.send(Go { number: 9 }).await?;
        assert_eq!(self.gate.result().await?, 9);
        Ok(())
    }
}

async fn creates_are_refused(stage: Stage) -> TestResult {
    let kept = Kept::new(&stage).await?;
    let engine = &kept.engine;
    for (id, words) in [
        ("".to_owned(), "the instance id is empty"),
        ("a b".to_owned(), "the character ' ' at byte 1"),
        ("a/b".to_owned(), "the character '/'"),
        ("a\0b".to_owned(), "the character '\\0'"),
        ("a\nb".to_owned(), "the character '\\n'"),
        ("{a}".to_owned(), "the character '{'"),
        ("ä".to_owned(), "the character 'ä' at byte 0"),
        ("x".repeat(201), "201 bytes; the limit is 200"),
        ("x".repeat(10_000_000), "the limit is 200"),
    ] {
        refused(gate::create(engine).id(&id).await, "invalid_id", words);
        let batch = gate::create_batch(engine, [gate::new().id(&id)]).await?;
        batch.into_iter().for_each(|outcome| refused(outcome, "invalid_id", words));
    }
    refused(gate::create(engine).id("q").queue("").await, "invalid_id", "the queue name is empty");
    refused(gate::create(engine).id("q").queue("a=2").await, "invalid_id", "the queue name has the character '='");
    refused(gate::create(engine).id("q").queue("x".repeat(101)).await, "invalid_id", "the limit is 100");
    for (success, failure) in [(TEN_YEARS + MS, MS), (MS, TEN_YEARS + MS), (Duration::MAX, Duration::MAX)] {
        refused(
            gate::create(engine).id("r").retention(success, failure).await,
            "option",
            "retention: the longest is ten",
        );
    }
    let far = SystemTime::now() + TEN_YEARS + Duration::from_secs(24 * 60 * 60);
    refused(gate::create(engine).id("s").start_at(far).await, "option", "start_at: ");
    let farthest = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::MAX / 4);
    refused(gate::create(engine).id("s").start_at(farthest).await, "option", "start_at: ");
    refused(takes::create(engine, "x".repeat(1 << 20)).id("p").await, "input", "`takes`");
    refused(takes_odd::create(engine, Odd(true)).id("p").await, "input", "odd as it is");
    refused(gate::create(engine).id("kept").await, "already_exists", "the instance kept exists already");
    refused(
        takes::create(engine, String::new()).id("kept").attach().await,
        "wrong_workflow",
        "is a `gate`, not a `takes`",
    );
    let many = (0..1_001).map(|number| gate::new().id(format!("b{number}")));
    refused(gate::create_batch(engine, many).await, "batch_too_large", "more than 1000 instances");
    kept.check().await
}

async fn events_are_refused(stage: Stage) -> TestResult {
    let kept = Kept::new(&stage).await?;
    let (gate, long) = (&kept.gate, "x".repeat(257));
    let go = || gate.send(Go { number: 1 });
    refused(gate.send_type("", 1).await, "option", "the event's type is empty");
    refused(gate.send_type(&long, 1).await, "too_long", "the event's type has 257 bytes; the limit is 256");
    refused(go().key(&long).await, "too_long", "the event's key has 257 bytes; the limit is 256");
    refused(go().id(&*long).await, "too_long", "the event's id has 257 bytes; the limit is 256");
    refused(go().id("").await, "option", "the event's id is empty");
    refused(gate.send_type("t", "x".repeat(1 << 20)).await, "payload", "the event `t`");
    refused(gate.send_type("t", Odd(true)).await, "payload", "odd as it is");
    kept.check().await
}

async fn questions_and_controls_are_refused(stage: Stage) -> TestResult {
    let kept = Kept::new(&stage).await?;
    let engine = &kept.engine;
    refused(gate::get(engine, "").await, "invalid_id", "the instance id is empty");
    refused(gate::get(engine, "a b").await, "invalid_id", "the character ' '");
    refused(gate::get(engine, "missing").await, "not_found", "there is no instance missing");
    refused(takes::get(engine, "kept").await, "wrong_workflow", "is a `gate`, not a `takes`");
    refused(kept.gate.history_of(0).await, "no_such_run", "no run 0");
    refused(kept.gate.history_of(2).await, "no_such_run", "no run 2");
    refused(kept.gate.history_of(u32::MAX).await, "no_such_run", "no run 4294967295");
    refused(kept.gate.resume().await, "refused", "the instance kept is waiting: it cannot be resumed");
    refused(kept.gate.terminate("x".repeat(10_000_000)).await, "too_long", "reason");
    for limit in [0, 1_001, usize::MAX] {
        refused(engine.list().limit(limit).await, "option", "limit: it must be from 1 to 1000");
    }
    refused(engine.list().workflow("").await, "invalid_id", "the workflow name is empty");
    refused(engine.list().workflow("a b").await, "invalid_id", "the workflow name has the character ' '");
    for token in ["", "x", "1", "x.kept", "99999999999999999999.kept"] {
        refused(token.parse::<PageToken>(), "option", "after: this is not where a page ended");
    }
    refused("1.a b".parse::<PageToken>(), "invalid_id", "the character ' '");
    kept.check().await
}

/// A url, how it is refused, and the words.
const URLS: [(&str, &str, &str); 34] = [
    ("", "unknown_store", "no scheme"),
    ("store", "unknown_store", "no scheme"),
    ("mysql://u:s3cret@h/db", "unknown_store", "the unknown kind `mysql`"),
    ("Redis://h", "unknown_store", "the unknown kind `Redis`"),
    ("redis:", "store", "write redis://"),
    ("redis://", "store", "write redis://"),
    ("redis://h:70000", "store", "cannot be read"),
    ("redis://h:-1", "store", "cannot be read"),
    ("redis://h:s3cret", "store", "cannot be read"),
    ("redis://h/one", "store", "the host, port or database is none"),
    ("redis://h/-1", "store", "the database is a number from 0"),
    ("redis://s3cret@h", "store", "a user and no password"),
    ("redis://h#s3cret", "store", "has no #"),
    ("redis://h?partition=2", "store", "did you mean partitions?"),
    ("redis://h?partitions=0", "store", "from 1 to 1024"),
    ("redis://h?partitions=1025", "store", "from 1 to 1024"),
    ("redis://h?partitions=2&partitions=2", "store", "twice"),
    ("redis://h?password=s3cret", "store", "an option other than partitions"),
    ("redis://h?ca=/ca.pem", "store", "an option of rediss:// only"),
    ("rediss://h#insecure", "store", "has no #"),
    ("rediss://h?ca=/no/such/ca.pem", "store", "the url's ca, /no/such/ca.pem, cannot be read"),
    ("unix:run/redis.sock", "store", "not absolute"),
    ("unix://run/redis.sock", "store", "not absolute"),
    ("unix:///no/such.sock?pass=s3cret", "store", "the store unix:///no/such.sock cannot be reached"),
    ("redis://u:s3cret@127.0.0.1:1/3", "store", "the store redis://127.0.0.1:1/3 cannot be reached"),
    ("sqlite:", "store", "names a file"),
    ("sqlite:a?synchronous=s3cret", "store", "neither full nor normal"),
    ("sqlite:a?synchronus=full", "store", "did you mean synchronous?"),
    ("sqlite:a?mode=rx", "store", "neither ro nor rw"),
    ("sqlite::memory:?mode=ro", "store", "in memory there is nothing to read"),
    ("sqlite:/no/such/folder/a.db", "store", "the folder /no/such/folder does not exist"),
    ("sqlite:/no-such-store.db?mode=ro", "store", "makes none"),
    ("sqlite:/", "store", "a folder, not a file"),
    ("sqlite:/proc/version", "store", "sqlite:/proc/version"),
];

#[test]
fn a_url_that_is_none_is_refused_without_its_secrets() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for (url, code, words) in URLS {
        let started = runtime.block_on(Engine::builder().store(url).mode(Mode::Client).start());
        let error = started.expect_err(url);
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{url}: {error:?}");
        assert_eq!(error.code(), code, "{url}: {error}");
        assert!(error.to_string().contains(words), "{url}: {words:?} is not in: {error}");
    }
}

#[test]
fn options_out_of_bounds_are_refused_before_the_store_is_opened() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    // Nobody could open it: it is never tried.
    let builder = || Engine::builder().store("sqlite:/no/such/folder/a.db");
    let long = "x".repeat(101);
    for (builder, code, words) in [
        (builder().concurrency(0), "option", "concurrency: it must be from 1 to 100000"),
        (builder().concurrency(100_001), "option", "concurrency: it must be from 1 to 100000"),
        (builder().lease(500 * MS - Duration::from_nanos(1)), "option", "lease: it must be from 500ms to 10m"),
        (builder().lease(600_001 * MS), "option", "lease: it must be from 500ms to 10m"),
        (builder().lease(Duration::MAX), "option", "lease: "),
        (builder().sticky(1_000_001), "option", "sticky: it must be at most 1000000"),
        (builder().patience(Duration::ZERO), "option", "patience: it must be more than zero"),
        (builder().patience(Duration::MAX), "option", "patience: "),
        (builder().retention(TEN_YEARS + MS, MS), "option", "retention: the longest is ten years"),
        (builder().verify_replay(VerifyReplay::Sampled(1.5)), "option", "verify_replay: "),
        (builder().namespace(""), "invalid_id", "the namespace is empty"),
        (builder().namespace("a{b"), "invalid_id", "the namespace has the character '{'"),
        (builder().namespace(&*long), "invalid_id", "101 bytes; the limit is 100"),
        (builder().queues(Vec::<String>::new()), "option", "queues: name at least one"),
        (builder().queues(["a,b"]), "invalid_id", "the queue name has the character ','"),
        // Within every bound: now it is tried.
        (builder().concurrency(100_000).lease(500 * MS).sticky(0), "store", "does not exist"),
        (builder().concurrency(1).lease(600_000 * MS).sticky(1_000_000), "store", "does not exist"),
        (builder().retention(TEN_YEARS, TEN_YEARS).patience(TEN_YEARS), "store", "does not exist"),
    ] {
        refused(runtime.block_on(builder.only::<gate>().start()), code, words);
    }
}

#[workflow]
async fn needs(#[resource] witness: &Witness) -> workflow::Result<()> {
    Ok(step!("never", witness.ok("never", ())).await?)
}

#[test]
fn what_cannot_be_served_makes_no_file() {
    support::run(StoreKind::SqliteMemory, |stage: Stage| async move {
        let file = stage.folder().join("new.db");
        let builder = || Engine::builder().store(format!("sqlite:{}", file.display())).only::<needs>();
        refused(builder().start().await, "start", "takes a `#[resource]` of type `support::witness::Witness`");
        assert!(!file.exists());
        builder().mode(Mode::Client).start().await?;
        assert!(file.exists());
        Ok(())
    });
}

#[test]
fn only_a_client_can_be_on_a_store_that_is_opened_to_read_from() {
    support::run(StoreKind::SqliteFile, |stage: Stage| async move {
        let kept = Kept::new(&stage).await?;
        let url = format!("{}?mode=ro", stage.url());
        for mode in [Mode::All, Mode::Worker] {
            refused(
                stage.builder().store(&url).mode(mode).only::<gate>().start().await,
                "option",
                "mode: the store is opened",
            );
        }
        let reader = Engine::builder().store(&url).mode(Mode::Client).start().await?;
        let seen = gate::get(&reader, "kept").await?;
        refused(gate::create(&reader).id("new").await, "store", "to read from only");
        refused(seen.send(Go { number: 1 }).await, "store", "to read from only");
        refused(seen.terminate("no").await, "store", "to read from only");
        refused(seen.pause().await, "store", "to read from only");
        assert_eq!(seen.status().await?.state, State::Waiting);
        kept.check().await?;
        // A result is waited for as anywhere else.
        assert_eq!(seen.result_within(wait::PATIENCE).await?, 9);
        Ok(())
    });
}
