//! What is taken out of indexes from outside is put back by workers, some instances at a time.

use std::collections::BTreeSet;

use redis::Value;
use workflow::journal::command::{Command, Reply};
use workflow::store::Store;

use super::checks::{Bench, DEAD, PREFIX, tell};
use super::log::Log;
use super::stage::{INDEXES, LEASE, SESSION, dump, runtime};

/// All that workers do by and by, seven instances at a time. How many entries were put back.
async fn mended(bench: &Bench) -> usize {
    let mut entries = 0;
    // Wherever it begins, it comes around.
    for _ in 0..2 * bench.members("all").len().div_ceil(7) {
        entries += bench.store.mend(0, 7).await.expect("it works");
    }
    entries
}

#[test]
fn what_is_taken_out_of_the_indexes_is_put_back() {
    runtime().block_on(async {
        let bench = Bench::new().await;
        let log = Log::default();
        let _listening = log.listen();
        let before = dump(&bench.server);
        assert_eq!(mended(&bench).await, 0, "nothing lacks");
        assert_eq!(dump(&bench.server), before, "and nothing is changed");
        // What a session has lost stands nowhere else, and all else is found by the list of all.
        for index in INDEXES.into_iter().filter(|index| !["lost", "all"].contains(index)) {
            let (key, members) = (format!("{PREFIX}{index}"), bench.members(index));
            assert!(!members.is_empty(), "{index}");
            for member in members.keys() {
                bench.ask(&[b"ZREM", key.as_bytes(), member]);
                let shown = member.escape_ascii();
                assert_eq!(mended(&bench).await, 1, "{index}: {shown}");
                let after = bench.members(index);
                // When a command was queued stands nowhere else: it is sent again, a little later.
                let as_before = if index == "out" { after.keys().eq(members.keys()) } else { after == members };
                assert!(as_before, "{index}: {shown}: {after:?}");
            }
            bench.ask(&[b"DEL", key.as_bytes()]);
            let told = log.lines().len();
            assert_eq!(mended(&bench).await, members.len(), "{index}");
            assert!(log.lines()[told..].iter().any(|line| line.contains("not in their indexes")), "{index}");
            assert_eq!(bench.check().await.findings, [], "{index}");
        }
    });
}

#[test]
fn what_belongs_to_a_session_that_nobody_knows_is_taken_over() {
    runtime().block_on(async {
        for key in ["sessions", "dead"] {
            let bench = Bench::new().await;
            let full = format!("{PREFIX}{key}");
            bench.ask(&[b"DEL", full.as_bytes()]);
            assert!(!bench.check().await.findings.is_empty(), "{key}");
            assert!(mended(&bench).await > 0, "{key}");
            let sessions = bench.store.sessions().await.expect("they can be read");
            let revoked = sessions.iter().filter(|view| view.revoked).map(|view| view.session);
            let (gone, left) = if key == "dead" { (vec![DEAD], 1) } else { (vec![SESSION, DEAD], 0) };
            assert!(revoked.eq(gone.iter().copied()), "{key}: {sessions:?}");
            for session in gone {
                tell(&bench.store, Command::Recover { session, limit: 100 }).await;
            }
            assert_eq!(bench.check().await.findings, [], "{key}");
            let tied: BTreeSet<Vec<u8>> = ["held", "inbox"]
                .iter()
                .flat_map(|index| bench.members(index))
                .map(|(at, _)| at[..16].to_vec())
                .collect();
            assert_eq!(tied.len(), left, "{key}");
        }
    });
}

#[test]
fn a_session_whose_beats_are_gone_is_revoked_when_its_lease_is_over() {
    runtime().block_on(async {
        let bench = Bench::new().await;
        let fence = || tell(&bench.store, Command::Fence { session: SESSION, beats: 0 });
        let key = format!("{PREFIX}beats");
        bench.ask(&[b"DEL", key.as_bytes()]);
        assert_eq!(fence().await, Reply::Fence(false), "it lives");
        bench.clock.advance(LEASE * 2);
        assert_eq!(fence().await, Reply::Fence(true));
    });
}

#[test]
fn what_is_damaged_or_gone_stops_no_mending() {
    runtime().block_on(async {
        let bench = Bench::new().await;
        let text = |words: &[&str]| {
            let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
            bench.ask(&words)
        };
        let (key, size) = (format!("{PREFIX}all"), bench.members("all").len());
        text(&["HSET", &format!("{PREFIX}i:again"), "h", "short"]);
        text(&["DEL", &format!("{PREFIX}i:done")]);
        text(&["DEL", &format!("{PREFIX}timers")]);
        assert_eq!(mended(&bench).await, 3, "those that sleep");
        let left = bench.members("all");
        assert_eq!(left.len(), size - 1, "what is gone is in no list any more");
        assert!(left.keys().any(|member| member.ends_with(b"again")), "what is damaged still is");
        // A server without memory refuses: nothing of it is half done, and it is put back later.
        text(&["DEL", &format!("{PREFIX}timers")]);
        text(&["CONFIG", "SET", "maxmemory", "1"]);
        // One of two walks over all of it begins before them.
        let refused = [bench.store.mend(0, size).await, bench.store.mend(0, size).await];
        assert!(refused.iter().any(Result::is_err), "{refused:?}");
        text(&["CONFIG", "SET", "maxmemory", "0"]);
        assert_eq!(mended(&bench).await, 3);
        assert_eq!(text(&["ZCARD", &key]), Value::Int(i64::try_from(size - 1).expect("few")));
    });
}
