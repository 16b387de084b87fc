//! Lists: what they look at, what they do with what is damaged, and the index of ids.

use std::collections::BTreeMap;
use std::sync::Arc;

use support::redis::RedisServer;
use workflow::journal::command::{Action, Command, Control, Create, InstanceSpec};
use workflow::journal::head::State;
use workflow::store::redis::RedisStore;
use workflow::store::{ListQuery, Page, Store, StoreError};
use workflow::words::id::{InstanceId, Namespace, RequestId, WorkflowName};
use workflow::words::time::{Clock, ManualClock, Timestamp};

use super::stage::{create, make, once, open, runtime};

/// Commands of one call of the store.
const BATCH: usize = 64;
const BAD: &str = "wf:{links:0}:i:bad";

fn id(text: &str) -> InstanceId {
    InstanceId::new(text).expect("valid")
}

fn control(name: &str, action: Action) -> Command {
    Command::Control(Control { request: RequestId::generate(), id: id(name), run: None, action })
}

async fn all(store: &RedisStore, commands: Vec<Command>) {
    for batch in commands.chunks(BATCH) {
        store.execute(0, batch.to_vec()).await.expect("they are carried out");
    }
}

async fn make_many(store: &RedisStore, name: &str, count: usize) {
    all(store, (0..count).map(|number| Command::Create(create(&format!("{name}{number:05}")))).collect()).await;
}

async fn do_to_many(store: &RedisStore, name: &str, count: usize, action: Action) {
    all(store, (0..count).map(|number| control(&format!("{name}{number:05}"), action.clone())).collect()).await;
}

fn terminate() -> Action {
    Action::Terminate { reason: "no".to_owned() }
}

fn in_state(state: State, limit: usize) -> ListQuery {
    ListQuery { state: Some(state), ..ListQuery::newest(limit) }
}

fn by_id(prefix: &str, limit: usize) -> ListQuery {
    ListQuery { id_prefix: Some(id(prefix)), ..ListQuery::newest(limit) }
}

async fn page(store: &RedisStore, query: ListQuery) -> Page {
    store.list(query).await.expect("it reads")
}

fn ids(page: &Page) -> Vec<&str> {
    page.rows.iter().map(|row| row.id.as_str()).collect()
}

/// How often each command was called since the last time this was asked.
fn commands(server: &RedisServer) -> BTreeMap<String, usize> {
    let text: String = redis::from_redis_value(server.command(&["INFO", "commandstats"])).expect("a text");
    server.command(&["CONFIG", "RESETSTAT"]);
    let read = |line: &str| {
        let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        Some((name.to_owned(), rest.split(',').next()?.parse().ok()?))
    };
    text.lines().filter_map(read).collect()
}

/// The page, and how many instances were looked at for it.
async fn looked_at(server: &RedisServer, store: &RedisStore, query: ListQuery) -> (Page, usize) {
    commands(server);
    let page = page(store, query).await;
    let asked = commands(server);
    let names: Vec<&str> = asked.keys().map(String::as_str).collect();
    let bounded = [
        "hmget",
        "zcard",
        "zrange",
        "zrangebylex",
        "zrevrangebylex",
        "evalsha",
        "script|load",
        "info",
        "config|resetstat",
    ];
    assert!(names.iter().all(|name| bounded.contains(name)), "{names:?}");
    (page, asked.get("hmget").copied().unwrap_or_default())
}

#[test]
fn what_is_rare_is_found_without_looking_through_all() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let store = open(&server.url()).await.expect("it opens");
        make_many(&store, "rare", 3).await;
        do_to_many(&store, "rare", 3, Action::Pause).await;
        make_many(&store, "other", 2_000).await;
        let (first, looked) = looked_at(&server, &store, in_state(State::Paused, 2)).await;
        assert_eq!((ids(&first), looked), (vec!["rare00002", "rare00001"], 3));
        let (last, looked) =
            looked_at(&server, &store, ListQuery { after: first.next, ..in_state(State::Paused, 2) }).await;
        assert_eq!((ids(&last), last.next.is_none(), looked), (vec!["rare00000"], true, 3));
        // What is frequent is found in the list of all.
        let (often, looked) = looked_at(&server, &store, in_state(State::Queued, 2)).await;
        assert_eq!((ids(&often).len(), looked), (2, 200));
        // Where everything is asked for no more is looked at than is shown, and one to see whether there is more.
        let (any, looked) = looked_at(&server, &store, ListQuery::newest(10)).await;
        assert_eq!((ids(&any).len(), looked), (10, 11));
    });
}

#[test]
fn what_is_neither_rare_nor_near_is_found_in_its_own_set() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let store = open(&server.url()).await.expect("it opens");
        make_many(&store, "old", 1_500).await;
        do_to_many(&store, "old", 1_500, terminate()).await;
        make_many(&store, "other", 2_000).await;
        let (first, looked) = looked_at(&server, &store, in_state(State::Terminated, 2)).await;
        assert_eq!((ids(&first), looked), (vec!["old01499", "old01498"], 1_000 + 1_500));
        let next = ListQuery { after: first.next, ..in_state(State::Terminated, 2) };
        assert_eq!(ids(&page(&store, next).await), ["old01497", "old01496"]);
    });
}

#[test]
fn where_the_look_at_one_workflow_is_broken_off_no_older_one_of_another_comes_first() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let store = open(&server.url()).await.expect("it opens");
        make_many(&store, "old", 1_100).await;
        do_to_many(&store, "old", 1_100, terminate()).await;
        let of_another = |name: &str| {
            let mut create = create(name);
            Arc::make_mut(&mut create.spec).workflow = WorkflowName::new("another").expect("valid");
            Command::Create(create)
        };
        all(&store, vec![of_another("hidden"), control("hidden", terminate())]).await;
        all(&store, (0..600).map(|number| of_another(&format!("above{number:05}"))).collect()).await;
        let found = page(&store, in_state(State::Terminated, 2)).await;
        assert_eq!(ids(&found), ["hidden", "old01099"]);
    });
}

#[test]
fn a_page_that_finds_nothing_in_ten_thousand_ends_and_says_where_to_go_on() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let store = open(&server.url()).await.expect("it opens");
        make_many(&store, "old", 10_100).await;
        do_to_many(&store, "old", 10_100, terminate()).await;
        make_many(&store, "other", 10_100).await;
        let (empty, looked) = looked_at(&server, &store, in_state(State::Terminated, 2)).await;
        assert_eq!((ids(&empty), looked), (Vec::new(), 1_000 + 10_000));
        let next = ListQuery { after: empty.next, ..in_state(State::Terminated, 2) };
        assert_eq!(ids(&page(&store, next).await), ["old10099", "old10098"]);
    });
}

/// What makes an instance unreadable, and whether it can be seen that there was one.
const HARM: [&[&str]; 4] =
    [&["HSET", BAD, "h", "short"], &["HDEL", BAD, "m"], &["HDEL", BAD, "b"], &["SET", BAD, "another type"]];

#[test]
fn a_damaged_instance_fails_no_page_and_is_shown_once() {
    for harm in HARM {
        let server = RedisServer::start();
        runtime().block_on(async {
            let store = open(&format!("{}?ids=1", server.url())).await.expect("it opens");
            for name in ["a", "bad", "c"] {
                make(&store, name).await;
                once(&store, control(name, Action::Pause)).await.expect("it is carried out");
            }
            if harm[0] == "SET" {
                server.command(&["DEL", BAD]);
            }
            server.command(harm);
            for query in [ListQuery::newest(1), in_state(State::Paused, 1), by_id("a", 1), by_id("b", 1), by_id("c", 1)]
            {
                let (mut rows, mut damaged, mut query) = (Vec::new(), Vec::new(), query);
                let prefix = query.id_prefix.clone();
                loop {
                    let page = page(&store, query.clone()).await;
                    assert!(page.rows.len() + page.damaged.len() <= 1);
                    rows.extend(page.rows.into_iter().map(|row| row.id.to_string()));
                    damaged.extend(page.damaged);
                    match page.next {
                        Some(next) => query.after = Some(next),
                        None => break,
                    }
                }
                rows.sort();
                let expected: Vec<&str> = match prefix.as_ref().map(InstanceId::as_str) {
                    None => vec!["a", "c"],
                    Some("b") => Vec::new(),
                    Some(other) => vec![other],
                };
                assert_eq!(rows, expected, "{harm:?}");
                let met = prefix.is_none_or(|prefix| prefix.as_str() == "b");
                assert_eq!(damaged.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), vec!["bad"; met.into()]);
                assert!(damaged.iter().all(|row| !row.damage.is_empty()), "{damaged:?}");
            }
        });
    }
}

#[test]
fn ids_are_kept_in_order_where_the_first_url_asked_for_it() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let store = open(&format!("{}?ids=1&partitions=3", server.url())).await.expect("it opens");
        assert!(store.lists_by_id());
        for number in 0..20 {
            let create = Command::Create(create(&format!("i{number:02}")));
            store.execute(store.partition_of(&id(&format!("i{number:02}"))), vec![create]).await.expect("made");
        }
        // Who comes later need not ask.
        let later = open(&server.url()).await.expect("it opens");
        assert!(later.lists_by_id());
        let create = Command::Create(create("i20"));
        later.execute(later.partition_of(&id("i20")), vec![create]).await.expect("made");
        let (mut found, mut query) = (Vec::new(), by_id("i", 6));
        loop {
            let page = page(&store, query.clone()).await;
            found.extend(page.rows.into_iter().map(|row| row.id.to_string()));
            match page.next {
                Some(next) => query.after = Some(next),
                None => break,
            }
        }
        assert_eq!(found, (0..21).map(|number| format!("i{number:02}")).collect::<Vec<_>>());
    });
}

#[test]
fn an_id_is_kept_from_the_first_to_the_last_moment_of_its_instance() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let clock = Arc::new(ManualClock::starting_at(Timestamp::from_millis(1_000_000)));
        let (held, namespace): (Arc<dyn Clock>, _) = (clock.clone(), Namespace::new("links").expect("valid"));
        let url = format!("{}?ids=1", server.url());
        let store = RedisStore::open_with(&url, &namespace, Some(held)).await.expect("it opens");
        let now = create("a");
        let spec = InstanceSpec { start_at: Some(clock.now().shifted(1_000)), ..(*now.spec).clone() };
        let later = Create { spec: Arc::new(spec), ..create("b") };
        all(&store, vec![Command::Create(now), Command::Create(later)]).await;
        let kept = || -> Vec<String> {
            redis::from_redis_value(server.command(&["ZRANGE", "wf:{links:0}:ids", "0", "-1"])).expect("ids")
        };
        assert_eq!(kept(), ["a", "b"]);
        all(&store, vec![control("a", terminate()), control("a", Action::Delete)]).await;
        once(&store, Command::Expire { limit: 10 }).await.expect("it works");
        assert_eq!(kept(), ["b"]);
    });
}

#[test]
fn ids_are_not_kept_unless_the_first_url_asked_for_it() {
    let server = RedisServer::start();
    runtime().block_on(async {
        let store = open(&server.url()).await.expect("it opens");
        make(&store, "a").await;
        assert!(!store.lists_by_id());
        match store.list(by_id("a", 1)).await {
            Err(StoreError::Refused { message, .. }) => assert!(message.contains("ids=1"), "{message}"),
            other => panic!("{other:?}"),
        }
        let kept: i64 = redis::from_redis_value(server.command(&["EXISTS", "wf:{links:0}:ids"])).expect("a number");
        assert_eq!(kept, 0);
        match open(&format!("{}?ids=1", server.url())).await {
            Err(StoreError::Refused { message, .. }) => {
                assert!(message.contains("leave the option out") && message.contains("new namespace"), "{message}");
            }
            other => panic!("{other:?}"),
        }
    });
}
