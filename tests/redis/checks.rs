//! A check of what the server holds: each kind of damage is done to a sound namespace and must be found, and nothing
//! else is; the check changes nothing, and runs beside workers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use redis::Value;
use support::prelude::*;
use support::redis::RedisServer;
use workflow::journal::command::{
    Action, Claim, Command, Control, Create, Ending, InstanceSpec, Outgoing, OwnReply, Owner, Parent, ParentClose,
    Reply, Then, Wait, Write,
};
use workflow::journal::lease::{Lease, LimitName};
use workflow::journal::message::Channel;
use workflow::journal::path::{Kind, Path};
use workflow::journal::record::{Entry, Record};
use workflow::store::Store;
use workflow::store::fsck::{Area, Finding, Report};
use workflow::store::redis::RedisStore;
use workflow::words::failure::{FailureData, FailureKind};
use workflow::words::id::{InstanceId, Namespace, QueueName, RequestId, SessionId, WorkflowName};
use workflow::words::payload::Payload;
use workflow::words::time::{ManualClock, Timestamp};

use super::stage::{INDEXES, SESSION, create, dump, event, once, open, own, runtime, start, write};

pub(super) const PREFIX: &str = "wf:{links:0}:";
/// A session that is revoked, and holds something.
pub(super) const DEAD: SessionId = SessionId(8);

/// A server, what is on it when all is well, and a store.
pub(super) struct Bench {
    pub(super) server: RedisServer,
    pub(super) store: RedisStore,
    pub(super) clock: Arc<ManualClock>,
    sound: Vec<(Vec<u8>, Vec<u8>)>,
}

fn id(text: &str) -> InstanceId {
    InstanceId::new(text).expect("valid")
}

fn a_record(number: i64) -> Payload {
    let path = Path::root().join(Kind::Step, "a", None, 0);
    Record { time: Timestamp::from_millis(number), path, entry: Entry::Changed }.encode()
}

fn ending(result: Result<Payload, FailureData>) -> Then {
    Then::Finish(Ending { result })
}

fn waits(due: Option<Timestamp>) -> Then {
    let path = Path::root().join(Kind::Wait, "x", None, 0);
    let wait = Wait { path, channel: Some(Channel::event("x", "")), due, shifts: true };
    Then::Suspend { waits: vec![wait], paused: false }
}

fn control(name: &str, action: Action) -> Command {
    Command::Control(Control { request: RequestId::generate(), id: id(name), run: None, action })
}

fn created(name: &str, change: impl FnOnce(&mut InstanceSpec)) -> Command {
    let create = create(name);
    let mut spec = (*create.spec).clone();
    change(&mut spec);
    Command::Create(Create { spec: Arc::new(spec), ..create })
}

pub(super) async fn tell(store: &RedisStore, command: Command) -> Reply {
    once(store, command).await.expect("it is carried out")
}

/// Starts an instance and writes as its owner.
async fn begun(store: &RedisStore, name: &str, write: Write) -> Owner {
    let mut owner = start(store, name).await;
    match own(store, &owner, write).await {
        OwnReply::Ok(granted) => owner.v = granted.v,
        other => panic!("{name}: {other:?}"),
    }
    owner
}

/// Something at every place, and in every index.
async fn fill(store: &RedisStore) {
    let far = Timestamp::from_millis(4_000_000_000_000);
    begun(store, "done", write(vec![a_record(1)], ending(Ok(Payload::from_bytes(*b"1"))))).await;
    let failure = FailureData::new(FailureKind::Failed, "E", "no");
    begun(store, "errored", write(Vec::new(), ending(Err(failure)))).await;
    begun(store, "asleep", write(Vec::new(), waits(Some(far)))).await;
    begun(store, "waiting", write(Vec::new(), waits(None))).await;
    begun(store, "again", write(vec![a_record(1), a_record(2)], Then::Hold)).await;
    tell(store, control("again", Action::Restart)).await;
    tell(store, control("again", Action::Pause)).await;
    start(store, "ended").await;
    tell(store, control("ended", Action::Terminate { reason: "no".to_owned() })).await;
    let spec = |abandon| {
        let on_close = if abandon { ParentClose::Abandon } else { ParentClose::Terminate };
        let create = create("child");
        let parent = Some(Parent { id: id("held"), run: 1, on_close });
        Arc::new(InstanceSpec { parent, ..(*create.spec).clone() })
    };
    let outgoing = vec![
        Outgoing::CreateChild { id: id("child"), spec: spec(false) },
        Outgoing::CreateChild { id: id("other"), spec: spec(true) },
    ];
    let records = vec![a_record(5), a_record(6)];
    begun(store, "held", Write { outgoing: outgoing.clone(), ..write(records, Then::Hold) }).await;
    tell(store, workflow::journal::table::outbox::command(&id("held"), 1, &outgoing[0])).await;
    tell(store, Command::Sent { source: id("held"), numbers: vec![1] }).await;
    // What a revoked session holds.
    tell(store, Command::OpenSession { session: DEAD, lease: Duration::ZERO }).await;
    let theirs = Create { local: Some(DEAD), ..create("theirs") };
    // Nothing may be ready before: what is handed over is handed over only then.
    tell(store, control("child", Action::Pause)).await;
    tell(store, Command::Create(theirs)).await;
    assert_eq!(tell(store, Command::Fence { session: DEAD, beats: 0 }).await, Reply::Fence(true));
    // A worker that knows nothing puts what it meets on a shelf.
    tell(store, created("shelved", |spec| spec.version = 7)).await;
    let claim = Claim {
        number: 1,
        session: SESSION,
        limit: 10,
        queues: vec![QueueName::new("default").expect("valid")].into(),
        known: Vec::new().into(),
        quotas: Vec::new(),
        limits: Vec::new(),
    };
    tell(store, Command::Claim(claim)).await;
    begun(store, "woken", write(Vec::new(), waits(None))).await;
    tell(store, event("woken", "e1")).await;
    start(store, "noticed").await;
    tell(store, event("noticed", "e1")).await;
    start(store, "lost").await;
    tell(store, control("lost", Action::Terminate { reason: "no".to_owned() })).await;
    tell(store, created("later", |spec| spec.start_at = Some(far))).await;
    tell(store, created("ready", |_| {})).await;
    tell(store, event("ready", "e1")).await;
    tell(store, event("ready", "e2")).await;
    let workflow = LimitName::Workflow(WorkflowName::new("order").expect("valid"));
    let rate = LimitName::Queue(QueueName::new("default").expect("valid"));
    for (name, per) in [(workflow, None), (rate, Some(Duration::from_secs(60)))] {
        let lease = Lease { session: SESSION, name, number: 1, limit: 9, per, spent: 1, held: 0, want: 3 };
        tell(store, Command::Lease(lease)).await;
    }
}

impl Bench {
    pub(super) async fn new() -> Self {
        let server = RedisServer::start();
        let clock = Arc::new(ManualClock::starting_at(Timestamp::from_millis(1_000_000)));
        let (url, links) = (format!("{}?ids=1", server.url()), Namespace::new("links").expect("valid"));
        let store = RedisStore::open_with(&url, &links, Some(clock.clone())).await.expect("it opens");
        fill(&store).await;
        let mut connection = server.connect().expect("it answers");
        let keys: Vec<Vec<u8>> = redis::cmd("KEYS").arg("*").query(&mut connection).expect("keys");
        let saved = |key: Vec<u8>| {
            let held: Vec<u8> = redis::cmd("DUMP").arg(&key).query(&mut connection).expect("it is there");
            (key, held)
        };
        let sound = keys.into_iter().map(saved).collect();
        Self { server, store, clock, sound }
    }

    /// Everything as it was when all was well.
    fn restore(&self) {
        let mut connection = self.server.connect().expect("it answers");
        redis::cmd("FLUSHALL").exec(&mut connection).expect("it may");
        for (key, held) in &self.sound {
            let restored = redis::cmd("RESTORE").arg(key).arg(0).arg(held.as_slice()).exec(&mut connection);
            restored.expect("what was dumped");
        }
    }

    pub(super) fn ask(&self, words: &[&[u8]]) -> Value {
        let mut connection = self.server.connect().expect("it answers");
        redis::cmd(std::str::from_utf8(words[0]).expect("a command"))
            .arg(&words[1..])
            .query(&mut connection)
            .unwrap_or_else(|error| panic!("{}: {error}", words[0].escape_ascii()))
    }

    /// The members of an index, with their scores.
    pub(super) fn members(&self, index: &str) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let key = format!("{PREFIX}{index}");
        let range = self.ask(&[b"ZRANGE", key.as_bytes(), b"0", b"-1", b"WITHSCORES"]);
        redis::from_redis_value(range).expect("members and scores")
    }

    /// What a check finds; it changes nothing.
    pub(super) async fn check(&self) -> Report {
        let before = dump(&self.server);
        let report = self.store.fsck().await.expect("it can be read");
        assert_eq!(dump(&self.server), before, "a check changes nothing");
        report
    }

    /// Does damage; a check finds it, and everything it says is `expected`. Then all is well again.
    async fn damaged(&self, how: &str, damage: &[&[u8]], expected: impl Fn(&Finding) -> bool) -> Vec<Finding> {
        let before = dump(&self.server);
        self.ask(damage);
        assert_ne!(dump(&self.server), before, "{how} did nothing");
        let found = self.check().await.findings;
        assert!(found.iter().any(expected), "after {how}: {found:#?}");
        self.restore();
        found
    }
}

#[test]
fn a_sound_namespace_has_no_finding_and_everything_is_counted() {
    runtime().block_on(async {
        let bench = Bench::new().await;
        let report = bench.check().await;
        assert_eq!(report.findings, [], "{report}");
        let entries: usize = INDEXES.iter().map(|index| bench.members(index).len()).sum();
        for index in INDEXES {
            assert!(!bench.members(index).is_empty(), "something is in {index}");
        }
        assert_eq!(report.entries, entries as u64);
        let instances = bench.members("ids").len() as u64;
        assert_eq!((report.instances, report.records, report.messages), (instances, 5, 4));
        assert_eq!((report.outgoing, report.sessions, report.limits), (1, 2, 2));
    });
}

#[test]
fn every_entry_that_is_missing_misplaced_or_false_is_found_in_every_index() {
    runtime().block_on(async {
        let bench = Bench::new().await;
        for index in INDEXES {
            let key = format!("{PREFIX}{index}");
            let place = format!("index {index}");
            let told = |finding: &Finding| finding.area == Area::Index && finding.place == place;
            for (member, score) in bench.members(index) {
                let shown = member.escape_ascii().to_string();
                // Nothing says what a session has lost but this index.
                if index != "lost" {
                    let found = bench
                        .damaged(&format!("{index} lost {shown}"), &[b"ZREM", key.as_bytes(), &member], told)
                        .await;
                    assert_eq!(found.len(), 1, "one thing is wrong: {found:#?}");
                }
                // When a command was queued stands nowhere else.
                if !["out", "lost"].contains(&index) {
                    let moved =
                        if score == b"inf" { "5".to_owned() } else { format!("{}1", String::from_utf8_lossy(&score)) };
                    let damage = [b"ZADD".as_slice(), key.as_bytes(), moved.as_bytes(), &member];
                    let found = bench.damaged(&format!("{index} moved {shown}"), &damage, told).await;
                    assert_eq!(found.len(), 1, "one thing is wrong: {found:#?}");
                }
                let mut other = member.clone();
                if index == "lost" {
                    other[0] ^= 1
                } else {
                    other.push(b'x')
                };
                let damage = [b"ZADD".as_slice(), key.as_bytes(), &score, &other];
                let found = bench.damaged(&format!("{index} got {}", other.escape_ascii()), &damage, told).await;
                assert_eq!(found.len(), 1, "one thing is wrong: {found:#?}");
            }
        }
    });
}

/// A command that damages what is on the server, and what must be said of it: an area, and a part of the finding.
type Damage = (&'static [&'static str], Area, &'static str);

const DAMAGE: &[Damage] = &[
    // Heads.
    (&["HSET", "i:done", "h", "short"], Area::Head, "done: damaged bytes"),
    (&["HDEL", "i:done", "h"], Area::Head, "done: damaged bytes"),
    (&["HDEL", "i:done", "m"], Area::Head, "done: damaged bytes"),
    (&["HDEL", "i:done", "b"], Area::Head, "done: damaged bytes"),
    (&["HDEL", "i:done", "i"], Area::Head, "done: damaged bytes"),
    (&["HDEL", "i:done", "o"], Area::Head, "done: damaged bytes"),
    (&["HSET", "i:done", "o", "?"], Area::Head, "done: damaged bytes"),
    (&["HSET", "i:done", "q", "?"], Area::Head, "done: damaged bytes"),
    (&["HSET", "i:done", "k", "?"], Area::Head, "done: damaged bytes"),
    (&["HSET", "i:done", "f", "?"], Area::Head, "done: damaged bytes"),
    (&["HDEL", "i:again", "p"], Area::Head, "again: damaged bytes"),
    (&["HDEL", "i:asleep", "w"], Area::Head, "asleep: what it waits for is not kept"),
    (&["HDEL", "i:asleep", "w"], Area::Index, "asleep: its place in the index is not its head's [index timers]"),
    (&["HSET", "i:asleep", "w", "?"], Area::Head, "asleep: damaged bytes"),
    (&["HSET", "i:done", "w", "\0\0"], Area::Head, "done: what it waits for is kept"),
    (&["HSET", "i:done", "p", "o{\"reason\":\"operator\"}"], Area::Head, "done: why it is paused is kept"),
    (&["HSET", "i:ready", "o", "\u{1}\u{0}"], Area::Head, "ready: how it ended is kept"),
    (&["HSET", "i:done", "o", "\u{3}\u{0}"], Area::Head, "done: how it ended is not how its head says"),
    (&["HSET", "i:done", "t", "0123456789012345678901234567890"], Area::Head, "done: its head speaks of other traffic"),
    (&["HDEL", "i:ready", "t"], Area::Head, "ready: damaged bytes"),
    (&["HSET", "i:done", "zz", "1"], Area::Stray, "done: no field of the store has this name [field zz]"),
    (&["HSET", "i:done", "x01", "1"], Area::Stray, "done: no field of the store has this name [field x01]"),
    // Journals.
    (&["HDEL", "i:held", "0"], Area::Journal, "held: the journal of run 1 has a gap: record 0"),
    (&["HDEL", "i:held", "1"], Area::Journal, "held: the head counts other records than there are"),
    (&["HSET", "i:held", "2", "?"], Area::Journal, "held: the head counts other records than there are"),
    (&["HSET", "i:held", "0", "?"], Area::Record, "held: record 0 of run 1 cannot be read"),
    (&["HSET", "i:held", "2:0", "?"], Area::Journal, "held: run 2 has records and is not kept"),
    (&["HDEL", "i:again", "1"], Area::Journal, "again: old run 1 counts 2 records, and there are 1"),
    (&["HDEL", "i:again", "a"], Area::Journal, "again: run 1 has records and is not kept"),
    (&["HDEL", "i:again", "a"], Area::Index, "again: it stands in the index, and its head does not say so [index old]"),
    (&["HSET", "i:again", "a", "?"], Area::Head, "again: damaged bytes"),
    // Mailboxes.
    (&["HDEL", "m:ready", "1"], Area::Mailbox, "ready: the head counts other messages than there are: 2 unread"),
    (&["DEL", "m:ready"], Area::Mailbox, "ready: the head counts other messages than there are: 2 unread"),
    (&["HSET", "m:ready", "9", "?"], Area::Mailbox, "ready: message 9 cannot be read"),
    (&["HSET", "m:ready", "?", "?"], Area::Mailbox, "ready: a message has no position"),
    (&["DEL", "e:ready"], Area::Mailbox, "ready: 0 event ids are known of 2 messages"),
    (&["SREM", "e:ready", "e1"], Area::Mailbox, "ready: the id of message 1 is not known"),
    (&["SADD", "e:ready", "e3"], Area::Mailbox, "ready: 3 event ids are known of 2 messages"),
    // Outboxes.
    (&["HDEL", "i:held", "x2"], Area::Outbox, "held: the head counts 1 unsent commands, and there are 0"),
    (&["HSET", "i:held", "x2", "?"], Area::Outbox, "held: outgoing command 2 cannot be read"),
    (&["HSET", "i:held", "x9", "?"], Area::Outbox, "held: an outgoing command is newer than the head counts"),
    // Families.
    (&["DEL", "i:child"], Area::Family, "held: its child child does not exist"),
    (&["DEL", "i:held"], Area::Family, "child: its parent held does not exist"),
    (&["DEL", "c:held"], Area::Family, "child: its parent held does not know of it"),
    (&["ZADD", "c:held", "1", "no id"], Area::Head, "held: a child that is to be closed has no id"),
    (&["ZADD", "c:done", "1", "child"], Area::Head, "done: it has ended and has children to close"),
    // Keys of another type, of nothing, and of nobody.
    (&["DEL", "i:ready"], Area::Index, "ready: the index leads to it, and it does not exist [index ready]"),
    (&["DEL", "i:ready"], Area::Stray, "ready: it belongs to no instance [wf:{links:0}:m:ready]"),
    (&["DEL", "i:ready"], Area::Stray, "ready: it belongs to no instance [wf:{links:0}:e:ready]"),
    (&["DEL", "i:held"], Area::Stray, "held: it belongs to no instance [wf:{links:0}:c:held]"),
    (&["SET", "i:other", "text"], Area::Storage, "other: the key is a string, and not a hash"),
    (&["SET", "m:ready", "text"], Area::Storage, "ready: the key is a string, and not a hash"),
    (&["SET", "e:ready", "text"], Area::Storage, "ready: the key is a string, and not a set"),
    (&["SET", "c:held", "text"], Area::Storage, "held: the key is a string, and not a zset"),
    (&["SET", "timers", "text"], Area::Storage, "the key is a string, and not a zset"),
    (&["SET", "limits", "text"], Area::Storage, "the key is a string, and not a hash"),
    (&["SET", "what", "text"], Area::Stray, "no key of the store has this name [wf:{links:0}:what]"),
    (&["HSET", "i:no id", "h", "1"], Area::Stray, "what the key is named after is no id"),
    // Sessions.
    (&["DEL", "sessions"], Area::Session, "held: it belongs to a session that does not exist"),
    (&["DEL", "dead"], Area::Session, "theirs: it belongs to a session that does not exist"),
    (&["DEL", "beats"], Area::Session, "session 00000000000000000000000000000007: its beats are not counted"),
    (&["HSET", "beats", "0123456789abcdef", "1"], Area::Session, "the session does not exist [beats]"),
    (&["HSET", "claims", "0123456789abcdef", "1"], Area::Session, "the session does not exist [claims]"),
    (&["HSET", "claims", "0123456789abcdef", "1"], Area::Session, "its newest claim cannot be read"),
    (&["HSET", "dead", "0123456789abcdef", "x"], Area::Session, "what is kept of it is no number [dead]"),
    (&["ZADD", "sessions", "1", "short"], Area::Session, "short: a session has no such id"),
    // Limits.
    (&["HSET", "limits", "worder", "?"], Area::Limit, "the limit of workflow order cannot be read"),
    (&["HSET", "limits", "zorder", "?"], Area::Limit, "zorder is nothing that can be limited"),
];

#[test]
fn every_kind_of_damage_is_found() {
    runtime().block_on(async {
        let bench = Bench::new().await;
        for (damage, area, part) in DAMAGE {
            let key = format!("{PREFIX}{}", damage[1]);
            let words: Vec<&[u8]> = damage.iter().map(|word| word.as_bytes()).collect();
            let words = [&[words[0], key.as_bytes()], &words[2..]].concat();
            let told = |finding: &Finding| finding.area == *area && finding.to_string().contains(part);
            bench.damaged(&format!("{damage:?}"), &words, told).await;
        }
        // What takes more than one command, or bytes that are no text.
        let alive = SESSION.0.to_be_bytes();
        let key = |name: &str| format!("{PREFIX}{name}").into_bytes();
        let lives = |finding: &Finding| finding.to_string().contains("the session lives and is revoked");
        bench.damaged("a session that is both", &[b"HSET", &key("dead"), &alive, b"1"], lives).await;
        let share = [&alive[..], &[0; 6], &[0, 0, 0, 1]].concat();
        let twice = [&[0, 0, 2], share.as_slice(), &share, &[0, 0, 0]].concat();
        let two = |finding: &Finding| finding.area == Area::Limit && finding.what.contains("has two shares");
        bench.damaged("two shares", &[b"HSET", &key("limits"), b"worder", &twice], two).await;
        let spent =
            [&[0, 0, 0, 0, 0, 2][..], &[0, 0, 0, 0, 0, 2, 0, 0, 0, 1], &[0, 0, 0, 0, 0, 1, 0, 0, 0, 1]].concat();
        let order = |finding: &Finding| finding.area == Area::Limit && finding.what.contains("not in order");
        bench.damaged("times out of order", &[b"HSET", &key("limits"), b"qdefault", &spent], order).await;
        let older = a_record(-5);
        let back =
            |finding: &Finding| finding.area == Area::Record && finding.what.contains("record 1 of run 1 is older");
        bench.damaged("an older record", &[b"HSET", &key("i:held"), b"1", older.as_bytes()], back).await;
        let beyond = |finding: &Finding| finding.area == Area::Stray && finding.what.contains("no such partition");
        bench.damaged("another partition", &[b"SET", b"wf:{links:4}:ready", b"1"], beyond).await;
    });
}

/// Every byte of a packed head, each changed: what is not found is a time, or a number that nothing else is kept of.
#[test]
fn most_of_what_can_be_changed_in_a_head_is_found() {
    runtime().block_on(async {
        let bench = Bench::new().await;
        let key = format!("{PREFIX}i:held");
        let head: Vec<u8> = redis::from_redis_value(bench.ask(&[b"HGET", key.as_bytes(), b"h"])).expect("bytes");
        // When it began, was ready and last changed, its version, and that it is a suspect or how often it crashed.
        let free: Vec<usize> = [4..6, 7..25, 36..42].into_iter().flatten().collect();
        for at in (0..head.len()).filter(|at| !free.contains(at)) {
            let mut changed = head.clone();
            changed[at] ^= 2;
            bench.ask(&[b"HSET", key.as_bytes(), b"h", &changed]);
            let report = bench.check().await;
            assert!(!report.is_sound(), "byte {at} of the head");
            bench.restore();
        }
    });
}

#[test]
fn other_namespaces_are_not_looked_at() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let store = open(&server.url()).await.expect("it opens");
        server.command(&["SET", "wf:{links:2}:meta", "of a namespace called links:2"]);
        server.command(&["SET", "wf:{links:2:0}:i:a", "its first partition"]);
        server.command(&["SET", "wf:{linksmore:0}:what", "of another"]);
        server.command(&["SET", "what", "of nobody"]);
        let report = store.fsck().await.expect("it can be read");
        assert_eq!(report.findings, [], "{report}");
    });
}

#[workflow]
async fn busy(number: u64) -> workflow::Result<u64> {
    let one = step!("one", async { Ok::<_, Oops>(number) }).await?;
    let child = quick(one).await?;
    sleep(1ms).await;
    let event = wait_for::<Go>("go").timeout(20ms).await;
    Ok(child + u64::from(event.is_ok()))
}

#[workflow]
async fn quick(number: u64) -> workflow::Result<u64> {
    step!("two", async { Ok::<_, Oops>(number) }).await.map_err(Into::into)
}

/// Workers write all the time, in several partitions: a check that took a moment for damage would say so here.
#[test]
fn a_check_beside_workers_finds_nothing() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let url = format!("{}?partitions=3&ids=1", server.url());
        let start = async || {
            let builder = Engine::builder().store(&url).namespace("busy").retention(Duration::ZERO, Duration::ZERO);
            builder.only::<(busy, quick)>().start().await.expect("it starts")
        };
        let (engine, other) = (start().await, start().await);
        let work = async {
            let total = support::size::Amount::of(400, 5_000, 20_000).wanted();
            for round in 0..total.div_ceil(50) {
                let all = (0..50).map(|number| busy::new(number).id(format!("r{round}-{number}")));
                let made = busy::create_batch(&engine, all).await.expect("they are made");
                for instance in made {
                    let instance = instance.expect("it is made");
                    // It may have timed out, or ended.
                    let _ = instance.send(Go { number: 1 }).await;
                    let _ = instance.result().await;
                }
            }
        };
        let checks = async || {
            loop {
                let report = workflow::fsck(&server.url(), "busy").await.expect("it can be read");
                assert_eq!(report.findings, [], "{report}");
            }
        };
        tokio::select! {
            () = work => {}
            ((), ()) = async { tokio::join!(checks(), checks()) } => {}
        }
        let report = engine.fsck().await.expect("it can be read");
        assert_eq!(report.findings, [], "{report}");
        engine.shutdown(wait::PATIENCE).await;
        other.shutdown(wait::PATIENCE).await;
    });
}

#[test]
fn a_namespace_that_is_not_there_is_refused_and_not_made() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let error = workflow::fsck(&server.url(), "typo").await.expect_err("nobody made it").to_string();
        assert!(error.contains("the namespace typo is not on this server"), "{error}");
        assert!(redis::from_redis_value::<Vec<String>>(server.command(&["KEYS", "*"])).expect("keys").is_empty());
    });
}

/// A server without memory refuses some commands of a script and carries out others: what is refused has changed
/// nothing.
#[test]
fn a_server_without_memory_leaves_nothing_half_done() {
    runtime().block_on(async {
        let bench = Bench::new().await;
        let tell = |command: Command| once(&bench.store, command);
        let sent = Command::Sent { source: id("held"), numbers: vec![2] };
        // Two old runs, of which one has expired.
        bench.clock.advance(Duration::from_secs(30));
        tell(control("again", Action::Restart)).await.expect("it works");
        bench.clock.advance(Duration::from_secs(31));
        let commands = [
            sent.clone(),
            control("again", Action::Restart),
            control("noticed", Action::Terminate { reason: "no".to_owned() }),
            control("asleep", Action::Pause),
            event("waiting", "e1"),
            created("new", |_| {}),
            Command::WakeDue { limit: 10 },
            Command::Expire { limit: 100 },
            Command::Recover { session: DEAD, limit: 10 },
            Command::CloseSession { session: SESSION },
        ];
        bench.server.command(&["CONFIG", "SET", "maxmemory", "1"]);
        for command in &commands {
            let before = dump(&bench.server);
            if tell(command.clone()).await.is_err() {
                assert_eq!(dump(&bench.server), before, "{command:?} was refused");
            }
            let report = bench.check().await;
            assert_eq!(report.findings, [], "after {command:?}");
        }
        let ended =
            bench.members("complete").len() + bench.members("errored").len() + bench.members("terminated").len();
        assert_eq!(ended, 0, "what gives memory back is done");
        bench.server.command(&["CONFIG", "SET", "maxmemory", "0"]);
        assert_eq!(tell(sent).await.expect("it works"), Reply::Count { done: 1, next_due: None });
        for command in commands {
            tell(command).await.expect("it works again");
        }
        assert_eq!(bench.check().await.findings, []);
    });
}

/// Findings beyond a bound are counted.
#[test]
fn a_server_that_lost_every_instance_says_so_in_bounds() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let store = open(&server.url()).await.expect("it opens");
        let batch: Vec<Command> = (0..600).map(|number| Command::Create(create(&format!("i{number}")))).collect();
        store.execute(0, batch).await.expect("they are made");
        for number in 0..600 {
            server.command(&["DEL", &format!("{PREFIX}i:i{number}")]);
        }
        let report = store.fsck().await.expect("it can be read");
        assert_eq!((report.findings.len(), report.more, report.instances), (1_000, 200, 0));
    });
}
