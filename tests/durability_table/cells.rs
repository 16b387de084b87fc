//! The cells of the table: a setting of a store and a fault, and what came out so far.

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use support::power::Unsynced;
use support::receipts::audit::Loss;
use support::receipts::stand::{Setting, Stand};

/// Faults in one life of a store, before everything is brought to its end and counted.
const ROUNDS_A_LIFE: usize = 4;
/// How long the primary goes on alone before its replica takes its place: what a watchdog needs to see that it is gone.
const CUT_OFF: Duration = Duration::from_secs(3);
/// What a slow disk takes longer for each sync, in milliseconds.
const SLOW_MS: u32 = 700;

/// What is done to a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    WorkerKilled,
    ServerKilled,
    PowerCut,
    PrimaryKilled,
    PrimaryCutOff,
}

impl Fault {
    pub(crate) const ALL: [Self; 5] =
        [Self::WorkerKilled, Self::ServerKilled, Self::PowerCut, Self::PrimaryKilled, Self::PrimaryCutOff];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::WorkerKilled => "a worker is killed",
            Self::ServerKilled => "the server (SQLite: every process) is killed",
            Self::PowerCut => "the power is cut",
            Self::PrimaryKilled => "failover: the primary is killed",
            Self::PrimaryCutOff => "failover: the primary was cut off for 3 s",
        }
    }
}

/// One cell.
#[derive(Debug)]
pub(crate) struct Cell {
    pub(crate) store: &'static str,
    pub(crate) fault: Fault,
    setting: Setting,
    losses: Vec<Loss>,
    broken: Vec<String>,
}

/// Every cell, row by row.
pub(crate) fn all() -> Vec<Cell> {
    let alone = &Fault::ALL[..3];
    let paired = &Fault::ALL[3..];
    let rows: [(&str, Setting, &[Fault]); 10] = [
        ("SQLite, `synchronous=FULL`", Setting::SqliteFull, alone),
        ("SQLite, `synchronous=normal`", Setting::SqliteNormal, alone),
        ("Redis, no append-only file", Setting::RedisMemory, alone),
        ("Redis, `appendfsync no`", Setting::RedisNoSync, alone),
        ("Redis, `everysec`", Setting::RedisEverysec(0), alone),
        ("Redis, `everysec`, slow disk", Setting::RedisEverysec(SLOW_MS), alone),
        ("Redis, `always`", Setting::RedisAlways, alone),
        ("Redis, `everysec`, one replica", Setting::Replica, paired),
        ("Redis, one replica, `min-replicas-to-write 1`, `min-replicas-max-lag 1`", Setting::ReplicaNeeded, paired),
        ("Redis, one replica, `?replicas=1`", Setting::ReplicaWaited, paired),
    ];
    let cells = rows.into_iter().flat_map(|(store, setting, faults)| {
        faults.iter().map(move |fault| Cell { store, fault: *fault, setting, losses: vec![], broken: vec![] })
    });
    cells.collect()
}

impl Cell {
    pub(crate) fn name(&self) -> String {
        format!("{} / {}", self.store, self.fault.name())
    }

    /// Faults so far.
    pub(crate) fn rounds(&self) -> usize {
        self.losses.len()
    }

    /// Acknowledgements that a fault could have taken.
    pub(crate) fn told(&self) -> usize {
        self.losses.iter().map(|loss| loss.told).sum()
    }

    /// Acknowledgements that one took.
    pub(crate) fn lost(&self) -> usize {
        self.losses.iter().map(|loss| loss.lost).sum()
    }

    /// Faults that took something.
    pub(crate) fn with_loss(&self) -> usize {
        self.losses.iter().filter(|loss| loss.lost > 0).count()
    }

    /// How old the oldest was that was lost.
    pub(crate) fn oldest(&self) -> Duration {
        Duration::from_micros(self.losses.iter().map(|loss| loss.oldest_us).max().unwrap_or_default())
    }

    /// Rounds of this cell where so many are wanted of each: a kill takes less time.
    pub(crate) fn wanted(&self, rounds: usize) -> usize {
        if matches!(self.fault, Fault::WorkerKilled | Fault::ServerKilled) { 2 * rounds } else { rounds }
    }

    /// How long all work before a fault, in milliseconds: long enough for what is lost to be as old as it gets.
    fn pressed_ms(&self) -> Range<u64> {
        let syncs_matter = matches!(self.setting, Setting::RedisEverysec(_)) && self.fault == Fault::ServerKilled;
        if self.fault == Fault::PowerCut || syncs_matter { 500..4_000 } else { 300..1_200 }
    }

    /// Over how long a time acknowledgements were given that were lost.
    pub(crate) fn span(&self) -> Duration {
        Duration::from_micros(self.losses.iter().map(|loss| loss.span_us).max().unwrap_or_default())
    }

    /// What must not be.
    pub(crate) fn broken(&self) -> &[String] {
        &self.broken
    }

    /// One more life of such a store.
    pub(crate) async fn more(&mut self, program: &Path) {
        let mut stand = Stand::start(program, self.setting, &self.name()).await;
        for round in 0..ROUNDS_A_LIFE {
            stand.press_for(self.pressed_ms()).await;
            self.strike(&mut stand, round).await;
        }
        stand.press().await;
        match stand.finish().await {
            Ok(audit) => self.losses.extend(audit.losses),
            Err(broken) => {
                eprintln!("{}: {broken}", self.name());
                self.broken.push(format!("{}: {}", self.name(), broken.lines().take(5).collect::<Vec<_>>().join(" ")));
            }
        }
    }

    async fn strike(&self, stand: &mut Stand, round: usize) {
        match self.fault {
            Fault::WorkerKilled => stand.kill_worker(),
            Fault::ServerKilled => stand.kill().await,
            Fault::PowerCut if round % 4 == 3 => stand.cut(Unsynced::Gone).await,
            Fault::PowerCut if self.setting.is_redis() => stand.cut(Unsynced::Cut).await,
            Fault::PowerCut => stand.cut(Unsynced::Scrambled).await,
            Fault::PrimaryKilled => stand.fail_over(Duration::ZERO).await,
            Fault::PrimaryCutOff => stand.fail_over(CUT_OFF).await,
        }
    }
}
