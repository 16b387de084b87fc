//! A clock, timers and random numbers of a simulation, which are the same in each replay.

use crate::remote;
use serde::{Deserialize, Serialize};
use workflow::prelude::*;

/// Time as the simulation has it.
mod sim {
    use serde::{Deserialize, Serialize};

    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    pub(super) struct Instant(pub(super) u64);

    impl Instant {
        pub(super) const fn now() -> Self {
            Self(7)
        }

        pub(super) const fn elapsed(self) -> u64 {
            10 - self.0
        }
    }

    #[derive(Debug, Clone, Copy)]
    pub(super) struct SystemTime;

    impl SystemTime {
        pub(super) const fn now(round: u64) -> Instant {
            Instant(round)
        }
    }

    pub(super) mod rand {
        pub(crate) const fn random(seed: u64) -> u64 {
            seed.wrapping_mul(31)
        }
    }

    pub(super) mod thread {
        pub(crate) fn spawn(names: &mut Vec<String>, name: &str) {
            names.push(name.to_owned());
        }
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Timer {
    started: sim::Instant,
    laps: Vec<u64>,
}

impl Timer {
    const fn start(started: sim::Instant) -> Self {
        Self { started, laps: Vec::new() }
    }

    fn lap(&mut self) -> u64 {
        let lap = self.started.elapsed() + self.laps.len() as u64;
        self.laps.push(lap);
        lap
    }
}

/// Simulates some rounds.
#[workflow]
async fn simulate(rounds: u64) -> workflow::Result<Timer> {
    let mut timer = Timer::start(sim::Instant::now());
    let mut threads = vec![];
    for round in 0..rounds {
        let at = sim::SystemTime::now(round);
        if sim::rand::random(round) > 40 {
            sim::thread::spawn(&mut threads, "worker");
        }
        let lap = timer.lap();
        step!("round", remote::answer(lap + at.elapsed() + self::sim::rand::random(1))).await?;
    }
    timer.laps.push(threads.len() as u64);
    Ok(timer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_simulated() {
        let report = simulate::test(3).run();
        assert_eq!(report.result, Ok(Timer { started: sim::Instant(7), laps: vec![3, 4, 5, 1] }));
    }
}
