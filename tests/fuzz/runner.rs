//! Gives one target changed seeds until its time or its count is over.

use std::fs;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use support::chance;
use support::size::Amount;
use support::wait::PATIENCE;

use crate::edit::{self, Edit};
use crate::targets::{TARGETS, Target};
use crate::{seeds, wire};

/// How long a target is run.
const SECONDS: Amount = Amount::of(5, 20 * 60, 2 * 60 * 60);
/// Most inputs of a target in five seconds: on a fast machine there is no more to be learned from changes by chance.
const INPUTS_A_SECOND: u64 = 40_000;
/// Inputs between two looks at the time.
const INPUTS_AT_ONCE: u32 = 256;
/// Most changes of a seed.
const EDITS_MAX: usize = 6;
/// An input that takes the processor this long is one that hangs.
const HANGS_AFTER: Duration = Duration::from_secs(1);
/// What the whole process may take, in MiB: inputs are small, and so must be what is made of them.
const MEMORY_MIB_MAX: u64 = 512;

/// Runs the target of this name.
pub(crate) fn run(name: &'static str) {
    let target = *TARGETS.iter().find(|(known, _)| *known == name).expect("a target of the table");
    let seed = chance::seed(&format!("fuzz::{name}"));
    let (ended, end) = channel();
    let at_work: Arc<Mutex<Vec<u8>>> = Arc::default();
    let now = Arc::clone(&at_work);
    let thread = std::thread::Builder::new().name(name.to_owned());
    let worker = thread
        .spawn(move || {
            let outcome = fuzz(target, seed, &now);
            // Nobody listens only when the test has given up.
            let _ = ended.send(outcome);
        })
        .expect("a test can have a thread");
    let longest = Duration::from_secs(SECONDS.wanted()) + PATIENCE;
    match end.recv_timeout(longest) {
        Ok(outcome) => outcome.unwrap_or_else(|message| panic!("{message}")),
        Err(RecvTimeoutError::Disconnected) => match worker.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(()) => panic!("the target {name} ended and said nothing"),
        },
        Err(RecvTimeoutError::Timeout) => {
            let input = at_work.lock().map(|input| wire::shown(&input)).unwrap_or_default();
            panic!("the target {name} hangs with the input {input}");
        }
    }
    let memory = memory_mib();
    assert!(memory <= MEMORY_MIB_MAX, "the target {name} has taken {memory} MiB");
}

/// The seeds as they are, and then changes of them.
fn fuzz((name, target): Target, seed: u64, at_work: &Mutex<Vec<u8>>) -> Result<(), String> {
    let seeds = seeds::of(name);
    let call = |input: &[u8]| {
        if let Ok(mut now) = at_work.lock() {
            input.clone_into(&mut now);
        }
        timed(target, input)
    };
    for seed in &seeds {
        call(seed).map_err(|took| format!("the seed {} takes {took:?}", wire::shown(seed)))?;
    }
    let edits = prop::collection::vec(any::<Edit>(), 1..=EDITS_MAX);
    let strategy = (0..seeds.len(), edits);
    let (began, seconds) = (Instant::now(), SECONDS.wanted());
    let mut inputs = 0;
    while began.elapsed() < Duration::from_secs(seconds) && inputs < seconds * INPUTS_A_SECOND {
        let outcome = runner(seed, inputs).run(&strategy, |(of, edits)| {
            let input = changed(&seeds, of, &edits);
            call(&input).map_err(|took| TestCaseError::fail(format!("it takes the processor {took:?}")))
        });
        inputs += u64::from(INPUTS_AT_ONCE);
        match outcome {
            Ok(()) => {}
            Err(TestError::Fail(why, (of, edits))) => {
                let input = changed(&seeds, of, &edits);
                return Err(format!("{name}: {why}\nthe input: {}\nSEED={seed} repeats it", wire::shown(&input)));
            }
            Err(TestError::Abort(why)) => return Err(format!("{name}: {why}")),
        }
    }
    eprintln!("fuzz::{name}: {inputs} inputs in {:?}", began.elapsed());
    Ok(())
}

/// Runs one lot of inputs, which follow from the seed of the run and the inputs before. (A runner counts what it has run
/// over all its life.)
fn runner(seed: u64, inputs: u64) -> TestRunner {
    let mut bytes = [0_u8; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..16].copy_from_slice(&inputs.to_le_bytes());
    let config =
        Config { cases: INPUTS_AT_ONCE, failure_persistence: None, max_shrink_iters: 2_000, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

fn changed(seeds: &[Vec<u8>], of: usize, edits: &[Edit]) -> Vec<u8> {
    let mut input = seeds[of].clone();
    for edit in edits {
        edit::apply(&mut input, *edit, seeds);
    }
    input
}

/// Calls the target; fails when it takes the processor too long. A machine that does much else makes nothing fail: when
/// the clock says that it took long, it is called again, and the time is what the system has given this thread.
fn timed(target: fn(&[u8]), input: &[u8]) -> Result<(), Duration> {
    let began = Instant::now();
    target(input);
    if began.elapsed() < HANGS_AFTER {
        return Ok(());
    }
    let before = processor_time();
    target(input);
    let took = processor_time().saturating_sub(before);
    if took < HANGS_AFTER { Ok(()) } else { Err(took) }
}

/// How long this thread has run.
fn processor_time() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text.split_whitespace().next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.unwrap_or_default())
}

/// The most memory the process has had.
fn memory_mib() -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).map_or(0, |kib| kib / 1_024)
}
