//! What happens when a url is not what it should be.

use tokio::time::Instant;

use super::support::{clock, folder, id, namespace, one, open, sound, url};
use crate::store::sqlite::SqliteStore;
use crate::store::sqlite::tests::support::create;
use crate::store::{Store, StoreError};

/// How often several make a file at once.
const ROUNDS: u32 = 20;

async fn refused(url: &str) -> StoreError {
    let begun = Instant::now();
    let error = SqliteStore::open(url, &namespace("default"), clock()).await.expect_err(url);
    assert!(begun.elapsed().as_secs() < 1, "{url} took {:?}", begun.elapsed());
    error
}

#[tokio::test]
async fn what_is_no_database_is_refused_at_once_and_by_name() {
    let folder = folder();
    let missing = format!("sqlite:{}/none/w.db", folder.path().display());
    let error = refused(&missing).await;
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    assert!(error.to_string().contains(&missing) && error.to_string().contains("does not exist"), "{error}");

    let error = refused(&format!("sqlite:{}", folder.path().display())).await;
    assert!(matches!(error, StoreError::Refused { .. }) && error.to_string().contains("folder"), "{error}");

    std::fs::write(folder.path().join("w.db"), "this is a letter, and a rather long one at that ".repeat(100))
        .expect("written");
    let error = refused(&url(&folder)).await;
    assert!(matches!(error, StoreError::Refused { .. }), "{error}");
    assert!(error.to_string().contains(&url(&folder)) && error.to_string().contains("not a SQLite"), "{error}");

    assert!(matches!(refused("redis://x").await, StoreError::Url { .. }));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_folder_that_cannot_be_written_is_said_by_name() {
    // Not even root makes a file there.
    let error = refused("sqlite:/proc/w.db").await;
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    assert!(error.to_string().contains("sqlite:/proc/w.db"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_may_make_the_file_at_once() {
    // What one sees of what another lays out is a matter of moments.
    for _ in 0..ROUNDS {
        make_at_once().await;
    }
}

async fn make_at_once() {
    let folder = folder();
    let mut opening = tokio::task::JoinSet::new();
    for number in 0..8 {
        let url = url(&folder);
        opening.spawn(async move {
            let namespace = namespace(["a", "b"][number % 2]);
            let store = SqliteStore::open(&url, &namespace, clock()).await.expect("it opens");
            one(&store, create(&format!("i{number}"), None)).await;
            store
        });
    }
    for store in opening.join_all().await {
        assert_eq!(store.overview().await.expect("read").ready, 4);
        sound(&store).await;
    }
}

#[tokio::test]
async fn another_programs_database_is_left_alone() {
    let folder = folder();
    let other = rusqlite::Connection::open(folder.path().join("w.db")).expect("opened");
    other.execute_batch("CREATE TABLE theirs (a); INSERT INTO theirs VALUES (1)").expect("made");
    let error = refused(&url(&folder)).await;
    assert!(matches!(error, StoreError::Refused { .. }), "{error}");
    assert!(error.to_string().contains("another program"), "{error}");
    let tables: i64 = other.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).expect("counted");
    assert_eq!(tables, 1, "nothing was made in it");
    let mode: String = other.query_row("PRAGMA journal_mode", [], |row| row.get(0)).expect("asked");
    assert_eq!(mode, "delete", "it is kept as its program keeps it");
}

#[tokio::test]
async fn a_newer_layout_is_refused_and_not_touched() {
    let folder = folder();
    drop(open(&folder, &clock()).await);
    let file = rusqlite::Connection::open(folder.path().join("w.db")).expect("opened");
    file.execute_batch("PRAGMA user_version = 3").expect("written");
    drop(file);
    let bytes = || std::fs::read(folder.path().join("w.db")).expect("it is there");
    let before = bytes();
    let error = refused(&url(&folder)).await;
    assert!(matches!(error, StoreError::Refused { .. }), "{error}");
    assert!(error.to_string().contains("layout 3") && error.to_string().contains(&url(&folder)), "{error}");
    assert!(bytes() == before, "not one byte is another");
}

#[tokio::test]
async fn namespaces_that_differ_only_in_case_are_kept_apart() {
    let folder = folder();
    let (one_store, other_store) = (
        SqliteStore::open(&url(&folder), &namespace("team-a"), clock()).await.expect("it opens"),
        SqliteStore::open(&url(&folder), &namespace("TEAM-a"), clock()).await.expect("it opens"),
    );
    one(&one_store, create("x", None)).await;
    assert!(one_store.inspect(id("x")).await.expect("read").is_some());
    assert!(other_store.inspect(id("x")).await.expect("read").is_none());
    sound(&one_store).await;
    sound(&other_store).await;
}

#[tokio::test]
async fn memory_is_a_store_of_its_own_each_time() {
    let namespace = namespace("default");
    let open = || SqliteStore::open("sqlite::memory:", &namespace, clock());
    let (first, second) = (open().await.expect("it opens"), open().await.expect("it opens"));
    one(&first, create("x", None)).await;
    assert!(first.inspect(id("x")).await.expect("read").is_some());
    assert!(second.inspect(id("x")).await.expect("read").is_none());
    sound(&first).await;
}
