//! Every word that a script can answer with, said by a real server.

use std::collections::BTreeSet;
use std::time::Duration;

use support::proxy::Proxy;
use support::redis::RedisServer;
use workflow::journal::command::{Action, Claim, Command, Control, Create, Ending, Owner, Send, Then, Wait};
use workflow::journal::message::{Channel, NewMessage};
use workflow::journal::path::{Kind, Path};
use workflow::store::redis::RedisStore;
use workflow::store::{Store, StoreError};
use workflow::words::id::{InstanceId, QueueName, RequestId, SessionId, WorkflowName};
use workflow::words::limits::{JOURNAL_BYTES_MAX, MAILBOX_MAX};
use workflow::words::payload::Payload;

use crate::stage::{LEASE, SESSION, create, once, open, own, record, runtime, start, write};

/// The scripts that answer commands.
const SCRIPTS: [&str; 7] = [
    include_str!("../../workflow/src/store/redis/scripts/create.lua"),
    include_str!("../../workflow/src/store/redis/scripts/send.lua"),
    include_str!("../../workflow/src/store/redis/scripts/control.lua"),
    include_str!("../../workflow/src/store/redis/scripts/own.lua"),
    include_str!("../../workflow/src/store/redis/scripts/claim.lua"),
    include_str!("../../workflow/src/store/redis/scripts/session.lua"),
    include_str!("../../workflow/src/store/redis/scripts/sweep.lua"),
];

/// Needs another store at the right moment: `races` has it.
const ELSEWHERE: &str = "AGAIN";

/// The words that the heads of the scripts promise.
fn promised() -> BTreeSet<&'static str> {
    let mut words = BTreeSet::new();
    for script in SCRIPTS {
        let (_, rest) = script.split_once("-- RETURNS").expect("a head says what it returns");
        let (returns, _) = rest.split_once("-- INVARIANT").expect("a head says what it keeps");
        let all = returns.split(|c: char| !c.is_ascii_alphabetic());
        words.extend(all.filter(|word| word.len() > 1 && word.chars().all(|c| c.is_ascii_uppercase())));
    }
    words
}

fn id(text: &str) -> InstanceId {
    InstanceId::new(text).expect("valid")
}

async fn tell(store: &RedisStore, command: Command) {
    once(store, command).await.expect("it is answered");
}

fn control(of: &str, action: Action) -> Command {
    Command::Control(Control { request: RequestId::generate(), id: id(of), run: None, action })
}

fn event(to: &str, number: u32) -> Command {
    let message = NewMessage {
        channel: Channel::event("x", ""),
        event_id: format!("e{number}").into(),
        payload: Payload::from_bytes(*b"1"),
    };
    Command::Send(Send { id: id(to), run: None, message })
}

async fn creates_and_claims(store: &RedisStore) {
    let first = Command::Create(create("queued"));
    tell(store, first).await;
    tell(store, Command::Create(create("queued"))).await;
    let claim = |session| {
        Command::Claim(Claim {
            session,
            number: 1,
            limit: 10,
            queues: vec![QueueName::new("default").expect("valid")].into(),
            known: vec![(WorkflowName::new("order").expect("valid"), 1)].into(),
        })
    };
    tell(store, Command::OpenSession { session: SESSION, lease: LEASE }).await;
    tell(store, claim(SESSION)).await;
    tell(store, claim(SessionId(99))).await;
    let started = Command::Create(Create { local: Some(SESSION), ..create("started") });
    tell(store, started.clone()).await;
    tell(store, started).await;
}

async fn events_and_controls(store: &RedisStore) {
    tell(store, Command::Create(create("full"))).await;
    let events = (0..=MAILBOX_MAX).map(|number| event("full", number)).collect();
    store.execute(0, events).await.expect("they are answered");
    tell(store, event("nobody", 1)).await;
    tell(store, control("nobody", Action::Pause)).await;
    tell(store, control("full", Action::Resume)).await;
    tell(store, control("full", Action::Terminate { reason: "no".to_owned() })).await;
    tell(store, event("full", 1)).await;
}

async fn owners(store: &RedisStore) {
    let owner = start(store, "owned").await;
    tell(store, event("owned", 1)).await;
    let path = Path::root().join(Kind::Wait, "w", None, 0);
    let wait = Wait { path, channel: Some(Channel::event("x", "")), due: None, shifts: true };
    own(store, &owner, write(Vec::new(), Then::Suspend { waits: vec![wait], paused: false })).await;
    own(store, &owner, write(vec![record(1)], Then::Hold)).await;
    own(store, &Owner { v: owner.v + 9, ..owner.clone() }, write(Vec::new(), Then::Hold)).await;
    own(store, &Owner { session: SessionId(99), ..owner.clone() }, write(Vec::new(), Then::Hold)).await;
    own(store, &Owner { id: id("nobody"), ..owner.clone() }, write(Vec::new(), Then::Hold)).await;
    let too_much = usize::try_from(JOURNAL_BYTES_MAX).expect("it fits") / 2 + 1;
    let owner = Owner { v: owner.v + 1, ..owner };
    own(store, &owner, write(vec![record(too_much), record(too_much)], Then::Hold)).await;
    own(store, &owner, write(Vec::new(), Then::Finish(Ending { result: Ok(Payload::from_bytes(*b"1")) }))).await;
}

async fn sessions(store: &RedisStore) {
    tell(store, Command::OpenSession { session: SESSION, lease: LEASE }).await;
    tell(store, Command::Fence { session: SESSION, beats: 0 }).await;
    let short = SessionId(3);
    tell(store, Command::OpenSession { session: short, lease: Duration::from_millis(1) }).await;
    let locals =
        (0..20).map(|number| Command::Create(Create { local: Some(short), ..create(&format!("held-{number}")) }));
    store.execute(0, locals.collect()).await.expect("they are made");
    support::wait::until("the lease to be over", async || {
        let fenced = once(store, Command::Fence { session: short, beats: 0 }).await.ok()?;
        (fenced == workflow::journal::command::Reply::Fence(true)).then_some(())
    })
    .await;
    tell(store, Command::Recover { session: short, limit: 5 }).await;
    tell(store, Command::Recover { session: short, limit: 100 }).await;
}

#[test]
fn every_word_that_a_script_promises_is_said() {
    let server = RedisServer::start_on_tcp(&[]);
    let proxy = Proxy::to(server.port());
    runtime().block_on(async {
        let store = open(&format!("redis://127.0.0.1:{}", proxy.port())).await.expect("it opens");
        proxy.listen();
        creates_and_claims(&store).await;
        server.command(&["FLUSHALL"]);
        events_and_controls(&store).await;
        server.command(&["FLUSHALL"]);
        owners(&store).await;
        server.command(&["FLUSHALL"]);
        sessions(&store).await;
        tell(&store, Command::Create(create("bad"))).await;
        server.command(&["HSET", "wf:{links:0}:i:bad", "h", "short"]);
        let damaged = once(&store, control("bad", Action::Pause)).await;
        assert!(matches!(damaged, Err(StoreError::Damaged { .. })), "{damaged:?}");
    });
    let said = proxy.said();
    let mut promised = promised();
    promised.insert("DAMAGED");
    assert!(promised.remove(ELSEWHERE));
    let unsaid: Vec<_> = promised.into_iter().filter(|word| !contains(&said, word)).collect();
    assert!(unsaid.is_empty(), "nothing made a script say {unsaid:?}");
}

/// Whether the word stands alone in an answer.
fn contains(said: &[u8], word: &str) -> bool {
    let text = format!("${}\r\n{word}\r\n", word.len());
    said.windows(text.len()).any(|window| window == text.as_bytes())
}
