//! The counts as they were when somebody last looked at them, in `counts.txt`, and as they are.
//!
//! `COSTS=keep cargo test -p tests --bin costs` writes them anew: for a change that is meant to cost more, or less.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use support::redis::RedisServer;

use crate::server::{Asker, BATCH, runtime};
use crate::{Run, engine};

/// By how much a count may differ: a batch may reach the server in two parts, and the standard library may allocate
/// otherwise.
const TOLERANCE: f64 = 0.03;
/// Differences below this are not looked at.
const LEAST: f64 = 0.15;

type Counts = BTreeMap<String, f64>;

#[test]
fn hot_paths_cost_what_they_did() {
    let mut counts = Counts::new();
    of_engine(&mut counts);
    of_server(&mut counts);
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("costs/counts.txt");
    if std::env::var("COSTS").is_ok_and(|what| what == "keep") {
        std::fs::write(&path, shown(&counts)).expect("the table can be written");
        return;
    }
    let known = read(&std::fs::read_to_string(&path).expect("the table is there"));
    let differ = differences(&known, &counts);
    assert!(
        differ.is_empty(),
        "these counts are not what they were. Find out why; if it is meant, write them anew with\n    \
         COSTS=keep cargo test -p tests --bin costs\n\n{differ}"
    );
}

/// Lines of those that differ, or are on one side only.
fn differences(known: &Counts, counts: &Counts) -> String {
    let names: std::collections::BTreeSet<_> = known.keys().chain(counts.keys()).collect();
    let mut lines = String::new();
    for name in names {
        let (was, is) = (known.get(name), counts.get(name));
        let same = was.zip(is).is_some_and(|(was, is)| (was - is).abs() <= (was * TOLERANCE).max(LEAST));
        if !same {
            let of = |count: Option<&f64>| count.map_or("nothing".to_owned(), |count| format!("{count:.2}"));
            writeln!(lines, "{name}: was {}, is {}", of(was), of(is)).expect("text can be written");
        }
    }
    lines
}

fn shown(counts: &Counts) -> String {
    let mut text = "# What a hot path costs for each instance: see tests/costs/main.rs.\n".to_owned();
    for (name, count) in counts {
        writeln!(text, "{name} {count:.2}").expect("text can be written");
    }
    text
}

fn read(text: &str) -> Counts {
    let line = |line: &str| {
        let (name, count) = line.split_once(' ')?;
        Some((name.to_owned(), count.parse().ok()?))
    };
    text.lines().filter(|text| !text.starts_with('#')).filter_map(line).collect()
}

#[expect(clippy::cast_precision_loss, reason = "counts of one test are small")]
fn each(count: u64, instances: usize) -> f64 {
    count as f64 / instances as f64
}

/// What this thread allocates for an instance: all of the engine, without the store's own thread.
fn of_engine(counts: &mut Counts) {
    for (name, run, instances) in [("wf3", engine::wf3 as Run, 200), ("replay", engine::replay, 10)] {
        // What is made once is in both.
        let [few, many] = [10, 10 + instances].map(|times| allocation_counter::measure(|| run(times)));
        let mut note = |what: &str, few, many| {
            counts.insert(format!("engine.{name}.{what}"), each(many - few, instances));
        };
        note("allocations", few.count_total, many.count_total);
        note("allocated_bytes", few.bytes_total, many.bytes_total);
    }
}

/// What a server does for an instance in a full batch.
fn of_server(counts: &mut Counts) {
    let server = RedisServer::start();
    runtime().block_on(async {
        let mut asker = Asker::on(&server).await;
        let mut looks = Looks { server: &server, counts, round: "first", before: [0; 3] };
        // What is asked once, a script that is loaded, is over after the first round.
        for round in ["first", "redis"] {
            looks.begin(round);
            let mut owners = asker.start().await;
            looks.end("create_and_start");
            asker.append(&mut owners).await;
            looks.end("append");
            asker.end(&owners, 0).await;
            looks.end("end");
            asker.queue().await;
            looks.end("create");
            let owners = asker.claim().await;
            looks.end("claim");
            asker.wait(&owners).await;
            looks.end("wait");
            asker.send(&owners).await;
            looks.end("send");
            let owners = asker.claim().await;
            looks.end("claim_woken");
            let due = asker.soon().await;
            looks.begin(round);
            asker.sleep(&owners, due).await;
            looks.end("sleep");
            asker.wake(due).await;
            // What it asked until it was time is not counted.
            looks.begin(round);
            let owners = asker.claim().await;
            looks.begin(round);
            asker.end(&owners, 1).await;
            looks.end("end_after_message");
        }
        looks.counts.retain(|name, _| !name.starts_with("first."));
    });
}

/// A server that is looked at between one batch and the next.
struct Looks<'a> {
    server: &'a RedisServer,
    counts: &'a mut Counts,
    round: &'static str,
    before: [u64; 3],
}

impl Looks<'_> {
    fn begin(&mut self, round: &'static str) {
        self.round = round;
        self.before = self.look();
    }

    /// Notes what a batch took, without this look.
    fn end(&mut self, batch: &str) {
        let [before, after] = [self.before, self.look()];
        self.before = self.look();
        for (at, what) in ["commands", "bytes_in", "bytes_out"].into_iter().enumerate() {
            let of_look = self.before[at] - after[at];
            let took = (after[at] - before[at]).saturating_sub(of_look);
            self.counts.insert(format!("{}.{batch}.{what}", self.round), each(took, BATCH));
        }
    }

    fn look(&self) -> [u64; 3] {
        let info: String = redis::from_redis_value(self.server.command(&["INFO", "stats"])).expect("a text");
        ["total_commands_processed", "total_net_input_bytes", "total_net_output_bytes"].map(|name| {
            let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.and_then(|count| count.parse().ok()).expect("the server counts it")
        })
    }
}
