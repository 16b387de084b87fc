//! TLS: a server that speaks nothing else, whose certificate is checked, and which may check ours.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::Path;

use support::prelude::*;
use support::proxy::Proxy;
use support::redis::RedisServer;
use support::tls::{Authority, Identity, escaped};
use workflow::store::StoreError;

use super::stage::{open, runtime};

/// How these servers are known to be.
const NAMES: [&str; 2] = ["localhost", "127.0.0.1"];

#[workflow]
async fn hums(#[resource] witness: &Witness) -> workflow::Result<u64> {
    let first = step!("first", witness.ok("first", 1)).await?;
    sleep(10ms).await;
    let go = wait_for::<Go>("go").await;
    let second = step!("second", witness.ok("second", 2)).await?;
    Ok(first + second + go.number)
}

/// The url of a server on a port, with the options for TLS.
fn url(port: u16, options: &[(&str, &Path)]) -> String {
    let options: Vec<_> = options.iter().map(|(name, path)| format!("{name}={}", escaped(path))).collect();
    format!("rediss://127.0.0.1:{port}/?{}", options.join("&"))
}

/// Opens a store that must be refused, and gives the words.
fn refused(url: &str) -> String {
    match runtime().block_on(open(url)) {
        Err(StoreError::Refused { message, .. }) => message,
        other => panic!("{url} was not refused: {other:?}"),
    }
}

/// Opens a store by a url that is wrong, and gives the words.
fn no_url(url: &str) -> String {
    match runtime().block_on(open(url)) {
        Err(StoreError::Url { message }) => message,
        other => panic!("{url} was not refused: {other:?}"),
    }
}

fn server(authority: &Authority) -> (RedisServer, Identity) {
    let identity = authority.sign("server", &NAMES);
    (RedisServer::start_on_tls(&identity, &[]), identity)
}

#[test]
fn a_workflow_runs_over_tls_and_goes_on_when_the_wire_is_cut() {
    let authority = Authority::new();
    let (server, _) = server(&authority);
    let proxy = Proxy::to(server.port());
    let url = url(proxy.port(), &[("ca", authority.ca())]);
    let witness = Witness::default();
    runtime().block_on(async {
        let builder = Engine::builder().store(&url).resource(witness.clone()).only::<hums>();
        let engine = builder.start().await.expect("it starts");
        let instance = hums::create(&engine).id("one").await.expect("it is created");
        wait::state(&instance, State::Waiting).await;
        // Scripts, reads, hints, and the heart: nobody comes by another way.
        let clients = wait::until("four connections", async || {
            let list: String = redis::from_redis_value(server.command(&["CLIENT", "LIST"])).expect("a list");
            let ours: Vec<String> =
                list.lines().filter(|line| line.contains(" name=workflow ")).map(str::to_owned).collect();
            (ours.len() == 4).then_some(ours)
        })
        .await;
        assert!(
            clients.iter().all(|line| line.contains(&format!(" laddr=127.0.0.1:{} ", server.port()))),
            "{clients:?}"
        );
        assert_eq!(clients.iter().filter(|line| line.contains(" sub=1 ")).count(), 1, "{clients:?}");
        proxy.cut();
        instance.send(Go { number: 4 }).id("go").await.expect("it comes back by itself");
        assert_eq!(instance.result().await.expect("it ends"), 7);
        engine.shutdown(wait::PATIENCE).await;
    });
    assert_eq!(witness.notes(), ["first", "second"]);
}

#[test]
fn a_server_whose_authority_is_not_named_is_refused_with_what_to_write() {
    let authority = Authority::new();
    let (server, _) = server(&authority);
    for url in [url(server.port(), &[("ca", Authority::new().ca())]), format!("rediss://127.0.0.1:{}", server.port())] {
        let words = refused(&url);
        assert!(words.contains("?ca=/path/ca.pem"), "{words}");
    }
    let odd = authority.ca().with_file_name("a b+c%&é?#.pem");
    fs::copy(authority.ca(), &odd).expect("the folder can be written");
    let with_a_plus = authority.ca().with_file_name("a+b.pem");
    fs::copy(authority.ca(), &with_a_plus).expect("the folder can be written");
    let as_it_is = format!("rediss://127.0.0.1:{}/?ca={}", server.port(), with_a_plus.display());
    for url in [url(server.port(), &[("ca", authority.ca())]), url(server.port(), &[("ca", &odd)]), as_it_is] {
        runtime().block_on(open(&url)).expect("its authority is named");
    }
}

#[test]
fn a_server_of_another_name_or_with_an_expired_certificate_is_refused() {
    let authority = Authority::new();
    let other = RedisServer::start_on_tls(&authority.sign("other", &["elsewhere.example"]), &[]);
    let words = refused(&url(other.port(), &[("ca", authority.ca())]));
    assert!(words.contains("for another name"), "{words}");
    let old = RedisServer::start_on_tls(&authority.sign_until("old", &NAMES, 2020), &[]);
    let words = refused(&url(old.port(), &[("ca", authority.ca())]));
    assert!(words.contains("expired"), "{words}");
}

#[test]
fn a_server_that_asks_for_a_certificate_is_given_one() {
    let authority = Authority::new();
    let server = RedisServer::start_on_tls(&authority.sign("server", &NAMES), &[("tls-auth-clients", "yes")]);
    let client = authority.sign("client", &["a client"]);
    let with = |client: &Identity| {
        url(server.port(), &[("ca", authority.ca()), ("cert", client.cert()), ("key", client.key())])
    };
    let witness = Witness::default();
    runtime().block_on(async {
        let builder = Engine::builder().store(with(&client)).resource(witness.clone()).only::<hums>();
        let engine = builder.start().await.expect("it starts");
        let instance = hums::create(&engine).await.expect("it is created");
        instance.send(Go { number: 0 }).await.expect("it is sent");
        assert_eq!(instance.result().await.expect("it ends"), 3);
    });
    let words = refused(&url(server.port(), &[("ca", authority.ca())]));
    assert!(words.contains("?cert=/path/client.pem&key="), "{words}");
    let elsewhere = Authority::new();
    let words = refused(&with(&elsewhere.sign("stranger", &["a client"])));
    assert!(words.contains("does not accept the url's cert"), "{words}");
}

#[test]
fn a_port_that_does_not_speak_what_the_url_says_is_told_apart() {
    let authority = Authority::new();
    let (server, _) = server(&authority);
    match runtime().block_on(open(&format!("redis://127.0.0.1:{}", server.port()))) {
        Err(StoreError::Unavailable { message, .. }) => assert!(message.contains("write rediss://"), "{message}"),
        other => panic!("{other:?}"),
    }
    let plain = RedisServer::start_on_tcp(&[]);
    match runtime().block_on(open(&url(plain.port(), &[("ca", authority.ca())]))) {
        Err(StoreError::Unavailable { message, .. }) => assert!(message.contains("write redis://"), "{message}"),
        other => panic!("{other:?}"),
    }
    // Another server may say at once that it does not understand.
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("there is a free port");
    let port = listener.local_addr().expect("it is bound").port();
    let answering = std::thread::spawn(move || {
        for stream in listener.incoming().take(2) {
            drop(stream.and_then(|mut stream| stream.write_all(b"-ERR what?\r\n").map(|()| stream)));
        }
    });
    let words = refused(&url(port, &[("ca", authority.ca())]));
    assert!(words.contains("does not speak TLS"), "{words}");
    answering.join().expect("both connections were answered");
}

#[test]
fn files_that_are_missing_or_something_else_are_named_before_anything_connects() {
    let authority = Authority::new();
    let (one, two) = (authority.sign("one", &NAMES), authority.sign("two", &NAMES));
    let folder = tempfile::tempdir().expect("a folder");
    let (missing, empty, text) =
        (folder.path().join("missing"), folder.path().join("empty"), folder.path().join("text"));
    fs::write(&empty, "").expect("it can be written");
    fs::write(&text, "s3cret, and no certificate").expect("it can be written");
    let ca = ("ca", authority.ca());
    for (options, part) in [
        (vec![("ca", missing.as_path())], "missing, cannot be read"),
        (vec![("ca", folder.path())], "cannot be read"),
        (vec![("ca", empty.as_path())], "empty, holds no certificate in PEM form"),
        (vec![("ca", text.as_path())], "text, holds no certificate in PEM form"),
        (vec![("ca", one.key())], "holds no certificate in PEM form"),
        (vec![ca, ("cert", one.cert())], "a cert and no key"),
        (vec![ca, ("key", one.key())], "a key and no cert"),
        (vec![ca, ("cert", missing.as_path()), ("key", one.key())], "the url's cert, "),
        (vec![ca, ("cert", one.cert()), ("key", missing.as_path())], "missing, cannot be read"),
        (vec![ca, ("cert", one.cert()), ("key", one.cert())], "holds no private key in PEM form"),
        (vec![ca, ("cert", one.cert()), ("key", two.key())], "is not the key of cert"),
    ] {
        // Nobody listens there, and nobody is asked.
        let words = no_url(&url(1, &options));
        assert!(words.contains(part), "{part}: {words}");
        assert!(!words.contains("s3cret"), "{words}");
    }
}
