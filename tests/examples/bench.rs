//! The program that measures.

use std::path::Path;

use serde_json::Value;

use crate::program::run_in;

/// The stores that every scenario runs on: the embedded one, and one on a server.
const STORES: [&str; 2] = ["sqlite::memory:", "redis:spawn?appendfsync=everysec"];

/// Figures that every run has: as numbers above zero, and as texts.
const NUMBERS: [&str; 4] = ["wall_s", "rss_mb", "in_flight", "threads"];
const TEXTS: [&str; 8] = ["scenario", "store", "durability", "start", "results", "per", "version", "server"];
/// Figures that are there wherever the store is a server.
const OF_SERVER: [&str; 4] = ["store_cpu_us", "commands", "bytes_in", "bytes_out"];

/// Scenarios at a small size, in words of the command line, and which figures they have that others have not.
const SCENARIOS: [(&str, &[&str]); 14] = [
    ("wf3 --workflows 150", &["per_s", "p50_ms", "p99_ms"]),
    ("wf3 --workflows 150 --start queued --waiting 20", &["per_s", "p50_ms", "p99_ms", "waiting"]),
    ("wf3 --workflows 150 --results alone --threads 2", &["per_s", "p50_ms", "p99_ms"]),
    ("alone --workflows 10", &["per_s", "p50_ms", "p99_ms"]),
    ("drain --workflows 150", &["per_s"]),
    ("create --workflows 150", &["per_s", "p50_ms", "p99_ms"]),
    ("events --workflows 60", &["per_s", "p50_ms", "p99_ms"]),
    ("sleepers --workflows 60 --window 200ms", &["per_s"]),
    ("fanout --workflows 2 --steps 60", &["per_s", "p50_ms", "p99_ms", "steps"]),
    ("long --workflows 2 --steps 60", &["per_s", "p50_ms", "p99_ms", "steps"]),
    ("replay --workflows 3 --steps 60", &["per_s", "p50_ms", "p99_ms", "steps", "records_per_s"]),
    ("payload --workflows 40 --bytes 4096", &["per_s", "p50_ms", "p99_ms", "bytes"]),
    ("mixed --workflows 40", &["per_s", "p50_ms", "p99_ms"]),
    ("idle --workflows 10 --seconds 0.2", &["waiting"]),
];

#[test]
fn every_scenario_ends_well_and_has_its_figures_on_an_embedded_store() {
    each_scenario_on(STORES[0], &[]);
}

#[test]
fn every_scenario_ends_well_and_has_its_figures_on_a_server() {
    each_scenario_on(STORES[1], &OF_SERVER);
}

fn each_scenario_on(store: &str, of_server: &[&str]) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    for (words, own) in SCENARIOS {
        let figures = measured(folder.path(), store, &format!("--scenario {words}"));
        let scenario = words.split(' ').next().expect("a scenario has a name");
        assert_eq!((&figures["scenario"], &figures["store"]), (&scenario.into(), &store.into()), "{figures}");
        for name in NUMBERS.iter().chain(own).chain(of_server) {
            assert!(
                figures[name].as_f64().is_some_and(|figure| figure > 0.0),
                "{words} on {store}: {name} of {figures}"
            );
        }
        for name in TEXTS {
            assert!(figures[name].as_str().is_some_and(|text| !text.is_empty()), "{words}: {name} of {figures}");
        }
        for name in ["worker_cpu_us", "load"] {
            assert!(figures[name].is_f64(), "{words}: {name} of {figures}");
        }
        // In a fifth of a second of rest there may be none.
        let scripts = figures["scripts"].as_f64();
        assert_eq!(
            scripts.is_some_and(|scripts| scripts > 0.0 || scenario == "idle"),
            !of_server.is_empty(),
            "{figures}"
        );
        let late = ["lateness_p50_ms", "lateness_p99_ms", "lateness_max_ms", "disorder_max_ms"];
        assert!(late.iter().all(|name| figures[name].is_f64() == (scenario == "sleepers")), "{words}: {figures}");
    }
}

#[test]
fn it_measures_in_silence_where_nobody_looks() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    for store in ["sqlite::memory:", "sqlite:bench.db", "redis:spawn?appendfsync=everysec"] {
        let figures = measured(folder.path(), store, "--workflows 150");
        assert_eq!(figures["workflows"], 150, "{figures}");
    }
    let figures = measured(folder.path(), STORES[1], "--scenario naive --workflows 50");
    assert!(figures["commands"].as_f64().is_some_and(|commands| commands > 20.0), "{figures}");
}

#[test]
fn all_nodes_of_a_cluster_are_counted() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let url = "redis+cluster:spawn?nodes=2&partitions=8&appendfsync=everysec";
    let figures = measured(folder.path(), url, "--workflows 150");
    assert_eq!(figures["durability"], "everysec");
    // By each node that has some of the partitions.
    let writes = figures["commands"].as_f64().expect("they are counted");
    assert!(writes > 8.0, "a workflow is written four times, and each time it is read: {figures}");
}

#[test]
fn results_that_are_written_alone_are_one_write_more() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let writes = |results: &str| {
        let words = format!("--workflows 150 --start queued --results {results} --processes 1");
        let figures = measured(folder.path(), STORES[1], &words);
        let each = |name: &str| figures[name].as_f64().expect("it is counted");
        each("writes_per_script") * each("scripts")
    };
    let (held, alone) = (writes("held"), writes("alone"));
    assert!((0.8..1.2).contains(&(alone - held)), "{held} and {alone}");
}

#[test]
fn worker_processes_do_the_work_and_are_counted() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let stores = ["sqlite:shared.db", "redis:spawn?partitions=2"];
    for (store, scenario) in stores.into_iter().zip(["wf3", "replay --steps 20"]) {
        let figures = measured(folder.path(), store, &format!("--scenario {scenario} --workflows 60 --processes 2"));
        assert_eq!((&figures["processes"], &figures["start"]), (&2.into(), &"queued".into()), "{figures}");
        let [all, own] =
            ["worker_cpu_us", "client_cpu_us"].map(|name| figures[name].as_f64().expect("both are counted"));
        assert!(own <= all, "{figures}");
    }
}

/// The figures of a run, in which nothing but they was said.
fn measured(folder: &Path, store: &str, words: &str) -> Value {
    let mut arguments = vec!["--json", "--store", store];
    arguments.extend(words.split(' '));
    let ended = run_in(folder, "bench", &arguments);
    assert_eq!(ended.stderr, "", "progress is for terminals");
    serde_json::from_str(&ended.succeeded()).expect("one line of JSON")
}

#[test]
fn a_sweep_prints_a_table_with_a_line_for_each_value_and_how_costs_grow() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let rows = [
        ("in-flight --most 10", STORES[0], "in flight 1 10"),
        ("journal --most 100", STORES[0], "steps 10 100"),
        ("payload --most 256", STORES[0], "bytes 1 16 256"),
        ("waiting --most 100", STORES[0], "waiting 100"),
        ("workers --most 2", "sqlite:swept.db", "workers 1 2"),
        ("partitions --most 2", STORES[1], "partitions 1 2"),
    ];
    for (words, store, values) in rows {
        let mut arguments = vec!["--workflows", "20", "--store", store, "--sweep"];
        arguments.extend(words.split(' '));
        let table = run_in(folder.path(), "bench", &arguments).succeeded();
        let mut firsts: Vec<_> = table.lines().filter_map(|line| line.split('|').nth(1)).map(str::trim).collect();
        firsts.retain(|first| *first != "---:" && *first != "grows by the power of");
        assert_eq!(firsts.join(" "), values, "{table}");
        assert_eq!(table.contains("| grows by the power of |"), firsts.len() > 2, "{table}");
        assert_eq!(table.contains("CPU per step"), words.starts_with("journal"), "{table}");
    }
}

#[test]
fn it_says_what_it_needs() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let refused = [
        ("--scenario naive", "redis:spawn"),
        ("--processes 2", "a store that processes can share"),
        ("--scenario create --processes 2 --store sqlite:bench.db", "create has no workers"),
        ("--scenario drain --waiting 5", "--waiting has no meaning"),
        ("--scenario fanout --steps 10001", "at most 10000"),
        ("--workflows 0", "--workflows must be at least 1"),
        ("--sweep partitions", "needs Redis"),
        ("--sweep workers", "cannot be measured"),
    ];
    for (words, said) in refused {
        let ended = run_in(folder.path(), "bench", &words.split(' ').collect::<Vec<_>>());
        assert!(ended.code() == Some(1) && ended.stderr.contains(said), "{words}: {ended:?}");
    }
}
