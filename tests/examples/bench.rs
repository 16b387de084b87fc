//! The program that measures.

use serde_json::Value;

use crate::program::run_in;

#[test]
fn it_measures_in_silence_where_nobody_looks() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    for store in ["sqlite::memory:", "sqlite:bench.db", "redis:spawn?appendfsync=everysec"] {
        let ended = run_in(folder.path(), "bench", &["--workflows", "150", "--json", "--store", store]);
        assert_eq!(ended.stderr, "", "progress is for terminals");
        let figures: Value = serde_json::from_str(&ended.succeeded()).expect("one line of JSON");
        assert_eq!(figures["workflows"], 150, "{figures}");
        assert!(figures["per_s"].as_f64().is_some_and(|rate| rate > 0.0), "{figures}");
    }
}

#[test]
fn it_says_what_it_needs() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let ended = run_in(folder.path(), "bench", &["--scenario", "naive"]);
    assert!(ended.code() == Some(1) && ended.stderr.contains("redis:spawn"), "{ended:?}");
}
