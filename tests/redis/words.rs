//! Every word that a script can answer with, said by a real server.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use support::proxy::Proxy;
use support::redis::RedisServer;
use workflow::journal::command::{
    Action, Claim, Command, Control, Create, CreateReply, Ending, InstanceSpec, OwnReply, Owner, OwnerWrite, Reply,
    Send, Then, Wait, Write,
};
use workflow::journal::message::{Channel, NewMessage};
use workflow::journal::path::{Kind, Path};
use workflow::store::redis::RedisStore;
use workflow::store::{Store, StoreError};
use workflow::words::id::{InstanceId, QueueName, RequestId, SessionId, WorkflowName};
use workflow::words::limits::{JOURNAL_BYTES_MAX, MAILBOX_MAX};
use workflow::words::payload::Payload;

use super::stage::{LEASE, SESSION, create, open, record, runtime, write};

/// The scripts that answer commands.
const SCRIPTS: [(&str, &str); 7] = [
    ("create", include_str!("../../workflow/src/store/redis/scripts/create.lua")),
    ("send", include_str!("../../workflow/src/store/redis/scripts/send.lua")),
    ("control", include_str!("../../workflow/src/store/redis/scripts/control.lua")),
    ("own", include_str!("../../workflow/src/store/redis/scripts/own.lua")),
    ("claim", include_str!("../../workflow/src/store/redis/scripts/claim.lua")),
    ("session", include_str!("../../workflow/src/store/redis/scripts/session.lua")),
    ("sweep", include_str!("../../workflow/src/store/redis/scripts/sweep.lua")),
];

/// What needs another store at the right moment: `races` has it.
const ELSEWHERE: [(&str, &str); 2] = [("claim", "AGAIN"), ("claim", "FENCED")];

/// The words that the head of a script promises.
fn promised(script: &'static str) -> BTreeSet<&'static str> {
    let (_, rest) = script.split_once("-- RETURNS").expect("a head says what it returns");
    let (returns, _) = rest.split_once("-- INVARIANT").expect("a head says what it keeps");
    let all = returns.split(|c: char| !c.is_ascii_alphabetic());
    all.filter(|word| word.len() > 1 && word.chars().all(|c| c.is_ascii_uppercase())).collect()
}

/// Which script answers a command.
fn answers(command: &Command) -> &'static str {
    match command {
        Command::Create(_) => "create",
        Command::Send(_) => "send",
        Command::Control(_) => "control",
        Command::Own(_) => "own",
        Command::Claim(_) => "claim",
        Command::OpenSession { .. }
        | Command::CloseSession { .. }
        | Command::Fence { .. }
        | Command::Recover { .. } => "session",
        _ => "sweep",
    }
}

/// A store behind a wire, and what the server said to each script's commands.
struct Heard {
    server: RedisServer,
    proxy: Proxy,
    store: RedisStore,
    said: RefCell<BTreeMap<&'static str, Vec<u8>>>,
}

impl Heard {
    async fn new() -> Self {
        let server = RedisServer::start_on_tcp(&[]);
        let proxy = Proxy::to(server.port());
        let store = open(&format!("redis://127.0.0.1:{}", proxy.port())).await.expect("it opens");
        Self { server, proxy, store, said: RefCell::default() }
    }

    /// Sends commands that one script answers.
    async fn execute(&self, batch: Vec<Command>) -> Result<Vec<Reply>, StoreError> {
        let script = answers(&batch[0]);
        self.proxy.listen();
        let replies = self.store.execute(0, batch).await;
        self.said.borrow_mut().entry(script).or_default().extend(self.proxy.said());
        replies
    }

    async fn tell(&self, command: Command) -> Reply {
        self.execute(vec![command]).await.expect("it is answered").remove(0)
    }

    /// Starts an instance in the session of these tests.
    async fn start(&self, id: &str) -> Owner {
        self.tell(Command::OpenSession { session: SESSION, lease: LEASE }).await;
        let create = Create { local: Some(SESSION), ..create(id) };
        match self.tell(Command::Create(create)).await {
            Reply::Create(CreateReply::Created { claimed: Some(claimed) }) => {
                Owner { id: claimed.id, session: SESSION, run: claimed.run, v: claimed.v }
            }
            other => panic!("it was not started: {other:?}"),
        }
    }

    async fn own(&self, owner: &Owner, write: Write) -> OwnReply {
        let own = OwnerWrite { request: RequestId::generate(), owner: owner.clone(), write };
        match self.tell(Command::Own(own)).await {
            Reply::Own(reply) => reply,
            other => panic!("not the answer to an owner: {other:?}"),
        }
    }

    fn forget_all(&self) {
        self.server.command(&["FLUSHALL"]);
    }
}

fn id(text: &str) -> InstanceId {
    InstanceId::new(text).expect("valid")
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

async fn creates_and_claims(store: &Heard) {
    let first = Command::Create(create("queued"));
    store.tell(first).await;
    store.tell(Command::Create(create("queued"))).await;
    let claim = |session| {
        Command::Claim(Claim {
            session,
            number: 1,
            limit: 10,
            queues: vec![QueueName::new("default").expect("valid")].into(),
            known: vec![(WorkflowName::new("order").expect("valid"), 1)].into(),
            quotas: Vec::new(),
            limits: Vec::new(),
        })
    };
    store.tell(Command::OpenSession { session: SESSION, lease: LEASE }).await;
    store.tell(claim(SESSION)).await;
    store.tell(claim(SessionId(99))).await;
    let started = Command::Create(Create { local: Some(SESSION), ..create("started") });
    store.tell(started.clone()).await;
    store.tell(started).await;
    let Command::Send(first) = event("told", 1) else { unreachable!("an event is sent") };
    store.tell(Command::Create(Create { local: Some(SESSION), message: Some(first.message), ..create("told") })).await;
}

async fn events_and_controls(store: &Heard) {
    store.tell(Command::Create(create("full"))).await;
    let events = (0..=MAILBOX_MAX).map(|number| event("full", number)).collect();
    store.execute(events).await.expect("they are answered");
    store.tell(event("nobody", 1)).await;
    store.tell(control("nobody", Action::Pause)).await;
    store.tell(control("full", Action::Resume)).await;
    store.tell(control("full", Action::Terminate { reason: "no".to_owned() })).await;
    store.tell(event("full", 1)).await;
}

async fn owners(store: &Heard) {
    let owner = store.start("owned").await;
    store.tell(event("owned", 1)).await;
    let path = Path::root().join(Kind::Wait, "w", None, 0);
    let wait = Wait { path, channel: Some(Channel::event("x", "")), due: None, shifts: true };
    let suspend = write(Vec::new(), Then::Suspend { waits: vec![wait], paused: false });
    let OwnReply::Continue(granted) = store.own(&owner, suspend).await else { panic!("it has a message") };
    store.own(&owner, write(vec![record(1)], Then::Hold)).await;
    store.own(&Owner { v: owner.v + 9, ..owner.clone() }, write(Vec::new(), Then::Hold)).await;
    store.own(&Owner { session: SessionId(99), ..owner.clone() }, write(Vec::new(), Then::Hold)).await;
    store.own(&Owner { id: id("nobody"), ..owner.clone() }, write(Vec::new(), Then::Hold)).await;
    let too_much = usize::try_from(JOURNAL_BYTES_MAX).expect("it fits") / 2 + 1;
    let owner = Owner { v: granted.v, ..owner };
    store.own(&owner, write(vec![record(too_much), record(too_much)], Then::Hold)).await;
    store.own(&owner, write(Vec::new(), Then::Finish(Ending { result: Ok(Payload::from_bytes(*b"1")) }))).await;
}

async fn sessions(store: &Heard) {
    store.tell(Command::OpenSession { session: SESSION, lease: LEASE }).await;
    store.tell(Command::Fence { session: SESSION, beats: 0 }).await;
    let short = SessionId(3);
    store.tell(Command::OpenSession { session: short, lease: Duration::from_millis(1) }).await;
    let locals =
        (0..20).map(|number| Command::Create(Create { local: Some(short), ..create(&format!("held-{number}")) }));
    store.execute(locals.collect()).await.expect("they are made");
    support::wait::until("the lease to be over", async || {
        let fenced = store.tell(Command::Fence { session: short, beats: 0 }).await;
        (fenced == Reply::Fence(true)).then_some(())
    })
    .await;
    store.tell(Command::Recover { session: short, limit: 5 }).await;
    store.tell(Command::Recover { session: short, limit: 100 }).await;
    store.tell(Command::Create(Create { spec: due_soon(&store.store).await, ..create("asleep") })).await;
    support::wait::until("a timer", async || {
        let woken = store.tell(Command::WakeDue { limit: 1 }).await;
        matches!(woken, Reply::Count { done: 1, .. }).then_some(())
    })
    .await;
}

/// A spec with a start time that is soon over.
async fn due_soon(store: &RedisStore) -> Arc<InstanceSpec> {
    let mut spec = (*create("x").spec).clone();
    spec.start_at = Some(store.now().await.expect("it reads").shifted(50));
    Arc::new(spec)
}

#[test]
fn every_word_that_a_script_promises_is_said_by_it() {
    runtime().block_on(async {
        let heard = Heard::new().await;
        creates_and_claims(&heard).await;
        heard.forget_all();
        events_and_controls(&heard).await;
        heard.forget_all();
        owners(&heard).await;
        heard.forget_all();
        sessions(&heard).await;
        heard.tell(Command::Create(Create { ..create("bad") })).await;
        heard.server.command(&["HSET", "wf:{links:0}:i:bad", "h", "short"]);
        let damaged = heard.execute(vec![control("bad", Action::Pause)]).await;
        assert!(matches!(damaged, Err(StoreError::Damaged { .. })), "{damaged:?}");
        let said = heard.said.borrow();
        assert!(contains(&said["control"], "DAMAGED"));
        for (name, script) in SCRIPTS {
            let elsewhere = |word: &&str| ELSEWHERE.contains(&(name, word));
            let unsaid: Vec<_> = promised(script).into_iter().filter(|word| !contains(&said[name], word)).collect();
            assert!(unsaid.iter().all(elsewhere), "nothing made {name}.lua say {unsaid:?}");
        }
    });
}

/// Whether the word stands alone in an answer.
fn contains(said: &[u8], word: &str) -> bool {
    let text = format!("${}\r\n{word}\r\n", word.len());
    said.windows(text.len()).any(|window| window == text.as_bytes())
}
