//! What is refused: with an error that says where, at once, and with nothing left behind.

use std::time::Duration;

use support::StoreKind;

use crate::program::Ended;
use crate::stage::Stage;

/// How long a refusal may take.
const REFUSAL_LIMIT: Duration = Duration::from_secs(10);

/// Runs it with `orders` as the input file; it must fail in time, print no result and create nothing.
fn refused(orders: &str, more: &[&str]) -> Ended {
    let stage = Stage::new(StoreKind::SqliteFile, Vec::new());
    std::fs::write(stage.file("orders.json"), orders).expect("the folder can be written");
    let mut program = stage.start(more);
    let ended = program.finish_within(REFUSAL_LIMIT).expect("a refusal takes no longer than 10 s");
    assert_ne!(ended.code(), 0);
    assert!(ended.stdout.is_empty(), "{:?}", ended.stdout);
    for file in ["workflow.db", "effects"] {
        assert!(!stage.file(file).exists(), "{file} was created");
    }
    ended
}

fn says(ended: &Ended, wanted: &[&str]) {
    let said = ended.stderr.join("\n");
    for words in wanted {
        assert!(said.contains(words), "{words:?} is said in:\n{said}");
    }
}

const GOOD: &str = r#"{ "id": "x-1", "items": [], "pays": true, "payment_timeout": "10m" }"#;

#[test]
fn malformed_json_names_file_and_line() {
    says(&refused("[\n  { \"id\": \"x-1\",\n    \"items\": [ }\n]", &[]), &["orders.json:3:"]);
    says(&refused("", &[]), &["orders.json:1:"]);
    says(&refused("{}", &[]), &["orders.json:1:"]);
}

#[test]
fn a_missing_field_or_a_wrong_type_names_file_and_line() {
    says(
        &refused(&format!("[\n{GOOD},\n\n{{ \"id\": \"x-2\", \"items\": [], \"pays\": true }}\n]"), &[]),
        &["orders.json:4:", "payment_timeout"],
    );
    says(&refused(&format!("[\n{GOOD},\n{}\n]", GOOD.replace("true", "\"yes\"")), &[]), &["orders.json:3:"]);
    says(&refused(&format!("[\n{}\n]", GOOD.replace("10m", "10 munites")), &[]), &["orders.json:2:", "10 munites"]);
}

#[test]
fn a_duplicate_id_names_both_places() {
    says(&refused(&format!("[\n{GOOD},\n{GOOD}\n]"), &[]), &["orders.json:3:", "x-1", "2:"]);
}

#[test]
fn an_id_that_is_none_names_its_line() {
    for id in ["", "a b", "a\\tb", "a/b"] {
        says(&refused(&format!("[\n\n{}\n]", GOOD.replace("x-1", id)), &[]), &["orders.json:3:"]);
    }
}

#[test]
fn a_missing_file_is_named() {
    says(
        &refused("[]", &["--mode", "all", "--store", "sqlite:workflow.db", "--effects", "no/such/folder/effects"]),
        &["no/such/folder/effects"],
    );
    let stage = Stage::new(StoreKind::SqliteFile, Vec::new());
    let ended = stage.start_plain(&["--orders", "missing.json"], None).finish();
    assert_ne!(ended.code(), 0);
    says(&ended, &["missing.json"]);
    assert!(!stage.file("workflow.db").exists());
}

#[test]
fn standard_input_is_named_too() {
    let stage = Stage::new(StoreKind::SqliteFile, Vec::new());
    let ended = stage.start_plain(&["--orders", "-"], Some("[\n{]")).finish();
    assert_ne!(ended.code(), 0);
    says(&ended, &["standard input:2:"]);
    assert!(!stage.file("workflow.db").exists());
}

#[test]
fn a_store_that_cannot_be_reached_is_named_without_its_password() {
    for mode in ["all", "client"] {
        let ended = refused("[]", &["--mode", mode, "--store", "sqlite:no/such/folder/x.db"]);
        says(&ended, &["sqlite:no/such/folder/x.db"]);
        let ended = refused("[]", &["--mode", mode, "--store", "redis://shop:s3cret@127.0.0.1:1/"]);
        says(&ended, &["redis://", "127.0.0.1:1"]);
        let said = ended.stderr.join("\n");
        assert!(!said.contains("s3cret"), "{said}");
    }
}

#[test]
fn a_wrong_flag_is_refused() {
    for flags in [["--follow-up", "soon"], ["--step-time", "5"], ["--mode", "both"], ["--lease", "0s"]] {
        says(&refused("[]", &flags), &[flags[0]]);
    }
}
