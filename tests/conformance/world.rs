//! One store under test, its clock, and the words the tests are written in.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use support::redis::RedisServer;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use workflow::journal::command::{
    Action, Claim, ClaimReply, Claimed, Command, Control, ControlReply, Create, CreateReply, Ending, Granted,
    InstanceSpec, OwnReply, Owner, OwnerWrite, Reply, Send, SendReply, Then, Wait, Write,
};
use workflow::journal::head::{Head, State};
use workflow::journal::message::{Channel, Message, NewMessage};
use workflow::journal::path::{Kind, Path};
use workflow::store::fsck::{Area, Finding};
use workflow::store::{Beat, Outcome, Pending, Snapshot, Store};
use workflow::words::id::{InstanceId, QueueName, RequestId, SessionId, WorkflowName};
use workflow::words::payload::Payload;
use workflow::words::time::{Clock, ManualClock, Timestamp};

/// How long a session lives without a beat.
pub(crate) const LEASE: Duration = Duration::from_secs(10);

/// A store that was opened.
pub(crate) struct Opened {
    pub(crate) store: Arc<dyn Store>,
    /// What must outlive the store.
    pub(crate) kept: Option<Kept>,
}

/// Where a store keeps what it holds.
pub(crate) enum Kept {
    /// The folder of its file.
    Folder(TempDir),
    /// Its server.
    Server(RedisServer),
}

type Open = dyn Fn(Arc<dyn Clock>, Option<Kept>) -> Opened;

/// A store under test, and time that stands still until it is moved.
pub(crate) struct World {
    open: Box<Open>,
    opened: Option<Opened>,
    pub(crate) clock: Arc<ManualClock>,
    runtime: Runtime,
    requests: Cell<u128>,
}

impl World {
    /// A world with an empty store.
    pub(crate) fn new(open: impl Fn(Arc<dyn Clock>, Option<Kept>) -> Opened + 'static) -> Self {
        let clock = Arc::new(ManualClock::starting_at(Timestamp::from_millis(1_000_000_000)));
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let opened = open(clock.clone(), None);
        Self { open: Box::new(open), opened: Some(opened), clock, runtime, requests: Cell::new(1) }
    }

    /// Closes the store and opens it again.
    pub(crate) fn reopen(&mut self) {
        let Opened { store, kept } = self.opened.take().expect("open");
        drop(store);
        self.opened = Some((self.open)(self.clock.clone(), kept));
    }

    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        &self.opened.as_ref().expect("open").store
    }

    pub(crate) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// A request id nobody used.
    pub(crate) fn request(&self) -> RequestId {
        self.requests.set(self.requests.get() + 1);
        RequestId(self.requests.get())
    }

    // ---- time

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The moment in `millis`.
    pub(crate) fn in_ms(&self, millis: i64) -> Timestamp {
        self.now().shifted(millis)
    }

    pub(crate) fn advance(&self, millis: u64) {
        self.clock.advance(Duration::from_millis(millis));
    }

    pub(crate) fn set_back(&self, millis: u64) {
        self.clock.set_back(Duration::from_millis(millis));
    }

    // ---- commands

    pub(crate) fn execute(&self, batch: Vec<Command>) -> Vec<Reply> {
        let asked = batch.len();
        let replies = self.wait(self.store().execute(0, batch)).expect("the store works");
        assert_eq!(replies.len(), asked, "one reply for each command");
        replies
    }

    pub(crate) fn apply(&self, command: Command) -> Reply {
        self.execute(vec![command]).remove(0)
    }

    /// How many things a command did.
    pub(crate) fn count(&self, command: Command) -> usize {
        match self.apply(command) {
            Reply::Count { done, .. } => done,
            other => panic!("not a count: {other:?}"),
        }
    }

    pub(crate) fn create(&self, create: &Create) -> CreateReply {
        match self.apply(Command::Create(create.clone())) {
            Reply::Create(reply) => reply,
            other => panic!("not the answer to a create: {other:?}"),
        }
    }

    /// A create of a plain instance, to be changed before it is sent.
    pub(crate) fn new_instance(&self, name: &str) -> Create {
        Create { request: self.request(), id: id(name), spec: Arc::new(spec()), local: None, message: None }
    }

    /// Makes a plain instance.
    pub(crate) fn make(&self, name: &str) {
        self.make_with(name, |_| {});
    }

    /// Makes an instance.
    pub(crate) fn make_with(&self, name: &str, change: impl FnOnce(&mut InstanceSpec)) {
        let mut create = self.new_instance(name);
        change(Arc::make_mut(&mut create.spec));
        assert_eq!(self.create(&create), CreateReply::Created { claimed: None });
    }

    pub(crate) fn send_as(&self, send: Send) -> SendReply {
        match self.apply(Command::Send(send)) {
            Reply::Send(reply) => reply,
            other => panic!("not the answer to a message: {other:?}"),
        }
    }

    /// Sends an event of type `channel`; its payload is its event id.
    pub(crate) fn send(&self, name: &str, channel: &str, event_id: &str) -> SendReply {
        self.send_as(event(name, channel, event_id))
    }

    pub(crate) fn control_as(&self, control: &Control) -> ControlReply {
        match self.apply(Command::Control(control.clone())) {
            Reply::Control(reply) => reply,
            other => panic!("not the answer to a control: {other:?}"),
        }
    }

    pub(crate) fn control(&self, name: &str, action: Action) -> ControlReply {
        self.control_as(&Control { request: self.request(), id: id(name), run: None, action })
    }

    pub(crate) fn terminate(&self, name: &str) -> ControlReply {
        self.control(name, Action::Terminate { reason: "no".to_owned() })
    }

    /// Opens a session.
    pub(crate) fn open(&self, number: u128) -> SessionId {
        let session = SessionId(number);
        assert_eq!(self.count(Command::OpenSession { session, lease: LEASE }), 1);
        session
    }

    pub(crate) fn beat(&self, session: SessionId) -> Beat {
        let mut heart = self.store().heart().expect("a heart");
        heart.beat(session, LEASE).expect("the store works")
    }

    /// Lets the lease of a session run out, and revokes it.
    pub(crate) fn lose(&self, session: SessionId) {
        self.advance(10_000);
        let beats = self.session(session).expect("listed").beats;
        assert_eq!(self.apply(Command::Fence { session, beats }), Reply::Fence(true));
    }

    /// Revokes a session and recovers everything it held.
    pub(crate) fn crash(&self, session: SessionId) {
        self.lose(session);
        self.count(Command::Recover { session, limit: 1_000 });
    }

    pub(crate) fn session(&self, session: SessionId) -> Option<workflow::store::SessionView> {
        let sessions = self.wait(self.store().sessions()).expect("the store works");
        sessions.into_iter().find(|view| view.session == session)
    }

    /// A claim for everything the tests' workers know.
    pub(crate) fn new_claim(&self, session: SessionId) -> Claim {
        let number = u64::try_from(self.request().0).expect("small");
        Claim {
            number,
            session,
            limit: 100,
            queues: Arc::new([queue("q")]),
            known: Arc::new([(workflow_name("order"), 1)]),
            quotas: Vec::new(),
            limits: Vec::new(),
        }
    }

    pub(crate) fn claim_as(&self, claim: &Claim) -> ClaimReply {
        match self.apply(Command::Claim(claim.clone())) {
            Reply::Claim(reply) => reply,
            other => panic!("not the answer to a claim: {other:?}"),
        }
    }

    /// What a session is given, and its notices.
    pub(crate) fn claim_with(&self, claim: &Claim) -> (Vec<Held>, Vec<InstanceId>) {
        match self.claim_as(claim) {
            ClaimReply::Given { instances, notices, .. } => {
                (instances.into_iter().map(|claimed| Held::new(claimed, claim.session)).collect(), notices)
            }
            ClaimReply::Fenced => panic!("fenced"),
        }
    }

    /// Everything there is for a session.
    pub(crate) fn claim(&self, session: SessionId) -> Vec<Held> {
        self.claim_with(&self.new_claim(session)).0
    }

    /// The one instance there is for a session.
    pub(crate) fn claim_one(&self, session: SessionId) -> Held {
        let mut given = self.claim(session);
        assert_eq!(given.len(), 1, "one instance is to be had: {:?}", names(&given));
        given.remove(0)
    }

    /// The notices for a session.
    pub(crate) fn notices(&self, session: SessionId) -> Vec<InstanceId> {
        self.claim_with(&Claim { limit: 0, ..self.new_claim(session) }).1
    }

    /// Makes an instance and claims it.
    pub(crate) fn hold(&self, name: &str, session: SessionId) -> Held {
        self.make(name);
        let mut given = self.claim(session);
        let at = given.iter().position(|held| held.id == id(name)).expect("it is given");
        given.swap_remove(at)
    }

    pub(crate) fn own_as(&self, request: &OwnerWrite) -> OwnReply {
        match self.apply(Command::Own(request.clone())) {
            Reply::Own(reply) => reply,
            other => panic!("not the answer to an owner: {other:?}"),
        }
    }

    /// Writes as the owner, which learns from the answer.
    pub(crate) fn own(&self, held: &mut Held, write: Write) -> OwnReply {
        let reply = self.own_as(&held.request(self.request(), write));
        held.learn(&reply);
        reply
    }

    /// Writes what must be done as asked.
    pub(crate) fn done(&self, held: &mut Held, write: Write) -> Granted {
        match self.own(held, write) {
            OwnReply::Ok(granted) => granted,
            other => panic!("refused: {other:?}"),
        }
    }

    // ---- looks

    /// What a check of the store finds, but for records: those of these tests are words, which nobody decodes.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let report = self.wait(self.store().fsck()).expect("the store works");
        report.findings.into_iter().filter(|finding| finding.area != Area::Record).collect()
    }

    /// Sees that everything in the store agrees with everything else.
    pub(crate) fn is_sound(&self) {
        let findings = self.findings();
        assert!(findings.is_empty(), "{findings:#?}");
    }

    pub(crate) fn inspect(&self, name: &str) -> Option<Snapshot> {
        let snapshot = self.wait(self.store().inspect(id(name))).expect("the store works");
        let outcome = self.wait(self.store().outcome(id(name))).expect("the store works");
        assert_eq!(outcome, snapshot.clone().map(|snapshot| Outcome::of(snapshot.head)), "{name}");
        snapshot
    }

    pub(crate) fn head(&self, name: &str) -> Head {
        self.inspect(name).expect("it exists").head
    }

    pub(crate) fn state(&self, name: &str) -> State {
        self.head(name).state()
    }

    /// The records of a run, as text.
    pub(crate) fn journal(&self, name: &str, run: u32) -> Option<Vec<String>> {
        let records = self.wait(self.store().journal(id(name), run, 0)).expect("the store works");
        records.map(|records| records.iter().map(text).collect())
    }

    /// What waits to be sent to others.
    pub(crate) fn outbox(&self) -> Vec<Pending> {
        self.wait(self.store().outbox(Timestamp::MAX, 1_000)).expect("the store works")
    }

    /// Sends what waits to be sent, until nothing does.
    pub(crate) fn empty_outbox(&self) {
        loop {
            let pending = self.outbox();
            if pending.is_empty() {
                return;
            }
            for Pending { source, number, outgoing } in pending {
                self.apply(workflow::journal::table::outbox::command(&source, number, &outgoing));
                self.count(Command::Sent { source, numbers: vec![number] });
            }
        }
    }
}

/// An instance as its owner sees it.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) id: InstanceId,
    pub(crate) session: SessionId,
    pub(crate) run: u32,
    pub(crate) v: u64,
    pub(crate) records: u32,
    pub(crate) suspect: bool,
    pub(crate) shift_ms: i64,
    pub(crate) pause: bool,
    /// Every message seen and not consumed.
    pub(crate) messages: Vec<Message>,
    pub(crate) seen: u64,
}

impl Held {
    pub(crate) fn new(claimed: Claimed, session: SessionId) -> Self {
        assert_eq!(claimed.v, claimed.granted.v);
        let mut held = Self {
            id: claimed.id,
            session,
            run: claimed.run,
            v: claimed.v,
            records: claimed.records,
            suspect: claimed.suspect,
            shift_ms: claimed.shift_ms,
            pause: false,
            messages: Vec::new(),
            seen: 0,
        };
        held.granted(&claimed.granted);
        // What came and is not among the messages was consumed, and so seen, by an owner before.
        held.seen = claimed.arrivals;
        held
    }

    pub(crate) fn request(&self, request: RequestId, write: Write) -> OwnerWrite {
        let owner = Owner { id: self.id.clone(), session: self.session, run: self.run, v: self.v };
        OwnerWrite { request, owner, write: Write { seen: write.seen.max(self.seen), ..write } }
    }

    pub(crate) fn learn(&mut self, reply: &OwnReply) {
        if let OwnReply::Ok(granted) | OwnReply::Continue(granted) = reply {
            self.granted(granted);
        }
    }

    fn granted(&mut self, granted: &Granted) {
        self.v = granted.v;
        self.pause = granted.pause;
        for message in &granted.messages {
            assert!(message.seq > self.seen, "a message comes once, in order");
            self.seen = message.seq;
            self.messages.push(message.clone());
        }
    }

    /// The event ids of the messages it has.
    pub(crate) fn event_ids(&self) -> Vec<&str> {
        self.messages.iter().map(|message| &*message.message.event_id).collect()
    }
}

pub(crate) fn names(held: &[Held]) -> Vec<&str> {
    held.iter().map(|held| held.id.as_str()).collect()
}

pub(crate) fn id(text: &str) -> InstanceId {
    InstanceId::new(text).expect("valid")
}

pub(crate) fn queue(text: &str) -> QueueName {
    QueueName::new(text).expect("valid")
}

pub(crate) fn workflow_name(text: &str) -> WorkflowName {
    WorkflowName::new(text).expect("valid")
}

pub(crate) fn payload(text: &str) -> Payload {
    Payload::from_bytes(text.as_bytes())
}

pub(crate) fn text(payload: &Payload) -> String {
    String::from_utf8_lossy(payload.as_bytes()).into_owned()
}

/// Version 1 of `order` on queue `q`, kept for a minute.
pub(crate) fn spec() -> InstanceSpec {
    InstanceSpec {
        workflow: workflow_name("order"),
        version: 1,
        queue: queue("q"),
        priority: 0,
        input: payload("{}"),
        seed: 7,
        start_at: None,
        keep_complete: Duration::from_secs(60),
        keep_failed: Duration::from_secs(120),
        parent: None,
    }
}

pub(crate) fn event(name: &str, channel: &str, event_id: &str) -> Send {
    let message =
        NewMessage { channel: Channel::event(channel, ""), event_id: event_id.into(), payload: payload(event_id) };
    Send { id: id(name), run: None, message }
}

pub(crate) fn write(then: Then) -> Write {
    Write { records: Vec::new(), consumed: Vec::new(), seen: 0, outgoing: Vec::new(), shifted_ms: 0, then }
}

/// Appends one record and goes on.
pub(crate) fn record(text: &str) -> Write {
    Write { records: vec![payload(text)], ..write(Then::Hold) }
}

pub(crate) fn suspend(waits: Vec<Wait>) -> Write {
    write(Then::Suspend { waits, paused: false })
}

/// Suspends because of a pause.
pub(crate) fn suspend_paused(waits: Vec<Wait>) -> Write {
    write(Then::Suspend { waits, paused: true })
}

pub(crate) fn finish(output: &str) -> Write {
    write(Then::Finish(Ending { result: Ok(payload(output)) }))
}

pub(crate) fn wait_for(channel: &str) -> Wait {
    let path = Path::root().join(Kind::Wait, channel, None, 0);
    Wait { path, channel: Some(Channel::event(channel, "")), due: None, shifts: false }
}

pub(crate) fn sleep_until(due: Timestamp) -> Wait {
    Wait { path: Path::root().join(Kind::Sleep, "nap", None, 0), channel: None, due: Some(due), shifts: true }
}
