//! One history, one trace: in whatever order futures are woken and polled while it is replayed, what the code sees, asks for
//! and comes to is the same.
//!
//! Futures may be polled at any time, woken or not, and executors and combinators do so. Here each replay has its own
//! polls that nothing calls for, and wakes of operations that are not ready.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::random_workflows::{Dice, drive, node};

/// How many random workflows, and how often each of their histories is replayed.
fn sizes() -> (usize, u64) {
    match std::env::var("WORKFLOW_TEST_SIZE").as_deref() {
        Ok("nightly") => (50, 1_000),
        Ok("release") => (50, 10_000),
        _ => (20, 200),
    }
}

fn seed() -> u64 {
    let seed = std::env::var("SEED").map_or_else(
        |_| crate::words::id::RequestId::generate().0 as u64,
        |text| text.parse().expect("SEED is a number"),
    );
    eprintln!("test_kit::shuffled: SEED={seed}");
    seed
}

#[test]
fn one_history_has_one_trace_whatever_is_polled_when() {
    let (flows, replays) = sizes();
    let seed = seed();
    let mut bytes = [0_u8; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let strategy = prop::collection::vec(node(), 2..6);
    let (mut replayed, mut found) = (0, 0);
    while found < flows {
        let nodes = strategy.new_tree(&mut runner).expect("a workflow can be made").current();
        let (world, shared) = drive(&nodes, seed.wrapping_add(found as u64), true).expect("it comes to an end");
        // Where nothing is open beside something else there is no order.
        let records = world.journal(world.subject()).expect("it has a journal");
        if records.len() < 6 {
            continue;
        }
        found += 1;
        for id in world.instances().into_iter().filter(|id| world.begun(id)) {
            let records = world.journal(&id).expect("it has a journal");
            let (info, code) = world.code(&id).expect("it exists");
            let plain = code.replay(info.clone(), records.clone(), usize::MAX).words();
            let (mut traces, lived) = (BTreeSet::from([hash(&plain)]), shared.trace(&id));
            for number in 0..replays {
                let mut dice = Dice(seed ^ (number << 32) ^ found as u64);
                let again = code.replay_shuffled(info.clone(), records.clone(), &mut |sides| dice.below(sides));
                traces.insert(hash(&again.words()));
                assert_eq!(traces.len(), 1, "{id}, SEED={seed}:\n{plain}\n{}", again.words());
                assert_eq!(shared.trace(&id), lived, "{id}, SEED={seed}");
                replayed += 1;
            }
        }
    }
    assert!(replayed >= flows as u64 * replays);
}

fn hash(trace: &str) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(trace)
}
