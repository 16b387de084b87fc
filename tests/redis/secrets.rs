//! A password is shown nowhere: in no error, in no form of it, and in no line of the log, whatever is refused.

use std::error::Error;
use std::fmt::Write as _;
use std::net::TcpListener;

use support::prelude::*;
use support::redis::RedisServer;
use support::tls::Authority;

use super::stage::runtime;
use super::start::logged;

/// What must not be seen, and how it is written in a url: with what must be escaped there.
const SECRET: &str = "s3cr3t@/pass";
const ESCAPED: &str = "s3cr3t%40%2Fpass";
/// What of it is looked for.
const MARK: &str = "s3cr3t";

#[workflow]
async fn waits() -> u64 {
    wait_for::<Go>("go").await.number
}

/// Everything that can be seen of an error.
fn shown(error: &(dyn Error + 'static)) -> String {
    let mut text = format!("{error} {error:?} {error:#?}");
    let mut at = error.source();
    while let Some(source) = at {
        write!(text, " {source} {source:?}").expect("a text can be written");
        at = source.source();
    }
    text
}

/// Tries to start on a url that is refused; what is shown and logged of it.
fn refused(url: &str) -> String {
    let mut seen = String::new();
    let logged = logged(|| {
        let builder = Engine::builder().store(url).namespace("shop").patience(Duration::from_secs(1)).only::<waits>();
        seen = format!("{builder:?}");
        let error = runtime().block_on(builder.start()).expect_err("it is refused");
        seen.push_str(&shown(&error));
    });
    seen + &logged
}

/// A server whose default user has the password.
fn server(settings: &[(&str, &str)]) -> RedisServer {
    let server = RedisServer::start_on_tcp(settings);
    server.command(&["ACL", "SETUSER", "app", "on", &format!(">{SECRET}"), "~*", "&*", "+@all"]);
    server
}

#[test]
fn no_refusal_shows_the_password_of_the_url() {
    let silent = TcpListener::bind(("127.0.0.1", 0)).expect("there is a free port");
    let deaf = silent.local_addr().expect("it is bound").port();
    let (good, evicting) = (server(&[]), server(&[("maxmemory", "100mb"), ("maxmemory-policy", "allkeys-lru")]));
    let replica = server(&[]);
    replica.command(&["REPLICAOF", "127.0.0.1", "1"]);
    let newer = server(&[]);
    newer.command(&["HSET", "wf:{shop}:meta", "schema", "999", "partitions", "1"]);
    let weak = server(&[]);
    weak.command(&["ACL", "SETUSER", "app", "-zadd"]);
    let deprived = server(&[]);
    deprived.command(&["ACL", "SETUSER", "app", "-evalsha"]);
    let authority = Authority::new();
    let tls = RedisServer::start_on_tls(&authority.sign("server", &["127.0.0.1"]), &[]);
    let at = |port: u16| format!("redis://app:{ESCAPED}@127.0.0.1:{port}");
    let socket = |rest: &str| format!("unix:///no/such.sock?user=app&pass={ESCAPED}{rest}");
    let urls = [
        // Of the server.
        at(evicting.port()),
        at(replica.port()),
        at(newer.port()),
        at(weak.port()),
        at(deprived.port()),
        at(good.port()).replace("app:", "nobody:"),
        at(good.port()).replace(ESCAPED, &format!("{ESCAPED}2")),
        format!("{}/9999", at(good.port())),
        // Of the way to it.
        at(1),
        at(deaf),
        at(tls.port()),
        at(tls.port()).replace("redis:", "rediss:"),
        format!("{}?ca=/no/such.pem", at(1).replace("redis:", "rediss:")),
        at(1).replace("127.0.0.1", "no-such-host.invalid"),
        socket(""),
        // Of the url.
        socket("&partitions=0"),
        socket("&passwort=1"),
        format!("{}?partitions=none", at(1)),
        format!("{}?pass={ESCAPED}", at(1)),
        format!("{}/{ESCAPED}", at(1)),
        format!("{}#{ESCAPED}", at(1)),
        format!("redis://app:{SECRET}@127.0.0.1:1"),
        format!("redis://127.0.0.1:{ESCAPED}"),
        format!("redis://{ESCAPED}@127.0.0.1"),
        format!("mysql://app:{ESCAPED}@127.0.0.1/db"),
        format!("app:{ESCAPED}@127.0.0.1"),
        format!("sqlite:a?key={ESCAPED}"),
        format!("sqlite:a?synchronous={ESCAPED}"),
    ];
    for url in urls {
        let seen = refused(&url);
        assert!(!seen.contains(MARK), "{seen}");
    }
}

#[test]
fn an_engine_that_runs_does_not_show_it_either() {
    let mut server = server(&[("appendonly", "yes")]);
    let url = format!("redis://app:{ESCAPED}@127.0.0.1:{}", server.port());
    let mut seen = String::new();
    let logged = logged(|| {
        runtime().block_on(async {
            let builder = Engine::builder().store(&url).patience(Duration::from_millis(500)).only::<waits>();
            let engine = builder.start().await.expect("it starts");
            let instance = waits::create(&engine).id("one").await.expect("it is created");
            write!(seen, "{engine:?} {instance:?} {:?} {}", engine.describe(), engine.describe()).expect("a text");
            server.kill();
            let error = instance.status().await.expect_err("the server is gone");
            seen.push_str(&shown(&error));
            let error = instance.send(Go { number: 1 }).await.expect_err("the server is gone");
            seen.push_str(&shown(&error));
            // Of another password now: every connection is refused.
            server.restart();
            let health = wait::until("an error", async || (!engine.health().store.answering).then(|| engine.health()));
            write!(seen, "{:?}", health.await).expect("a text");
        });
    });
    assert!(!seen.contains(MARK), "{seen}");
    assert!(!logged.contains(MARK), "{logged}");
    assert!(logged.contains("the engine has started"), "{logged}");
}
