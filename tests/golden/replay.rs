//! Whole orders: journals and heads of earlier versions are what today's code writes, and today's code goes on where
//! they end.
//!
//! `BLESS=1` runs an order and writes `orders/v<format>.journal`, only where no such file exists: to regenerate the one of a
//! format that no release has written yet, delete it first.

use std::fs;
use std::sync::LazyLock;

use support::prelude::*;
use workflow::journal::path::Path;
use workflow::journal::record::Record;
use workflow::words::payload::Payload;

use crate::FORMAT;
use crate::journal::{self, Golden};
use crate::order::Receipt;

fn block_on(test: impl Future<Output = TestResult>) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a test can have a runtime");
    if let Err(error) = runtime.block_on(test) {
        panic!("{error}");
    }
}

/// The orders kept so far, and a new one where that is asked for.
static ORDERS: LazyLock<Vec<Golden>> = LazyLock::new(|| {
    let blessed = journal::file(FORMAT);
    if std::env::var_os("BLESS").is_some() && !blessed.exists() {
        block_on(async { Ok(fs::write(&blessed, Golden::of_a_run().await?.text())?) });
    }
    journal::all()
});

/// Runs a test on each order.
fn with_each(test: impl AsyncFn(Golden) -> TestResult) {
    // Not from within the runtime of the test: a new order needs one of its own.
    for golden in ORDERS.iter() {
        block_on(test(golden.clone()));
    }
}

#[test]
fn a_whole_order_is_read_and_written_again_to_the_byte() {
    for golden in ORDERS.iter() {
        let spec = golden.decoded_spec();
        assert_eq!(spec.encode(), golden.spec);
        for bytes in &golden.heads {
            assert_eq!(golden.decoded_head(bytes).encode(), *bytes);
        }
        for bytes in &golden.records {
            assert_eq!(Record::decode(bytes.as_bytes()).expect("a record is readable").encode(), *bytes);
        }
        let words: std::collections::BTreeSet<&str> = golden
            .records
            .iter()
            .map(|bytes| Record::decode(bytes.as_bytes()).expect("readable").entry.word())
            .collect();
        assert!(words.len() >= 6, "the order has something of everything: {words:?}");
    }
}

#[test]
fn a_whole_order_is_replayed_to_the_same_output_without_running_a_body() {
    with_each(async |golden| {
        let (store, shop) = (golden.imported().await?, Witness::default());
        let engine = journal::engine(&store, &shop).await?;
        let instance = journal::instance(&engine).await?;
        let (output, state) = (instance.result_within(wait::PATIENCE).await, instance.status().await?);
        assert_eq!(output.map_err(|error| format!("{error}: {state:?}"))?, golden.output.decode::<Receipt>()?);
        assert_eq!(journal::records(&store).await?, golden.records, "nothing was added");
        assert_eq!(shop.notes(), Vec::<String>::new(), "no body ran");
        engine.shutdown(wait::PATIENCE).await;
        Ok(())
    });
}

/// What an instance of a changed journal is paused for.
async fn refused(golden: Golden) -> Result<PauseReason, Box<dyn std::error::Error + Send + Sync>> {
    let (store, shop) = (golden.imported().await?, Witness::default());
    let engine = journal::engine(&store, &shop).await?;
    let status = wait::state(&journal::instance(&engine).await?, State::Paused).await;
    assert_eq!(shop.notes(), Vec::<String>::new(), "no body ran");
    engine.shutdown(wait::PATIENCE).await;
    Ok(status.paused.ok_or("a paused instance has a reason")?.reason)
}

#[test]
fn a_journal_of_another_format_is_not_run() {
    with_each(async |mut golden| {
        let last = golden.records.last_mut().expect("an order has records");
        let mut bytes = last.as_bytes().to_vec();
        bytes[0] += 1;
        assert!(Record::decode(&bytes).is_err());
        *last = Payload::from_bytes(bytes);
        let reason = refused(golden).await?;
        assert!(matches!(reason, PauseReason::Unreadable { .. }), "{reason:?}");
        Ok(())
    });
}

#[test]
fn a_journal_with_other_paths_is_not_run() {
    with_each(async |mut golden| {
        let mut first = Record::decode(golden.records[0].as_bytes())?;
        first.path = Path::from_recorded(&first.path.as_str().replace("fetch", "load"));
        golden.records[0] = first.encode();
        let reason = refused(golden).await?;
        assert!(matches!(reason, PauseReason::Divergence(_)), "{reason:?}");
        Ok(())
    });
}
