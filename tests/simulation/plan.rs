//! What a seed makes of a world: how many processes, how the wires fail, what is asked for.

use std::time::Duration;

use support::chance::Chance;

/// Everything that is decided before a world begins.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) processes: usize,
    pub(crate) lease: Duration,
    /// For so long things go wrong.
    pub(crate) trouble: Duration,
    pub(crate) wire: WireOdds,
    /// Pauses between two troubles of a process.
    pub(crate) between: Option<(u64, u64)>,
    /// Which troubles there are, by their number.
    pub(crate) kinds: Vec<u64>,
    /// The longest body, in milliseconds.
    pub(crate) body_ms: u64,
    pub(crate) concurrency: usize,
    pub(crate) sticky: usize,
    /// How many `limited` run at once, and how many of queue `mail` start in a second.
    pub(crate) limit: u32,
    pub(crate) rate: u32,
    pub(crate) instances: u64,
    /// Whether instances are paused, terminated and restarted.
    pub(crate) operators: bool,
}

/// In how many of a thousand cases a wire does what.
#[derive(Debug, Clone, Default)]
pub(crate) struct WireOdds {
    /// It takes its time.
    pub(crate) slow: u64,
    /// A batch is lost before it is carried out.
    pub(crate) request: u64,
    /// The answer is lost.
    pub(crate) reply: u64,
    /// A batch is cut between two commands.
    pub(crate) cut: u64,
    /// A batch is carried out twice.
    pub(crate) twice: u64,
    /// A batch that was given up is carried out later.
    pub(crate) late: u64,
    /// A question has no answer.
    pub(crate) question: u64,
    /// A beat of a heart has none.
    pub(crate) beat: u64,
    /// A hint is lost, or late.
    pub(crate) hint: u64,
}

impl WireOdds {
    fn draw(chance: &mut Chance) -> Self {
        // Some worlds have only some of these, so that what one hides is seen in another.
        let mut odds = |most: u64| {
            let one = chance.within(0..3);
            if one == 0 { 0 } else { chance.within(0..most) }
        };
        Self {
            slow: odds(700),
            request: odds(60),
            reply: odds(100),
            cut: odds(100),
            twice: odds(100),
            late: odds(60),
            question: odds(100),
            beat: odds(300),
            hint: odds(600),
        }
    }
}

impl Plan {
    /// What follows from the seed.
    pub(crate) fn of(chance: &mut Chance) -> Self {
        // One in eight worlds is quiet: there nothing may be done twice.
        let quiet = chance.within(0..8) == 0;
        let kinds = (0..KINDS).filter(|_| chance.within(0..3) > 0).collect::<Vec<_>>();
        let from = chance.within(100..3_000);
        Self {
            processes: chance.index(3) + 1,
            lease: chance.millis(800..4_000),
            trouble: chance.millis(5_000..25_000),
            wire: if quiet { WireOdds::default() } else { WireOdds::draw(chance) },
            between: (!quiet && !kinds.is_empty()).then_some((from, from * 3)),
            kinds,
            body_ms: [5, 100, 1_500, 5_000][chance.index(4)],
            concurrency: [1, 2, 4, 16][chance.index(4)],
            sticky: [0, 1, 16][chance.index(3)],
            limit: u32::try_from(chance.within(1..4)).expect("small"),
            rate: u32::try_from(chance.within(1..5)).expect("small"),
            instances: chance.within(4..16),
            operators: chance.within(0..2) == 0,
        }
    }
}

/// How many kinds of trouble there are: see `trouble`.
pub(crate) const KINDS: u64 = 8;
