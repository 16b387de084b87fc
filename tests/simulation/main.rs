//! The real engine in virtual time, on the model store, behind wires that fail: whole worlds that follow from a seed.
//!
//! A [`world`] has one store, a few [`process`]es with an engine each, and [`clients`]. [`trouble`] crashes, freezes and
//! cuts off processes; their [`wire`]s lose, delay, cut and repeat batches. [`eyes`] see every transition and body, and
//! [`audit`] what is left in the end. Everything runs on one thread and one virtual clock, and all chance follows from the
//! seed, so a seed is the same world for ever: `SEED=<n>` shows it again.

mod audit;
mod clients;
mod eyes;
mod flows;
mod hand;
mod plan;
mod process;
mod run;
mod sabotage;
mod trace;
mod trouble;
mod valve;
mod wire;
mod world;

use std::sync::atomic::{AtomicU64, Ordering};

use support::chance;
use support::size::Amount;

use crate::run::{Outcome, run};
use crate::sabotage::{ALL, Sabotage};
use crate::world::WITHOUT_END;

/// Seeds whose worlds once broke a promise: they go first.
const KNOWN: &str = include_str!("seeds.txt");

fn known() -> Vec<u64> {
    let lines = KNOWN.lines().filter_map(|line| line.split_whitespace().next()).filter(|word| *word != "#");
    lines.map(|seed| seed.parse().expect("a line of seeds.txt begins with a seed or `#`")).collect()
}

/// Says what broke, and how to see it again.
fn fail(seed: u64, outcome: &Outcome) -> ! {
    let Outcome { violation, tail, hash, .. } = outcome;
    panic!(
        "{tail}\nSEED={seed} (trace {hash:016x}): {}\nrepeat: SEED={seed} cargo test -p tests --test simulation -- one_seed --nocapture",
        violation.as_deref().unwrap_or("it went otherwise when it was repeated")
    );
}

/// Runs worlds on every core. Stops at the first that `found` something.
fn search<T: Send>(seeds: &[u64], look: impl Fn(u64) -> Option<T> + Sync) -> Option<T> {
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let work = || {
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let seed = seeds.get(usize::try_from(at).expect("few"))?;
                if let Some(found) = look(*seed) {
                    next.store(seeds.len() as u64, Ordering::Relaxed);
                    return Some(found);
                }
            }
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().find_map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

#[test]
fn no_world_breaks_a_promise() {
    let first = chance::seed("simulation");
    let wanted = Amount::of(300, 30_000, 300_000).wanted();
    let mut seeds = known();
    seeds.extend((0..wanted).map(|number| first.wrapping_add(number)));
    let commands = AtomicU64::new(0);
    let extra = AtomicU64::new(0);
    let broken = search(&seeds, |seed| {
        let outcome = run(seed, None);
        commands.fetch_add(outcome.commands, Ordering::Relaxed);
        extra.fetch_add(outcome.extra_bodies, Ordering::Relaxed);
        outcome.violation.is_some().then_some((seed, outcome))
    });
    eprintln!("{} worlds, {commands:?} commands, {extra:?} bodies that ran again", seeds.len());
    if let Some((seed, outcome)) = broken {
        fail(seed, &outcome);
    }
}

#[test]
fn a_seed_is_the_same_world_again() {
    let first = chance::seed("simulation, repeated");
    let wanted = Amount::of(10, 300, 3_000).wanted();
    for seed in (0..wanted).map(|number| first.wrapping_add(number)) {
        let (one, other) = (run(seed, None), run(seed, None));
        assert_eq!((one.hash, one.commands), (other.hash, other.commands), "SEED={seed} made two worlds");
    }
}

/// Which guard the world of [`one_seed`] has lost.
const LOST_VARIABLE: &str = "LOST";

/// One seed, with all that happened: for who has one that fails, or, with `LOST=StaleWrites`, wants to see how the loss of a
/// guard is found.
#[test]
fn one_seed() {
    let seed = chance::seed("simulation, one seed");
    let lost = std::env::var(LOST_VARIABLE).ok().map(|name| {
        let named = ALL.into_iter().find(|lost| format!("{lost:?}") == name);
        named.unwrap_or_else(|| panic!("{LOST_VARIABLE} is one of {ALL:?}"))
    });
    let outcome = run(seed, lost);
    eprintln!("{} commands, {} bodies that ran again", outcome.commands, outcome.extra_bodies);
    if outcome.violation.is_some() {
        fail(seed, &outcome);
    }
}

/// How many worlds may pass before the loss of a guard is noticed.
const UNNOTICED_AT_MOST: u64 = 60;

#[test]
fn a_store_without_one_of_its_guards_is_found_out() {
    let seeds: Vec<u64> = (1..=UNNOTICED_AT_MOST).collect();
    let unnoticed: Vec<Sabotage> = ALL
        .into_iter()
        .filter(|lost| {
            let found = search(&seeds, |seed| run(seed, Some(*lost)).violation.map(|violation| (seed, violation)));
            if let Some((seed, violation)) = &found {
                // Whatever a store says: an engine that asks without end is itself at fault.
                assert_ne!(violation, WITHOUT_END, "{lost:?}: SEED={seed}");
                let said: String = violation.chars().take(160).collect();
                eprintln!("{lost:?}: SEED={seed}: {said}");
            }
            found.is_none()
        })
        .collect();
    assert!(unnoticed.is_empty(), "nobody noticed what {UNNOTICED_AT_MOST} worlds had lost: {unnoticed:?}");
}
