//! What was found may be out of date: between the call that looks and the call that decides, another store acts.
//!
//! The answer to the look is held back on the wire until the other store has acted. On a machine so slow that it has
//! not, nothing is shown and nothing fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use support::proxy::Proxy;
use support::redis::RedisServer;
use workflow::journal::command::{
    Action, Claim, ClaimReply, Command, Control, Create, Ending, InstanceSpec, OwnReply, Owner, OwnerWrite, Parent,
    ParentClose, Reply, Then, Wait, Write,
};
use workflow::journal::head::Place;
use workflow::journal::lease::LimitName;
use workflow::journal::path::{Kind, Path};
use workflow::store::Store;
use workflow::store::redis::RedisStore;
use workflow::words::id::{InstanceId, Namespace, QueueName, RequestId, SessionId, WorkflowName};
use workflow::words::payload::Payload;
use workflow::words::time::{Clock, ManualClock, Timestamp};

use super::stage::{LEASE, create, event, once, runtime, scripts_run};

const SLOW: SessionId = SessionId(1);
const QUICK: SessionId = SessionId(2);
/// The number of the next claim: each is newer than those before.
static CLAIMS: AtomicU64 = AtomicU64::new(1);
/// How long what the server says to the slow store is held back.
const HELD_BACK: Duration = Duration::from_millis(700);

/// Two stores on one server, one of them behind a wire.
struct Two {
    server: RedisServer,
    proxy: Proxy,
    clock: Arc<ManualClock>,
    slow: RedisStore,
    quick: RedisStore,
}

impl Two {
    async fn new() -> Self {
        let server = RedisServer::start_on_tcp(&[]);
        let proxy = Proxy::to(server.port());
        let clock = Arc::new(ManualClock::starting_at(Timestamp::from_millis(1_000_000_000)));
        let namespace = Namespace::new("links").expect("valid");
        let open = async |url: String| {
            let clock: Arc<dyn Clock> = clock.clone();
            RedisStore::open_with(&url, &namespace, Some(clock)).await.expect("it opens")
        };
        let slow = open(format!("redis://127.0.0.1:{}", proxy.port())).await;
        let quick = open(server.url()).await;
        for session in [SLOW, QUICK] {
            once(&quick, Command::OpenSession { session, lease: LEASE }).await.expect("it opens");
        }
        // The server knows every script: a look that it does not know is asked twice.
        let unstick = Command::Unstick { older_than: Duration::ZERO, limit: 1 };
        for command in [Command::WakeDue { limit: 1 }, Command::Expire { limit: 1 }, unstick] {
            once(&slow, command).await.expect("it works");
        }
        for (store, session) in [(&slow, SLOW), (&quick, QUICK)] {
            assert_eq!(claim(store, session).await, []);
        }
        Self { server, proxy, clock, slow, quick }
    }

    /// Lets the slow store look, the other one act, and the slow one decide.
    async fn act_in_between<T>(&self, slow: impl Future<Output = T>, act: impl AsyncFnOnce(&RedisStore)) -> T {
        let before = scripts_run(&self.server);
        self.proxy.delay(HELD_BACK);
        let acting = async {
            support::wait::until("the look", async || (scripts_run(&self.server) > before).then_some(())).await;
            act(&self.quick).await;
            self.proxy.delay(Duration::ZERO);
        };
        let (answer, ()) = tokio::join!(slow, acting);
        answer
    }
}

fn new_claim(session: SessionId) -> Claim {
    Claim {
        session,
        number: CLAIMS.fetch_add(1, Ordering::Relaxed),
        limit: 10,
        queues: vec![QueueName::new("default").expect("valid")].into(),
        known: vec![(WorkflowName::new("order").expect("valid"), 1)].into(),
        quotas: Vec::new(),
        limits: Vec::new(),
    }
}

async fn claim(store: &RedisStore, session: SessionId) -> Vec<Owner> {
    claim_as(store, new_claim(session)).await
}

async fn claim_as(store: &RedisStore, claim: Claim) -> Vec<Owner> {
    let session = claim.session;
    match once(store, Command::Claim(claim)).await.expect("it works") {
        Reply::Claim(ClaimReply::Given { instances, .. }) => {
            instances.into_iter().map(|given| Owner { id: given.id, session, run: given.run, v: given.v }).collect()
        }
        other => panic!("{other:?}"),
    }
}

/// How many a claim is given, and whether others were faster with some.
async fn race(store: &RedisStore, session: SessionId) -> (usize, bool) {
    match once(store, Command::Claim(new_claim(session))).await.expect("it works") {
        Reply::Claim(ClaimReply::Given { instances, raced, .. }) => (instances.len(), raced),
        other => panic!("{other:?}"),
    }
}

async fn own(store: &RedisStore, owner: Owner, then: Then) {
    let write = Write { records: Vec::new(), consumed: Vec::new(), seen: 0, outgoing: Vec::new(), shifted_ms: 0, then };
    let own = OwnerWrite { request: RequestId::generate(), owner, write };
    let reply = once(store, Command::Own(own)).await.expect("it works");
    assert!(matches!(reply, Reply::Own(OwnReply::Ok(_))), "{reply:?}");
}

async fn place(store: &RedisStore, id: &InstanceId) -> Option<Place> {
    store.inspect(id.clone()).await.expect("it reads").map(|found| found.head.place)
}

fn changed(id: &str, change: impl FnOnce(&mut InstanceSpec)) -> Command {
    let create = create(id);
    let mut spec = (*create.spec).clone();
    change(&mut spec);
    Command::Create(Create { spec: Arc::new(spec), ..create })
}

#[test]
fn what_another_session_has_taken_meanwhile_is_not_given_twice() {
    runtime().block_on(async {
        let two = Two::new().await;
        once(&two.quick, Command::Create(create("a"))).await.expect("it works");
        let given = two
            .act_in_between(race(&two.slow, SLOW), async |quick| assert_eq!(race(quick, QUICK).await, (1, false)))
            .await;
        assert_eq!(given, (0, true), "and is told why");
        let held = place(&two.quick, &InstanceId::new("a").expect("valid")).await;
        assert!(matches!(held, Some(Place::Held { session: QUICK, .. })), "{held:?}");
    });
}

#[test]
fn a_claim_that_its_own_copy_overtook_is_given_the_same() {
    runtime().block_on(async {
        let two = Two::new().await;
        once(&two.quick, Command::Create(create("a"))).await.expect("it works");
        let claim = new_claim(QUICK);
        let copy = claim.clone();
        let given = two
            .act_in_between(claim_as(&two.slow, claim), async |quick| {
                assert_eq!(claim_as(quick, copy).await.len(), 1);
            })
            .await;
        assert_eq!(given.len(), 1, "it looks again, and finds what the copy was given");
    });
}

#[test]
fn a_session_that_ended_meanwhile_is_given_nothing() {
    runtime().block_on(async {
        let two = Two::new().await;
        once(&two.quick, Command::Create(create("a"))).await.expect("it works");
        let claim = Command::Claim(new_claim(SLOW));
        let end = async |quick: &RedisStore| {
            once(quick, Command::CloseSession { session: SLOW }).await.expect("it closes");
        };
        let told = two.act_in_between(once(&two.slow, claim), end).await.expect("it is answered");
        assert_eq!(told, Reply::Claim(ClaimReply::Fenced));
        let ready = place(&two.quick, &InstanceId::new("a").expect("valid")).await;
        assert!(matches!(ready, Some(Place::Ready { .. })), "{ready:?}");
    });
}

#[test]
fn what_sleeps_again_meanwhile_is_not_woken() {
    runtime().block_on(async {
        let two = Two::new().await;
        let now = two.clock.now();
        let create = changed("a", |spec| spec.start_at = Some(now.shifted(1_000)));
        once(&two.quick, create).await.expect("it works");
        two.clock.advance(Duration::from_secs(2));
        let sleep_on = async |quick: &RedisStore| {
            once(quick, Command::WakeDue { limit: 10 }).await.expect("it works");
            let owner = claim(quick, QUICK).await.remove(0);
            let path = Path::root().join(Kind::Sleep, "s", None, 0);
            let wait = Wait { path, channel: None, due: Some(now.shifted(3_600_000)), shifts: false };
            own(quick, owner, Then::Suspend { waits: vec![wait], paused: false }).await;
        };
        two.act_in_between(once(&two.slow, Command::WakeDue { limit: 10 }), sleep_on).await.expect("it works");
        let asleep = place(&two.quick, &InstanceId::new("a").expect("valid")).await;
        assert!(matches!(asleep, Some(Place::Asleep { .. })), "{asleep:?}");
    });
}

#[test]
fn an_old_run_that_a_clock_set_back_meanwhile_keeps_is_deleted_later() {
    runtime().block_on(async {
        let two = Two::new().await;
        once(&two.quick, Command::Create(create("a"))).await.expect("it works");
        let id = InstanceId::new("a").expect("valid");
        let control = Control { request: RequestId::generate(), id, run: None, action: Action::Restart };
        once(&two.quick, Command::Control(control)).await.expect("it works");
        let expire = || Command::Expire { limit: 10 };
        two.clock.advance(Duration::from_secs(61));
        let set_back = async |_: &RedisStore| two.clock.set_back(Duration::from_secs(30));
        let kept = two.act_in_between(once(&two.slow, expire()), set_back).await.expect("it works");
        assert_eq!(kept, Reply::Count { done: 0, next_due: None });
        two.clock.advance(Duration::from_secs(30));
        let deleted = once(&two.quick, expire()).await.expect("it works");
        assert_eq!(deleted, Reply::Count { done: 1, next_due: None });
    });
}

#[test]
fn what_came_into_an_inbox_anew_meanwhile_stays_in_it() {
    runtime().block_on(async {
        let two = Two::new().await;
        once(&two.quick, Command::Create(create("a"))).await.expect("it works");
        let sleep_and_wake = async |quick: &RedisStore| {
            let owner = claim(quick, QUICK).await.remove(0);
            let path = Path::root().join(Kind::Sleep, "s", None, 0);
            let wait = Wait { path, channel: None, due: Some(two.clock.now().shifted(1)), shifts: false };
            own(quick, owner, Then::Suspend { waits: vec![wait], paused: false }).await;
            two.clock.advance(Duration::from_millis(1));
            once(quick, Command::WakeDue { limit: 10 }).await.expect("it works");
        };
        sleep_and_wake(&two.quick).await;
        two.clock.advance(Duration::from_secs(2));
        let unstick = Command::Unstick { older_than: Duration::from_secs(1), limit: 10 };
        two.act_in_between(once(&two.slow, unstick), sleep_and_wake).await.expect("it works");
        let woken = place(&two.quick, &InstanceId::new("a").expect("valid")).await;
        assert!(matches!(woken, Some(Place::Inbox { .. })), "{woken:?}");
    });
}

#[test]
fn what_has_ended_anew_meanwhile_and_has_not_told_its_parent_is_not_deleted() {
    runtime().block_on(async {
        let two = Two::new().await;
        let id = InstanceId::new("a").expect("valid");
        let parent = InstanceId::new("p").expect("valid");
        let create = changed("a", |spec| {
            spec.parent = Some(Parent { id: parent, run: 1, on_close: ParentClose::Terminate });
        });
        once(&two.quick, create).await.expect("it works");
        let end = || Then::Finish(Ending { result: Ok(Payload::from_bytes(*b"1")) });
        own(&two.quick, claim(&two.quick, QUICK).await.remove(0), end()).await;
        let sent = Command::Sent { source: id.clone(), numbers: vec![1] };
        once(&two.quick, sent).await.expect("it works");
        two.clock.advance(Duration::from_secs(10 * 365 * 24 * 3_600));
        let end_anew = async |quick: &RedisStore| {
            once(quick, Command::OpenSession { session: QUICK, lease: LEASE }).await.expect("it works");
            let restart =
                Control { request: RequestId::generate(), id: id.clone(), run: None, action: Action::Restart };
            once(quick, Command::Control(restart)).await.expect("it works");
            own(quick, claim(quick, QUICK).await.remove(0), end()).await;
            // Its retention passes, and its parent has still not heard.
            two.clock.advance(Duration::from_secs(10 * 365 * 24 * 3_600));
        };
        two.act_in_between(once(&two.slow, Command::Expire { limit: 10 }), end_anew).await.expect("it works");
        let kept = place(&two.quick, &id).await;
        assert!(matches!(kept, Some(Place::Done { .. })), "{kept:?}");
    });
}

#[test]
fn what_was_woken_for_another_session_meanwhile_stays_in_its_inbox() {
    runtime().block_on(async {
        let two = Two::new().await;
        let id = InstanceId::new("a").expect("valid");
        let wait = || {
            let path = Path::root().join(Kind::Sleep, "s", None, 0);
            let due = Some(two.clock.now().shifted(1_000));
            Then::Suspend { waits: vec![Wait { path, channel: None, due, shifts: false }], paused: false }
        };
        let wake = async |quick: &RedisStore| {
            two.clock.advance(Duration::from_secs(2));
            once(quick, Command::WakeDue { limit: 10 }).await.expect("it works");
        };
        once(&two.quick, Command::Create(create("a"))).await.expect("it works");
        own(&two.quick, claim(&two.quick, SLOW).await.remove(0), wait()).await;
        wake(&two.quick).await;
        // It is found in the inbox, and there is no token for it.
        let none_left = vec![(LimitName::Workflow(WorkflowName::new("order").expect("valid")), 0)];
        let claim_of_slow = Claim { limits: none_left, ..new_claim(SLOW) };
        let goes_to_another = async |quick: &RedisStore| {
            once(quick, Command::Unstick { older_than: Duration::ZERO, limit: 10 }).await.expect("it works");
            own(quick, claim(quick, QUICK).await.remove(0), wait()).await;
            wake(quick).await;
        };
        assert_eq!(two.act_in_between(claim_as(&two.slow, claim_of_slow), goes_to_another).await, []);
        let place = place(&two.quick, &id).await;
        assert!(matches!(place, Some(Place::Inbox { session: QUICK, .. })), "{place:?}");
    });
}

#[test]
fn what_begins_anew_meanwhile_needs_a_start_of_its_queue() {
    runtime().block_on(async {
        let two = Two::new().await;
        let id = InstanceId::new("a").expect("valid");
        once(&two.quick, Command::Create(create("a"))).await.expect("it works");
        own(&two.quick, claim(&two.quick, QUICK).await.remove(0), Then::Release).await;
        // What has begun needs none, and is found.
        let none_left = vec![(LimitName::Queue(QueueName::new("default").expect("valid")), 0)];
        let claim = Claim { limits: none_left, ..new_claim(SLOW) };
        let begin_anew = async |quick: &RedisStore| {
            let restart =
                Control { request: RequestId::generate(), id: id.clone(), run: None, action: Action::Restart };
            once(quick, Command::Control(restart)).await.expect("it works");
        };
        assert_eq!(two.act_in_between(claim_as(&two.slow, claim), begin_anew).await, []);
        let ready = place(&two.quick, &id).await;
        assert!(matches!(ready, Some(Place::Ready { .. })), "{ready:?}");
    });
}

#[test]
fn of_what_begins_anew_meanwhile_no_more_is_given_than_there_are_starts() {
    runtime().block_on(async {
        let two = Two::new().await;
        let ids = ["a", "b"].map(|id| InstanceId::new(id).expect("valid"));
        for id in ["a", "b"] {
            once(&two.quick, Command::Create(create(id))).await.expect("it works");
        }
        for owner in claim(&two.quick, QUICK).await {
            own(&two.quick, owner, Then::Release).await;
        }
        let one_left = vec![(LimitName::Queue(QueueName::new("default").expect("valid")), 1)];
        let claim = Claim { limits: one_left, ..new_claim(SLOW) };
        let begin_anew = async |quick: &RedisStore| {
            for id in ids.clone() {
                let restart = Control { request: RequestId::generate(), id, run: None, action: Action::Restart };
                once(quick, Command::Control(restart)).await.expect("it works");
            }
        };
        let given = two.act_in_between(claim_as(&two.slow, claim), begin_anew).await;
        assert_eq!(given.len(), 1, "{given:?}");
    });
}

#[test]
fn a_notice_is_for_who_holds_the_instance_by_then() {
    runtime().block_on(async {
        let two = Two::new().await;
        once(&two.quick, Command::Create(create("a"))).await.expect("it works");
        let owner = claim(&two.quick, SLOW).await.pop().expect("it is given");
        once(&two.quick, event("a", "e1")).await.expect("it works");
        let change_hands = async |quick: &RedisStore| {
            own(quick, owner, Then::Release).await;
            assert_eq!(claim(quick, QUICK).await.len(), 1);
            once(quick, event("a", "e2")).await.expect("it works");
        };
        assert_eq!(two.act_in_between(notices(&two.slow, SLOW), change_hands).await, []);
        assert_eq!(notices(&two.quick, QUICK).await, [InstanceId::new("a").expect("valid")]);
    });
}

/// Of which instances a claim says that something came for them.
async fn notices(store: &RedisStore, session: SessionId) -> Vec<InstanceId> {
    match once(store, Command::Claim(new_claim(session))).await.expect("it works") {
        Reply::Claim(ClaimReply::Given { notices, .. }) => notices,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_of_another_workflow_meanwhile_needs_a_token_of_that() {
    for tokens in [0, 1] {
        runtime().block_on(made_anew_where_tokens_are_left(tokens));
    }
}

/// Two that were found are deleted, and made anew of a workflow of which so few more may be held.
async fn made_anew_where_tokens_are_left(tokens: u32) {
    let two = Two::new().await;
    let ids = ["a", "b"];
    let limited = WorkflowName::new("limited").expect("valid");
    for id in ids {
        let made = changed(id, |spec| spec.keep_failed = Duration::ZERO);
        once(&two.quick, made).await.expect("it works");
    }
    let claim = Claim {
        known: vec![(WorkflowName::new("order").expect("valid"), 1), (limited.clone(), 1)].into(),
        limits: vec![(LimitName::Workflow(limited.clone()), tokens)],
        ..new_claim(SLOW)
    };
    let make_anew = async |quick: &RedisStore| {
        for id in ids {
            let (action, at) = (Action::Terminate { reason: String::new() }, InstanceId::new(id).expect("valid"));
            let end = Control { request: RequestId::generate(), id: at, run: None, action };
            once(quick, Command::Control(end)).await.expect("it works");
        }
        once(quick, Command::Expire { limit: 10 }).await.expect("it works");
        for id in ids {
            let Command::Create(anew) = changed(id, |spec| spec.workflow = limited.clone()) else { unreachable!() };
            let anew = Create { request: RequestId::generate(), ..anew };
            once(quick, Command::Create(anew)).await.expect("it works");
        }
    };
    let given = two.act_in_between(claim_as(&two.slow, claim), make_anew).await;
    assert_eq!(given.len(), tokens as usize, "{given:?}");
    let last = place(&two.quick, &InstanceId::new("b").expect("valid")).await;
    assert!(matches!(last, Some(Place::Ready { .. })), "{last:?}");
}
