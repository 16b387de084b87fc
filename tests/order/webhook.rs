//! The payment webhook: repeating a delivery changes nothing.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use support::StoreKind;

use crate::orders::Order;
use crate::stage::Stage;

on_every_store!(a_delivery_that_is_repeated_changes_nothing,);

/// Posts `body` to `url` and gives the status of the answer.
fn post(url: &str, body: &str) -> u16 {
    let rest = url.strip_prefix("http://").expect("the webhook is plain HTTP");
    let (address, path) = rest.split_once('/').expect("the webhook has a path");
    let mut stream = TcpStream::connect(address).expect("the webhook listens");
    let length = body.len();
    write!(
        stream,
        "POST /{path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .expect("the webhook reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the webhook answers");
    answer
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or_else(|| panic!("an HTTP answer: {answer:?}"))
}

fn a_delivery_that_is_repeated_changes_nothing(store: StoreKind) {
    let stage = Stage::new(store, vec![Order::paid("w-1", &["MUG", "TEA"])]);
    // Long enough for the repetitions to come while the order sleeps.
    let program = stage.start(&["--step-time", "50ms", "--follow-up", "1s"]);
    let delivery = program.says(|line| line.starts_with("webhook "));
    let [_, url, json] = delivery.splitn(3, ' ').collect::<Vec<_>>()[..] else { panic!("url and json: {delivery}") };
    serde_json::from_str::<serde_json::Value>(json).expect("the third word is JSON");
    for _ in 0..5 {
        let status = post(url, json);
        assert!((200..300).contains(&status) || (400..500).contains(&status), "{status}");
    }
    assert_eq!(post(url, "{ not a payment"), 400);
    let unknown = json.replace("w-1", "w-404");
    assert_eq!(post(url, &unknown), 404);
    let ended = program.finish();
    let deliveries = ended.stderr.iter().filter(|line| line.starts_with("webhook ")).count();
    assert_eq!(deliveries, 7, "each delivery is one line:\n{}", ended.stderr.join("\n"));
    stage.check_success(ended);
    stage.check_each_ran_once();
}
