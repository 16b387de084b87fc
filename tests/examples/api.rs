//! The API server and its worker: two programs on one store, and the demo that asks them everything.

use support::redis::RedisServer;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::program::{Program, block_on, run_in};

/// What the demo prints, but for the first line.
const DEMO: &str = include_str!("api_demo.txt");

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder can be made")
}

#[test]
fn the_demo_gets_the_same_answers_on_each_store_and_stops_both_programs() {
    for (argument, name) in [("sqlite", "Sqlite"), ("redis", "Redis")] {
        let printed = run_in(folder().path(), "api_demo", &[argument]).succeeded();
        assert_eq!(printed, format!("a server and a worker are ready, on {name}\n{DEMO}"));
    }
}

#[test]
fn a_server_ends_when_it_is_told_to_also_while_somebody_watches() {
    block_on(async {
        let folder = folder();
        let mut server =
            Program::start(folder.path(), "api_server", &["--store", "sqlite:api.db", "--listen", "127.0.0.1:0"]);
        let address = server.says("server is ready at ").await;
        create_order(&address).await;
        // Nobody runs the order, so this would never end by itself.
        let mut stream = send(&address, "GET /orders/order-1/watch HTTP/1.1\r\nhost: x\r\n\r\n").await;
        read_until(&mut stream, "event: queued").await;
        server.signal("TERM");
        server.says("server has stopped").await;
        assert_eq!(server.ends().await, Some(0));
    });
}

#[test]
fn a_worker_ends_when_it_is_told_to() {
    block_on(async {
        let folder = folder();
        for signal in ["TERM", "INT"] {
            let mut worker = Program::start(folder.path(), "api_worker", &["--store", "sqlite:api.db"]);
            worker.says("worker is ready").await;
            worker.signal(signal);
            worker.says("worker has stopped").await;
            assert_eq!(worker.ends().await, Some(0), "{signal}");
        }
    });
}

#[test]
fn a_server_and_a_worker_without_a_store_say_what_to_name() {
    for program in ["api_server", "api_worker"] {
        let ended = run_in(folder().path(), program, &[]);
        assert!(ended.code() == Some(1) && ended.stderr.contains("WORKFLOW_STORE"), "{ended:?}");
    }
}

#[test]
fn the_demo_stops_what_it_started_when_it_is_interrupted() {
    block_on(async {
        let folder = folder();
        for store in ["sqlite", "redis"] {
            let mut demo = Program::start(folder.path(), "api_demo", &[store]);
            demo.says("a server and a worker are ready").await;
            // Wherever it is then, in the middle or through, it stops both programs.
            demo.signal("INT");
            assert_eq!(demo.says("server: ").await, "exit status: 0");
            assert_eq!(demo.says("worker: ").await, "exit status: 0");
            assert!(demo.ends().await.is_some(), "it ended by itself");
        }
        let left = std::fs::read_dir(folder.path()).expect("the folder is there").count();
        assert_eq!(left, 0, "what was in its temporary folders is gone");
    });
}

#[test]
fn a_server_whose_store_is_gone_says_so_and_goes_on_when_it_is_back() {
    block_on(async {
        let folder = folder();
        let mut redis = RedisServer::start_with(&[("appendonly", "yes"), ("appendfsync", "always")]);
        let arguments = ["--store", &redis.url(), "--listen", "127.0.0.1:0"];
        let mut server = Program::start(folder.path(), "api_server", &arguments);
        let address = server.says("server is ready at ").await;
        create_order(&address).await;
        redis.kill();
        let gone = status(&address, "\"error\"").await;
        assert!(gone.starts_with("HTTP/1.1 503") && gone.contains("nobody listens there"), "{gone}");
        redis.restart();
        let back = status(&address, "\"state\"").await;
        assert!(back.starts_with("HTTP/1.1 200") && back.contains("\"queued\""), "{back}");
        server.signal("TERM");
        assert_eq!(server.ends().await, Some(0));
    });
}

/// Creates `order-1`.
async fn create_order(address: &str) {
    let body = r#"{"id":"order-1","customer":"Ada","cents":5}"#;
    let head = "POST /orders HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length:";
    let mut stream = send(address, &format!("{head} {}\r\n\r\n{body}", body.len())).await;
    let answer = read_until(&mut stream, "order-1").await;
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
}

/// What the server says of `order-1`, up to this text and what came with it.
async fn status(address: &str, until: &str) -> String {
    let mut stream = send(address, "GET /orders/order-1 HTTP/1.1\r\nhost: x\r\n\r\n").await;
    read_until(&mut stream, until).await
}

/// Sends a request; what comes can be read.
async fn send(address: &str, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("the server listens");
    stream.write_all(request.as_bytes()).await.expect("the server reads");
    stream
}

async fn read_until(stream: &mut TcpStream, wanted: &str) -> String {
    let mut text = String::new();
    let mut part = [0; 1024];
    while !text.contains(wanted) {
        let read = stream.read(&mut part).await.expect("the server answers");
        assert!(read > 0, "the server ended its answer: {text}");
        text.push_str(&String::from_utf8_lossy(&part[..read]));
    }
    text
}
